"""A setting is a row: kind, default, help, and which face of Doorward needs it.

Each section is a frozen dataclass whose fields are made by `row`, so that the type checker holds the users of a setting
to its kind, and files, environment, documentation and `doorward config show` are all read off the same line.
"""

from collections.abc import Iterator
from dataclasses import Field, field, fields
from typing import Any, ClassVar, Literal, Protocol, TypeVar, cast

from doorward.base.frozen import frozen
from doorward.config.kinds import Kind, Secrecy

T = TypeVar("T")

Face = Literal["exchange", "easyauth"]

_MARK = "doorward.row"


class Section(Protocol):
    """What every section is: a dataclass of rows."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@frozen
class Row:
    """One setting of a section; `default` is written as it would stand in the file."""

    kind: Kind[Any]
    default: object
    about: str

    @property
    def secrecy(self) -> Secrecy:
        """Say how much of the value may be shown."""
        return self.kind.secrecy


def row(kind: Kind[T], default: object, about: str) -> T:
    """Make a field of a section.

    As with `dataclasses.field`, the type checker sees a value of the kind, and the dataclass the field.
    """
    made = Row(kind=kind, default=default, about=about)
    shown = kind.secrecy == "open"
    return field(default=kind.parse(default), repr=shown, metadata={_MARK: made})


def rows_of(section: type[Section]) -> Iterator[tuple[str, Row]]:
    """Give the key and row of every setting of a section, in the order they are written."""
    for entry in fields(section):
        if _MARK in entry.metadata:
            yield entry.name, cast("Row", entry.metadata[_MARK])
