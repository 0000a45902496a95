"""Form-encoded parameters: the way in which OAuth and OpenID Connect speak in addresses and in bodies of forms.

`application/x-www-form-urlencoded` in UTF-8 (RFC 6749 appendix B), read strictly: a parameter that is there twice is
refused whichever it is, since whoever checks the first may be followed by one who believes the second (RFC 6749
section 3.1). So are bad escapes, text that is not UTF-8, and more parameters than anybody needs.
"""

import re
from collections.abc import Iterable
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode

Pairs: TypeAlias = tuple[tuple[str, str], ...]

MAX_PARAMETERS = 200
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class BadMessage(ValueError):
    """A message is not what it should be; the text says what in words and quotes no value of it.

    `error` is what OAuth calls it (RFC 6749 sections 4.1.2.1 and 5.2).
    """

    def __init__(self, message: str, error: str = "invalid_request") -> None:
        """Refuse in the words of `message`."""
        super().__init__(message)
        self.error = error


def write_parameters(pairs: Iterable[tuple[str, str]]) -> str:
    """Write parameters in their order: `a=1&b=2+3`."""
    return urlencode(list(pairs))


def read_parameters(text: str) -> Pairs:
    """Read parameters in their order; raises `BadMessage` when one is there twice or the text is malformed."""
    if _BAD_ESCAPE.search(text):
        raise BadMessage("a parameter holds a bad escape")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError as error:
        raise BadMessage("a parameter is not UTF-8") from error
    except ValueError as error:
        raise BadMessage("too many parameters") from error
    refuse_repeated(pairs)
    return tuple(pairs)


def read_form(body: bytes) -> Pairs:
    """Read the parameters of a form's body; raises as `read_parameters` does."""
    try:
        return read_parameters(body.decode("ascii"))
    except UnicodeDecodeError as error:
        raise BadMessage("a form is ASCII with escapes") from error


def refuse_repeated(pairs: Iterable[tuple[str, str]]) -> None:
    """Raise `BadMessage` when a name occurs twice."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise BadMessage("a parameter is there more than once")
        seen.add(name)


def with_parameters(address: str, pairs: Iterable[tuple[str, str]], mark: str = "?") -> str:
    """Add parameters to an address, behind those that it has; `mark` is `?` or, for the fragment, `#`.

    An address that has a fragment is cut there: none can stand in a redirect URI (RFC 6749 section 3.1.2).
    """
    written = write_parameters(pairs)
    base = address.partition("#")[0]
    if not written:
        return base
    return f"{base}{'&' if mark == '?' and '?' in base else mark}{written}"
