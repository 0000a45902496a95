"""The one error that reaches a user, and the catalogue it is taken from.

Everything that can be refused or can go wrong is one `ErrorRow`: a stable code, the HTTP status, the message that is
part of the contract, and the cause and fix that `doorward explain CODE` prints. `refusals` holds the rows that a client
can meet over HTTP, `faults` those that an operator meets on the command line or in the log. A `DoorwardError` is raised
with a row and with facts for the log; facts never hold a token, a secret or another person's claim values.
"""

import logging
from typing import Literal

from doorward.base.frozen import frozen

Level = Literal["debug", "info", "warning", "error"]
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@frozen
class ErrorRow:
    """One thing that can go wrong.

    `status` is the HTTP status, or 0 where the error never reaches HTTP. `message` is contract text: it never varies
    with the request. `level` is the level of the log line that reports it.
    """

    code: str
    status: int
    message: str
    cause: str
    fix: str
    level: Level = "info"

    @property
    def log_level(self) -> int:
        """Give the level as the standard library counts it."""
        return _LEVELS[self.level]


class DoorwardError(Exception):
    """The only exception that reaches a user: a row of the catalogue and facts for the log.

    `retry_after` is in whole seconds and becomes the header of that name.
    """

    def __init__(self, row: ErrorRow, *, retry_after: int | None = None, **facts: object) -> None:
        """Raise `row`; `facts` say for the log what was found, never with a token or secret in them."""
        super().__init__(row.message)
        self.row = row
        self.retry_after = retry_after
        self.facts = facts

    @property
    def code(self) -> str:
        """Give the machine-readable code."""
        return self.row.code

    def __str__(self) -> str:
        """Show the code and the facts that explain it."""
        facts = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.row.code}: {self.row.message}" + (f" ({facts})" if facts else "")


_catalogue: dict[str, ErrorRow] = {}


def enter(row: ErrorRow) -> ErrorRow:
    """Put a row into the catalogue.

    Raises `ValueError` when its code is taken: two meanings under one code would make the code worthless.
    """
    if row.code in _catalogue:
        raise ValueError(f"error code {row.code} is taken")
    _catalogue[row.code] = row
    return row


def catalogue() -> dict[str, ErrorRow]:
    """Give every row that has been entered, by code."""
    return dict(_catalogue)
