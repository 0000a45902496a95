"""Statements about platform tokens: families, their pairs, and the foreign tokens that were exchanged for them.

A family is born by an exchange and ends at a fixed time; each refresh adds a pair to it. Of the opaque token only the
SHA-256 is stored; of the JWT only its `jti`, which is the id of the pair.

A family names the registration that it came through by its number, which is never given twice, and does not refer to
it: an exchange in the moment of a removal may store its family after the others were revoked, and the number tells
for ever that it counts no more, without a lock on a row that every exchange shares.
"""

from doorward.store.sql import Insert, Lookup, Sql

ADD_FAMILY = Insert(
    "families",
    {
        "id": "text",
        "user_id": "bigint",
        "registration_id": "bigint",
        "client_id": "text",
        "cloud": "text",
        "tid": "text",
        "oid": "text",
        "organization_id": "bigint",
        "generation": "bigint",
        "created_at": "double precision",
        "expires_at": "double precision",
    },
)
ADD_PAIR = Insert(
    "pairs",
    {
        "id": "text",
        "family_id": "text",
        "generation": "bigint",
        "platform_digest": "bytea",
        "issued_at": "double precision",
        "access_expires_at": "double precision",
        "platform_expires_at": "double precision",
    },
)
ADD_SEEN = Insert("seen_tokens", {"digest": "bytea", "expires_at": "double precision"}, unique=("digest",))
IS_SEEN = Lookup("SELECT 1 FROM seen_tokens WHERE digest = $1", "bytea")

_PRESENTED = (
    "SELECT p.id, p.generation, p.issued_at, p.access_expires_at, p.platform_expires_at, p.revoked_at,"
    " f.id, f.registration_id, f.client_id, f.cloud, f.tid, f.oid, f.generation, f.rotated_at, f.expires_at,"
    " f.revoked_at,"
    " u.id, u.email, u.full_name, u.organization_id, u.role, u.verified, u.enabled, u.created_at, o.enabled"
    " FROM pairs p JOIN families f ON f.id = p.family_id JOIN users u ON u.id = f.user_id"
    " JOIN organizations o ON o.id = u.organization_id"
    " JOIN identities i ON i.cloud = f.cloud AND i.tid = f.tid AND i.oid = f.oid AND i.user_id = f.user_id"
)
"""A token counts only as long as the identity it was issued through is linked to its user: a sign-in that ran beside an
`unlink` may have stored its family after the others were revoked."""

BY_PAIR = Lookup(f"{_PRESENTED} WHERE p.id = $1", "text")
BY_PLATFORM_DIGEST = Lookup(f"{_PRESENTED} WHERE p.platform_digest = $1", "bytea")

LOCK_FAMILY = Sql("SELECT id FROM families WHERE id = $1", for_update=True)
"""Two refreshes of one family take turns from here on."""

ADVANCE = Sql("UPDATE families SET generation = $2, rotated_at = $3 WHERE id = $1 AND generation = $4")
"""Make the next generation the newest one; no row when somebody else has done so."""

REVOKE_PAIR = Sql("UPDATE pairs SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
REVOKE_FAMILY = Sql("UPDATE families SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
REVOKE_OF_USER = Sql("UPDATE families SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL")
REVOKE_OF_CLIENT = Sql("UPDATE families SET revoked_at = $2 WHERE client_id = $1 AND revoked_at IS NULL")
REVOKE_OF_TENANT = Sql("UPDATE families SET revoked_at = $2 WHERE tid = $1 AND revoked_at IS NULL")
REVOKE_OF_IDENTITY = Sql("UPDATE families SET revoked_at = $3 WHERE tid = $1 AND oid = $2 AND revoked_at IS NULL")

OWNER_OF_FAMILY = Sql("SELECT user_id FROM families WHERE id = $1")

_LISTED = (
    "SELECT id, user_id, client_id, created_at, expires_at FROM families WHERE revoked_at IS NULL"
    " AND registration_id IN (SELECT id FROM registrations)"
)
LIVING = Sql(f"{_LISTED} AND expires_at > $1 ORDER BY id")
LIVING_OF_USER = Sql(f"{_LISTED} AND expires_at > $1 AND user_id = $2 ORDER BY id")

SWEEP_FAMILIES = Sql(
    "DELETE FROM families WHERE id IN (SELECT id FROM families WHERE expires_at < $1 ORDER BY expires_at LIMIT 500)"
)
SWEEP_SEEN = Sql(
    "DELETE FROM seen_tokens WHERE digest IN"
    " (SELECT digest FROM seen_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT 500)"
)
SWEEP_PAIRS = Sql(
    "DELETE FROM pairs WHERE id IN (SELECT id FROM"
    " (SELECT id, access_expires_at, platform_expires_at FROM pairs ORDER BY id LIMIT 500) AS oldest"
    " WHERE access_expires_at < $1 AND platform_expires_at < $1)"
)
"""Delete those among the oldest pairs of which both tokens have expired.

An id begins with the time at which it was made (`entropy.ordered_id`), so the oldest stand first in the primary key,
and neither an index on the times nor a look at the living is needed.
"""
