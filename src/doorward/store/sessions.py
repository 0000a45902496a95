"""Statements about sessions, about what changed in them, and about who is refreshing one.

`digest` is the SHA-256 of the cookie; `sealed` holds identity and provider tokens. `expires_at` is the cookie's,
`token_expires_at` that of the newest session token made from it, `ends_at` the later of the two. `generation` grows by
one with each refresh. `subject_key` and `sid_key` are digests of what the provider calls the person and its own session
with them, null where it cannot tell of a sign-out. A session that was signed out has no row.

`session_changes` has a row for each session that was refreshed or ended, numbered by the version of the kind `sessions`
in `changes`, under the lock on that version (docs/adr/0007): numbers are in the order of commits and have no holes, so
a reader who knows the last number has missed nothing, and knows when rows were swept before it read them.
"""

from doorward.store.sql import Cursor, Insert, Lookup, Sql

CHANGE_KIND = "sessions"

ADD = Insert(
    "sessions",
    {
        "id": "text",
        "digest": "bytea",
        "provider": "text",
        "user_id": "text",
        "sealed": "bytea",
        "refreshed": "bigint",
        "generation": "bigint",
        "created_at": "double precision",
        "expires_at": "double precision",
        "token_expires_at": "double precision",
        "ends_at": "double precision",
        "subject_key": "bytea",
        "sid_key": "bytea",
    },
)
_COLUMNS = "id, digest, provider, user_id, sealed, refreshed, generation, created_at, expires_at, token_expires_at"
BY_DIGEST = Lookup(f"SELECT {_COLUMNS} FROM sessions WHERE digest = $1", "bytea")
BY_ID = Lookup(f"SELECT {_COLUMNS} FROM sessions WHERE id = $1", "text")

RENEW = Sql(
    "UPDATE sessions SET sealed = $3, refreshed = 1, generation = generation + 1, expires_at = $4,"
    " token_expires_at = $5, ends_at = $6 WHERE id = $1 AND generation = $2"
)
"""Take over the outcome of a refresh; no row when the session has ended, or was refreshed by somebody else."""

END = Sql("DELETE FROM sessions WHERE id = $1")

OF_SUBJECT = Sql("SELECT id FROM sessions WHERE subject_key = $1 ORDER BY id")
OF_SID = Sql("SELECT id FROM sessions WHERE sid_key = $1 ORDER BY id")
OF_SUBJECT_AND_SID = Sql(
    "SELECT id FROM sessions WHERE subject_key = $1 AND (sid_key = $2 OR sid_key IS NULL) ORDER BY id"
)
"""The sessions of one person that belong to one session at the provider, or may: those that were begun without one."""

_LISTED = "SELECT id, provider, user_id, created_at, ends_at FROM sessions WHERE ends_at > $1"
LIVING = Sql(f"{_LISTED} ORDER BY id")
LIVING_OF_USER = Sql(f"{_LISTED} AND user_id = $2 ORDER BY id")

# --- what changed ------------------------------------------------------------------------------------------------

_NUMBER = Sql(
    "INSERT INTO changes (kind, version) VALUES ($1, 1)"
    " ON CONFLICT (kind) DO UPDATE SET version = changes.version + 1 RETURNING version"
)
_NOTE = Insert("session_changes", {"id": "bigint", "session_id": "text", "time": "double precision"})
NEWEST_CHANGE = Sql("SELECT version FROM changes WHERE kind = $1")
CHANGES_AFTER = Sql("SELECT id, session_id FROM session_changes WHERE id > $1 ORDER BY id LIMIT 10001")
MOST_CHANGES = 10_000
"""Of more than so many changes a reader forgets all that it knows, which is cheaper than naming each."""


async def note_session_change(cursor: Cursor, session_id: str, now: float) -> None:
    """Tell every process, within the caller's transaction, that this session was refreshed or has ended.

    The next one who tells of a session waits until the transaction has ended, so let this be its last statement.
    """
    row = await cursor.one(_NUMBER, CHANGE_KIND)
    if row is None:
        raise AssertionError("the statement returns a row whatever it finds")
    await cursor.insert(_NOTE, row[0], session_id, now)


# --- who refreshes -----------------------------------------------------------------------------------------------

FLIGHT = Lookup("SELECT holder, until, outcome FROM session_flights WHERE session_id = $1", "text")
CLAIM_FLIGHT = Sql(
    "INSERT INTO session_flights (session_id, holder, until) SELECT id, $2, $3 FROM sessions WHERE id = $1"
    " ON CONFLICT (session_id) DO UPDATE SET holder = excluded.holder, until = excluded.until, outcome = NULL"
    " WHERE session_flights.outcome IS NOT NULL OR session_flights.until <= $4"
)
"""Become the one who refreshes, until $3; no row while another's flight is under way at $4, or without the session."""

LAND_FLIGHT = Sql("UPDATE session_flights SET outcome = $3 WHERE session_id = $1 AND holder = $2")

# --- sweeping ----------------------------------------------------------------------------------------------------

SWEEP = Sql("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ends_at < $1 ORDER BY ends_at LIMIT 500)")
SWEEP_CHANGES = Sql(
    "DELETE FROM session_changes WHERE id IN (SELECT id FROM session_changes WHERE time < $1 ORDER BY time LIMIT 500)"
)
