"""Statements about identities, the links between a person at a provider and a user.

`identities(id, cloud, tid, oid, user_id, iss, preferred_username, email, name, linked_at, seen_at)`, unique in
(cloud, tid, oid); `subjects(identity_id, client_id, sub)` keeps the pairwise `sub` of each audience.
"""

from doorward.store.sql import Lookup, Sql

SIGNED_IN = Lookup(
    "SELECT u.id, u.email, u.full_name, u.organization_id, u.role, u.verified, u.enabled, u.created_at, o.enabled,"
    " i.id, i.iss, i.preferred_username, i.email, i.name, s.sub"
    " FROM identities i JOIN users u ON u.id = i.user_id JOIN organizations o ON o.id = u.organization_id"
    " LEFT JOIN subjects s ON s.identity_id = i.id AND s.client_id = $4"
    " WHERE i.cloud = $1 AND i.tid = $2 AND i.oid = $3",
    "text",
    "text",
    "text",
    "text",
)
"""The user of an identity, whether the organization is enabled, and what was last seen on the link."""

OF_USER = Sql(
    "SELECT id, cloud, tid, oid, preferred_username, email, name, linked_at, seen_at FROM identities"
    " WHERE user_id = $1 ORDER BY id"
)
KEYS_OF_USER = Sql("SELECT cloud, tid, oid FROM identities WHERE user_id = $1")
OWNER = Sql("SELECT user_id FROM identities WHERE cloud = $1 AND tid = $2 AND oid = $3")
ADD = Sql(
    "INSERT INTO identities (cloud, tid, oid, user_id, iss, preferred_username, email, name, linked_at, seen_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING id"
)
NOTE_SEEN = Sql(
    "UPDATE identities SET iss = $2, preferred_username = $3, email = $4, name = $5, seen_at = $6 WHERE id = $1"
)
NOTE_SUBJECT = Sql(
    "INSERT INTO subjects (identity_id, client_id, sub) VALUES ($1, $2, $3)"
    " ON CONFLICT (identity_id, client_id) DO UPDATE SET sub = excluded.sub"
)
UNLINK = Sql("DELETE FROM identities WHERE user_id = $1")
