"""Statements about registrations, the trust anchor of the exchange, with their tenants, organizations and domains."""

from doorward.store.sql import Sql

ALL = Sql(
    "SELECT id, client_id, name, cloud, default_organization, auto_create, allow_guests, refresh, enabled"
    " FROM registrations ORDER BY id"
)
TENANTS = Sql("SELECT registration_id, tid FROM registration_tenants ORDER BY registration_id, tid")
ORGANIZATIONS = Sql(
    "SELECT registration_id, organization_id, tid FROM registration_organizations"
    " ORDER BY registration_id, organization_id, tid"
)
DOMAINS = Sql("SELECT registration_id, domain, tid FROM registration_domains ORDER BY registration_id, domain")
ADD = Sql(
    "INSERT INTO registrations (client_id, name, cloud, default_organization, auto_create, allow_guests, refresh,"
    " enabled, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8) RETURNING id"
)
ADD_TENANT = Sql("INSERT INTO registration_tenants (registration_id, tid) VALUES ($1, $2)")
ADD_ORGANIZATION = Sql(
    "INSERT INTO registration_organizations (registration_id, organization_id, tid) VALUES ($1, $2, $3)"
)
ADD_DOMAIN = Sql("INSERT INTO registration_domains (registration_id, domain, tid) VALUES ($1, $2, $3)")
DROP_TENANTS = Sql("DELETE FROM registration_tenants WHERE registration_id = $1")
IS_ENABLED = Sql("SELECT 1 FROM registrations WHERE id = $1 AND enabled = 1")
SET_ENABLED = Sql("UPDATE registrations SET enabled = $2, changed_at = $3 WHERE client_id = $1")
TOUCH = Sql("UPDATE registrations SET changed_at = $2 WHERE id = $1")
REMOVE = Sql("DELETE FROM registrations WHERE client_id = $1")
