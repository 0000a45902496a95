"""Statements about nonces of sign-ins that came back: `used_nonces(nonce, expires_at)`.

A row says that a nonce has been used. It is written before anything is done with the sign-in, and of two replicas that
write the same one only the first is told that it did.
"""

from doorward.store.sql import Insert, Sql

USE = Insert("used_nonces", {"nonce": "bytea", "expires_at": "double precision"}, unique=("nonce",))
SWEEP = Sql(
    "DELETE FROM used_nonces WHERE nonce IN"
    " (SELECT nonce FROM used_nonces WHERE expires_at < $1 ORDER BY expires_at LIMIT 500)"
)
