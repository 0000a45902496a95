"""What a statement, a row to append, and a store are, whichever engine is below.

Statements are written once, in the SQL that SQLite and PostgreSQL share, with parameters `$1`, `$2`, and so on. Owns no
connection and imports no driver; `sqlite` and `postgres` do. The portable column types are text, bigint, double
precision and bytea; truth values are bigints 0 and 1.
"""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, final

from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE

T = TypeVar("T")

Param: TypeAlias = str | int | float | bytes | None
Params: TypeAlias = Sequence[Param]
Row: TypeAlias = tuple[Any, ...]
Engine: TypeAlias = Literal["sqlite", "postgres"]

_PARAMETER = re.compile(r"\$(\d+)")
_POSTGRES_TYPES = frozenset({"text", "bigint", "double precision", "bytea"})


class Sql:
    """One portable statement."""

    __slots__ = ("postgres", "sqlite")

    def __init__(self, text: str, *, for_update: bool = False, for_update_of: str = "") -> None:
        """Take a statement with parameters `$1`, `$2` and so on, none of them inside a string literal.

        With `for_update` a SELECT also locks the rows that it finds until the use case ends; with `for_update_of` only
        those of one table of a join, named by its alias. SQLite needs no words for that: its one writer excludes every
        other.
        """
        lock = f" FOR UPDATE OF {for_update_of}" if for_update_of else " FOR UPDATE" if for_update else ""
        self.postgres = f"{text}{lock}"
        self.sqlite = _PARAMETER.sub(r"?\1", text)


@final
class Lookup(Sql):
    """A SELECT that gives at most one row for a key, of which PostgreSQL can answer many in one round trip."""

    __slots__ = ("many",)

    def __init__(self, text: str, *types: str) -> None:
        """Take the statement, and the PostgreSQL types of its parameters in their order."""
        super().__init__(text)
        if unknown := set(types) - _POSTGRES_TYPES:
            raise ValueError(f"not a portable column type: {sorted(unknown)}")
        arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, start=1))
        names = ", ".join(f"p{number}" for number in range(1, len(types) + 1))
        one = _PARAMETER.sub(r"asked.p\1", text)
        # LIMIT keeps the planner from joining whole tables: each key is looked up by its index.
        self.many = (
            f"SELECT asked.place, found.* FROM unnest({arrays}) WITH ORDINALITY AS asked ({names}, place)"
            f" CROSS JOIN LATERAL ({one} LIMIT 1) AS found"
        )


@final
class Insert:
    """A kind of row that is only ever appended."""

    __slots__ = ("columns", "postgres", "sqlite", "table", "types", "unique", "unique_at")

    def __init__(self, table: str, columns: Mapping[str, str], *, unique: tuple[str, ...] = ()) -> None:
        """Describe rows of `table`: its columns with their PostgreSQL types, in the order of the parameters.

        A row whose `unique` columns are taken already is left out instead of being a violation; the answer of `insert`
        and `append` tells. `unique` must be the columns of one unique constraint.
        """
        if unknown := set(columns.values()) - _POSTGRES_TYPES:
            raise ValueError(f"not a portable column type: {sorted(unknown)}")
        self.table = table
        self.columns = tuple(columns)
        self.types = tuple(columns.values())
        self.unique = unique
        self.unique_at = tuple(self.columns.index(name) for name in unique)
        names = ", ".join(self.columns)
        conflict = f" ON CONFLICT ({', '.join(unique)}) DO NOTHING" if unique else ""
        places = ", ".join("?" * len(self.columns))
        self.sqlite = f"INSERT INTO {table} ({names}) VALUES ({places}){conflict}"
        self.postgres = self.arrays(first=1)

    def arrays(self, first: int) -> str:
        """Give the PostgreSQL statement that takes one array a column, beginning at parameter number `first`.

        With unique columns it returns those of every row that was really inserted.
        """
        names = ", ".join(self.columns)
        arrays = ", ".join(f"${first + index}::{kind}[]" for index, kind in enumerate(self.types))
        statement = f"INSERT INTO {self.table} ({names}) SELECT * FROM unnest({arrays})"
        if not self.unique:
            return statement
        unique = ", ".join(self.unique)
        return f"{statement} ON CONFLICT ({unique}) DO NOTHING RETURNING {unique}"


