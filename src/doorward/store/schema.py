"""Which schema a database has, and whether this program can work with it.

Knows the newest revision as a constant, so that the check at the start loads no migration tool; a test holds the
constant against the migrations themselves.
"""

from typing import Literal, TypeAlias

from doorward.base.errors import DoorwardError
from doorward.base.faults import DATABASE_BEHIND, DATABASE_NEWER
from doorward.store.sql import Sql

HEAD = "0001"
REVISION = Sql("SELECT version_num FROM alembic_version")

State: TypeAlias = Literal["current", "behind"]


def judge_revision(revision: str | None, *, may_migrate: bool) -> State:
    """Say whether a database of this revision is current or behind; None is one without any schema.

    Raises `DoorwardError`: `database_newer` for a revision that this program does not know, `database_behind` for one
    that is behind where migrating it is not allowed.
    """
    if revision == HEAD:
        return "current"
    if revision is not None and not (revision.isascii() and revision.isdigit() and "0000" < revision < HEAD):
        raise DoorwardError(DATABASE_NEWER, revision=revision, newest_known=HEAD)
    if not may_migrate:
        raise DoorwardError(DATABASE_BEHIND, revision=revision or "none", newest_known=HEAD)
    return "behind"
