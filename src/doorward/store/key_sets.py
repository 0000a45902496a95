"""Statements about the providers' last good key documents: `key_sets(url, document, fetched_at)`.

One row a key address. A row is only ever replaced by a younger one, so processes that fetched at the same moment end up
with the same document.
"""

from doorward.store.sql import Sql

ALL = Sql("SELECT url, document, fetched_at FROM key_sets ORDER BY url")
KEEP = Sql(
    "INSERT INTO key_sets (url, document, fetched_at) VALUES ($1, $2, $3)"
    " ON CONFLICT (url) DO UPDATE SET document = excluded.document, fetched_at = excluded.fetched_at"
    " WHERE key_sets.fetched_at < excluded.fetched_at"
)