Append: TypeAlias = tuple[Insert, Params]


class Cursor(Protocol):
    """What a use case works with; it is valid only while the use case runs."""

    async def one(self, sql: Sql, *params: Param) -> Row | None:
        """Give the first row, or None when there is none; also for `… RETURNING`."""
        ...

    async def all(self, sql: Sql, *params: Param) -> list[Row]:
        """Give every row."""
        ...

    async def run(self, sql: Sql, *params: Param) -> int:
        """Execute a change and give the number of rows that it touched."""
        ...

    async def insert(self, insert: Insert, *params: Param) -> bool:
        """Insert one row; False when it was left out because its unique columns were taken."""
        ...


UseCase: TypeAlias = Callable[[Cursor], Coroutine[Any, Any, T]]


class Store(Protocol):
    """A database that is open.

    Every method raises `DoorwardError` (`store_unavailable`) when the database itself is in trouble; what happened is
    then in the log facts as `reason`, and the caller may try again.
    """

    engine: Engine

    @property
    def in_trouble(self) -> bool:
        """Say whether a write was refused for trouble of the database, and `ping` has not found it over since."""
        ...

    async def read(self, use_case: UseCase[T]) -> T:
        """Run a use case that only reads; every write that was answered before is seen.

        Each statement sees one moment; two statements may see two, so what must agree is read by one statement.
        """
        ...

    async def find(self, lookup: Lookup, *key: Param) -> Row | None:
        """Give the row of a key, or None; every write that was answered before is seen.

        Where the database is asked over a wire, those who wait at the same moment share one question.
        """
        ...

    async def write(self, use_case: UseCase[T]) -> T:
        """Run a use case all or nothing; what it changed is on disk when this returns.

        The use case may await nothing but its cursor, and must be safe to run again from its beginning: PostgreSQL may
        ask for that when two of them collide. An exception that leaves it takes its changes back and is raised here.
        """
        ...

    async def append(self, rows: Sequence[Append]) -> list[bool]:
        """Append rows, all or none; they are on disk when this returns.

        Rows of all callers that wait at the same moment share one transaction, which makes this the cheapest way to
        write. A row may refer to one before it. Gives for each row whether it was inserted: False only for an `Insert`
        with unique columns that were taken. Raises `UniqueViolation` and `ForeignKeyViolation`.
        """
        ...

    async def ping(self) -> None:
        """Ask whether the database can be read and written now; raises if not.

        Where a write was refused before, it tries one: a full disk shows in nothing else.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of the database; anything asked afterwards is refused."""
        ...


class Violation(Exception):
    """A constraint refused a change; `table` and `columns` name it where the engine does, else they are empty."""

    def __init__(self, table: str = "", columns: tuple[str, ...] = ()) -> None:
        """Name the table and the columns of the constraint; never the values."""
        super().__init__(f"{table}({', '.join(columns)})")
        self.table = table
        self.columns = columns


class UniqueViolation(Violation):
    """Another row has the same key. It ends the use case: let it out, and begin again with another `write`."""


class ForeignKeyViolation(Violation):
    """The row refers to one that does not exist, or is referred to by one that does."""


def unavailable(error: BaseException, code: str) -> DoorwardError:
    """Make the refusal for trouble of the database itself; `code` is the engine's own, and no value is kept."""
    return DoorwardError(STORE_UNAVAILABLE, retry_after=1, reason=f"{type(error).__name__} {code}".rstrip())


class StoreClosed(Exception):
    """The store was closed while work for it still came in."""


class UseCaseSuspended(RuntimeError):
    """A use case awaited something other than its cursor, which would keep a transaction open for as long."""


class UseCaseWentOn(RuntimeError):
    """A use case caught a violation and went on; the transaction was lost at that point, so nothing of it was kept."""


class ReadOnly(RuntimeError):
    """A use case that was given to `read` tried to change something."""
