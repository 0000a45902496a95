"""Statements about the providers' last good key documents: `key_sets(url, document, fetched_at)`.

One row a key address. A row is only ever replaced by a younger one, so processes that fetched at the same moment end up
with the same document. A row from the future was dated by a clock that is wrong: anything replaces it, for else it
would undo the withdrawal of a key until that time has come.
"""

from doorward.store.sql import Sql

ALL = Sql("SELECT url, document, fetched_at FROM key_sets ORDER BY url")
KEEP = Sql(
    "INSERT INTO key_sets (url, document, fetched_at) VALUES ($1, $2, $3)"
    " ON CONFLICT (url) DO UPDATE SET document = excluded.document, fetched_at = excluded.fetched_at"
    " WHERE key_sets.fetched_at < excluded.fetched_at OR key_sets.fetched_at > $4"
)
"""Keep a document; the fourth parameter is the time now."""

LOCK = Sql("SELECT fetched_at FROM key_sets WHERE url = $1", for_update=True)
