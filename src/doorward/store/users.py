"""Statements about users: `users(id, email, email_key, full_name, organization_id, role, verified, enabled, …)`.

`email_key` is the form in which addresses are compared, and unique: two first sign-ins with one new address end in one
account, decided by the database.
"""

from doorward.store.sql import Sql

COLUMNS = "id, email, full_name, organization_id, role, verified, enabled, created_at"
ALL = Sql(f"SELECT {COLUMNS} FROM users ORDER BY id")
BY_ID = Sql(f"SELECT {COLUMNS} FROM users WHERE id = $1")
BY_EMAIL = Sql(f"SELECT {COLUMNS} FROM users WHERE email_key = $1", for_update=True)
"""The account of an address, held until the use case ends: two identities must not link to it side by side."""
ADD = Sql(
    "INSERT INTO users (email, email_key, full_name, organization_id, role, verified, enabled, created_at, updated_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7) RETURNING id"
)
SET_ENABLED = Sql("UPDATE users SET enabled = $2, updated_at = $3 WHERE id = $1")
SET_VERIFIED = Sql("UPDATE users SET verified = 1, updated_at = $2 WHERE id = $1")
DELETE = Sql("DELETE FROM users WHERE id = $1")
