"""Statements about the audit trail, which is appended to, and swept of what is old, and never changed."""

from doorward.store.sql import Insert, Sql

ADD = Insert(
    "audit",
    {
        "time": "double precision",
        "event": "text",
        "code": "text",
        "request_id": "text",
        "address": "text",
        "user_agent": "text",
        "client_id": "text",
        "cloud": "text",
        "tid": "text",
        "oid": "text",
        "user_id": "bigint",
        "organization_id": "bigint",
        "kid": "text",
        "token_digest": "text",
        "detail": "text",
    },
)
COLUMNS = (
    "id", "time", "event", "code", "request_id", "address", "user_agent", "client_id", "cloud", "tid", "oid",
    "user_id", "organization_id", "kid", "token_digest", "detail",
)  # fmt: skip
SINCE = Sql(f"SELECT {', '.join(COLUMNS)} FROM audit WHERE time >= $1 ORDER BY id")
SINCE_OF_EVENT = Sql(f"SELECT {', '.join(COLUMNS)} FROM audit WHERE event = $2 AND time >= $1 ORDER BY id")
SWEEP = Sql("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE time < $1 ORDER BY time LIMIT 500)")
NEWEST = Sql("SELECT max(time) FROM audit WHERE time < $1")
