"""Statements about one-time codes of native apps: `sign_in_codes(digest, sealed, expires_at)`.

`digest` is the SHA-256 of the code, `sealed` what it is worth. Taking a code deletes it, so that of two replicas that
are shown the same code only one finds it.
"""

from doorward.store.sql import Insert, Sql

ADD = Insert("sign_in_codes", {"digest": "bytea", "sealed": "bytea", "expires_at": "double precision"})
TAKE = Sql("DELETE FROM sign_in_codes WHERE digest = $1 RETURNING sealed, expires_at")
SWEEP = Sql(
    "DELETE FROM sign_in_codes WHERE digest IN"
    " (SELECT digest FROM sign_in_codes WHERE expires_at < $1 ORDER BY expires_at LIMIT 500)"
)
