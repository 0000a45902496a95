"""Statements about the ring of our own keys: `signing_keys(id, purpose, algorithm, sealed, created_at, retires_at)`."""

from doorward.store.sql import Sql

ALL = Sql(
    "SELECT id, algorithm, sealed, created_at, retires_at FROM signing_keys WHERE purpose = $1"
    " ORDER BY created_at DESC, id DESC"
)
ANY = Sql("SELECT 1 FROM signing_keys LIMIT 1")
ADD = Sql("INSERT INTO signing_keys (id, purpose, algorithm, sealed, created_at) VALUES ($1, $2, $3, $4, $5)")
RETIRE_OTHERS = Sql(
    "UPDATE signing_keys SET retires_at = $3 WHERE purpose = $1 AND id <> $2 AND retires_at IS NULL"
    " AND (algorithm = $4 OR created_at < (SELECT max(before.created_at) FROM signing_keys before"
    " WHERE before.purpose = $1 AND before.id <> $2 AND before.retires_at IS NULL AND before.algorithm = $4))"
)
"""Retire what the key `$2` of algorithm `$4` takes the place of.

The first key of another algorithm takes the place of none, since replicas with the old settings still sign with theirs;
its own successor does, and retires what is older than both.
"""

REMOVE = Sql("DELETE FROM signing_keys WHERE id = $1")
SWEEP = Sql("DELETE FROM signing_keys WHERE retires_at < $1")
