"""A message that is a row of parameters, written and read as a query or as the body of a form.

What the messages of OAuth 1.0a and OAuth 2 have in common: each is one frozen value with both directions. A parameter
without a value counts as absent (RFC 6749 section 3.1), so an empty string is how absence is written.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import ClassVar, Self, cast

from doorward.base.frozen import frozen
from doorward.protocol.parameters import (
    BadMessage,
    Pairs,
    read_form,
    read_parameters,
    refuse_repeated,
    write_parameters,
)


@frozen
class ParameterMessage:
    """A message that is a row of parameters; a field has the name of its parameter.

    `GRANT` is the grant_type that goes before them, empty where there is none.
    """

    GRANT: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Refuse a parameter that would be written twice."""
        refuse_repeated((*self._known(), *self._further()))

    def pairs(self) -> Pairs:
        """Give the parameters that have a value, in the order in which they are sent."""
        sent = [("grant_type", self.GRANT)]
        for one in fields(self):
            sent += self._further() if one.name == "further" else [(one.name, cast("str", getattr(self, one.name)))]
        kept = dict(self._further())
        return tuple(pair for pair in sent if pair[1] or pair[0] in kept)

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """Make the message of its parameters; raises `BadMessage` when one is there twice."""
        given = tuple(pairs)
        refuse_repeated(given)
        if cls.GRANT:
            if dict(given).get("grant_type") != cls.GRANT:
                raise BadMessage(f"grant_type is not {cls.GRANT}", "unsupported_grant_type")
            given = tuple(pair for pair in given if pair[0] != "grant_type")
        names = {one.name for one in fields(cls)} - {"further"}
        known = {name: value for name, value in given if name in names}
        rest = tuple(pair for pair in given if pair[0] not in names)
        return cls(**known, **({"further": rest} if rest else {}))  # pyright: ignore[reportCallIssue] - fields of subclasses

    def with_parameters(self, pairs: Iterable[tuple[str, str]]) -> Self:
        """Give the same message with these parameters in place of those of the same name, or behind the others."""
        changes = dict(pairs)
        kept = [(name, changes.pop(name, value)) for name, value in self.pairs()]
        return self.from_pairs([*kept, *changes.items()])

    def to_query(self) -> str:
        """Write it for the query or the fragment of an address."""
        return write_parameters(self.pairs())

    @classmethod
    def from_query(cls, query: str) -> Self:
        """Read what `to_query` wrote; raises `BadMessage`."""
        return cls.from_pairs(read_parameters(query))

    def to_form(self) -> bytes:
        """Write it as the body of a form."""
        return self.to_query().encode()

    @classmethod
    def from_form(cls, body: bytes) -> Self:
        """Read what `to_form` wrote; raises `BadMessage`."""
        return cls.from_pairs(read_form(body))

    def _known(self) -> list[tuple[str, str]]:
        named = [(one.name, "") for one in fields(self) if one.name != "further"]
        return [("grant_type", ""), *named] if self.GRANT else named

    def _further(self) -> Pairs:
        return cast("Pairs", getattr(self, "further", ()))
