"""Statements and rows that the tests of the store work with."""

from doorward.store import Append, Cursor, Insert, Sql

ADD_USER = Sql(
    "INSERT INTO users (email, email_key, full_name, organization_id, role, verified, enabled, created_at, updated_at)"
    " VALUES ($1, $1, 'A B', $2, 'user', 1, 1, 1.5, 1.5) RETURNING id"
)
COUNT_USERS = Sql("SELECT count(*) FROM users")
COUNT_FAMILIES = Sql("SELECT count(*) FROM families")
COUNT_SEEN = Sql("SELECT count(*) FROM seen_tokens")
COUNT_KEY_SETS = Sql("SELECT count(*) FROM key_sets")
ADD_KEY_SET = Sql("INSERT INTO key_sets (url, document, fetched_at) VALUES ($1, '{}', 1.0)")

FAMILY = Insert(
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
PAIR = Insert(
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
SEEN = Insert("seen_tokens", {"digest": "bytea", "expires_at": "double precision"}, unique=("digest",))
AUDIT = Insert(
    "audit", {"time": "double precision", "event": "text", "code": "text", "user_id": "bigint", "detail": "text"}
)


async def count(cursor: Cursor, sql: Sql) -> int:
    """Give the one number that `sql` selects."""
    row = await cursor.one(sql)
    assert row is not None
    return row[0]


async def add_user(cursor: Cursor, email: str = "a@example.com", organization: int = 1) -> int:
    """Insert a user and give its id."""
    row = await cursor.one(ADD_USER, email, organization)
    assert row is not None
    return row[0]


def family(name: str, user: int) -> Append:
    """Give the row of a token family."""
    return FAMILY, (name, user, 1, "client", "global", "tid", "oid", 1, 1, 1.0, 2.0)


def pair(name: str, of_family: str) -> Append:
    """Give the row of a token pair."""
    return PAIR, (name, of_family, 1, name.encode(), 1.0, 2.0, 2.0)


def seen(digest: bytes, expires_at: float = 1.0) -> Append:
    """Give the row of a token that was seen."""
    return SEEN, (digest, expires_at)
