"""The rows of the catalogue that an operator meets: on the command line, at the start, in the log.

None of them reaches HTTP, so their status is 0. Messages name what is wrong; the cause and the fix are printed below
them and by `doorward explain CODE`.
"""

from doorward.base.errors import ErrorRow, Level, enter


def _row(code: str, message: str, cause: str, fix: str, level: Level = "error") -> ErrorRow:
    return enter(ErrorRow(code=code, status=0, message=message, cause=cause, fix=fix, level=level))


# --- the database ------------------------------------------------------------------------------------------------

DATABASE_URL_INVALID = _row(
    "database_url_invalid",
    "The database URL is not understood",
    "database.url has another scheme than sqlite: or postgresql:, names no database, or holds a part that is not "
    "supported.",
    'Write "sqlite:///doorward.db", "sqlite:////var/lib/doorward/doorward.db" or '
    '"postgresql://user:password@host:5432/name".',
)
DATABASE_UNREACHABLE = _row(
    "database_unreachable",
    "The database cannot be opened",
    "The PostgreSQL server does not answer or refuses the login, or the SQLite file or its directory is missing, is "
    "not a database, or may not be written.",
    "Check database.url, that the server runs and knows the user and the database, or that the directory of the file "
    "exists and belongs to the user that runs Doorward.",
)
DATABASE_NEWER = _row(
    "database_newer",
    "The database was made by a newer Doorward",
    "The schema has a revision that this program does not know; working on it could damage it.",
    "Run the newer program again, or restore the backup that was made before the upgrade.",
)
DATABASE_BEHIND = _row(
    "database_behind",
    "The database has an older schema",
    "The schema is behind this program and database.auto_migrate is false.",
    "Make a backup, then run: doorward migrate",
)
DATABASE_MIGRATION_FAILED = _row(
    "database_migration_failed",
    "The database could not be brought to the newest schema",
    "A migration was refused by the database; it was rolled back as a whole.",
    "The database user must be allowed to create tables, and the database must hold no tables of the same names that "
    "belong to somebody else.",
)
POSTGRES_MISSING = _row(
    "postgres_missing",
    "The PostgreSQL driver is not installed",
    "database.url names PostgreSQL, whose driver comes with an extra of the package.",
    "pip install 'doorward[postgres]'",
)
