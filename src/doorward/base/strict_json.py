"""JSON from strangers, read strictly.

Two readers that disagree about one text are an attack: whoever checks the first of two equal names may be followed by
one who believes the second. So a duplicate name, a constant that JSON does not know, a lone surrogate, text that is not
UTF-8, nesting without bound and more values than anybody needs are refused here, before anybody looks at a value (RFC
8259; token-exchange reference 2.6). Used for request bodies, for the header and payload of tokens, and for documents of
providers.
"""

import json
import re
from typing import Never, cast

import msgspec

MAX_DEPTH = 32
MAX_PARTS = 100_000
"""How many arrays, objects and commas a document of a provider or an operator may have; commas count its values."""

FEW_PARTS = 1024
"""How many a request body or a part of a token may have: reading 64 KiB of brackets costs as much as 20 exchanges."""

_INT_DIGITS = 20
_HUGE = 10**_INT_DIGITS
_NUMBER_LENGTH = 40
_SMALL = 2**53  # far below where the two readers could differ
# A string that never ends is one to the end of the text: trying again at its next quotation mark would be quadratic.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


class NotStrictJson(ValueError):
    """The text is not JSON as this module demands it; the argument says why, without quoting the text."""


class DuplicateName(NotStrictJson):
    """One object has two members of the same name."""


def decode(raw: bytes, max_parts: int = MAX_PARTS) -> object:
    """Read one JSON text.

    Integers of more than 20 digits become plus or minus 10**20: no number in our protocols is as large, and a reader
    must not spend its time on a million digits. For the same reason arrays, objects and commas are counted beforehand,
    `max_parts` at most.

    Raises `DuplicateName` for two equal names in one object, `NotStrictJson` for everything else that is refused.
    """
    _refuse_many(raw, max_parts)
    plain = _read_plain(raw)
    return _read_any(raw, _DECODER) if plain is None else plain


def _refuse_many(raw: bytes, max_parts: int) -> None:
    if _parts(raw) > max_parts and _parts(_STRING.sub(b"", raw)) > max_parts:
        raise NotStrictJson("too many values")


def _parts(raw: bytes) -> int:
    return raw.count(b"[") + raw.count(b"{") + raw.count(b",")


def _read_plain(raw: bytes) -> dict[str, object] | None:
    """Read what nearly every text is, an ASCII object of strings, flags and small integers; None means: read it slowly.

    msgspec is several times as fast as `json`, and takes the last of two equal names. Without a backslash in the text
    every quotation mark opens or closes a string, so one name that occurs twice leaves more marks in the text than the
    object has strings.
    """
    if not raw.isascii() or b"\\" in raw:
        return None
    try:
        value: object = _PLAIN.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, object]", value)
    strings = len(members)
    for member in members.values():
        if isinstance(member, str):
            strings += 1
        elif not _is_small(member):
            return None
    return members if raw.count(b'"') == 2 * strings else None


def _is_small(member: object) -> bool:
    return member is None or (isinstance(member, int) and -_SMALL < member < _SMALL)


def _read_any(raw: bytes, decoder: json.JSONDecoder) -> object:
    try:
        text = raw.decode()
        value = cast("object", decoder.decode(text))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise NotStrictJson("not UTF-8 JSON") from error
    except RecursionError as error:
        raise NotStrictJson("nested too deeply") from error
    if text.count("[") + text.count("{") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise NotStrictJson("nested too deeply")
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


def decode_object(raw: bytes, max_parts: int = MAX_PARTS) -> dict[str, object]:
    """Read one JSON object of a token or a provider, whose numbers are bounded: none is longer than 40 characters.

    Raises as `decode` does, and `NotStrictJson` for any other kind of value and for a longer number.
    """
    _refuse_many(raw, max_parts)
    value = _read_plain(raw) or _read_any(raw, _BOUNDED_DECODER)
    if not isinstance(value, dict):
        raise NotStrictJson("not a JSON object")
    return cast("dict[str, object]", value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DuplicateName("a name occurs twice in one object")
    return members


def _bounded_int(digits: str) -> int:
    if len(digits.lstrip("-")) <= _INT_DIGITS:
        return int(digits)
    return -_HUGE if digits.startswith("-") else _HUGE


def _short_int(digits: str) -> int:
    _refuse_long(digits)
    return _bounded_int(digits)


def _short_float(digits: str) -> float:
    _refuse_long(digits)
    return _finite(digits)


def _refuse_long(digits: str) -> None:
    if len(digits) > _NUMBER_LENGTH:
        raise NotStrictJson("a number is too long")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise NotStrictJson("a number is too large")
    return value


def _refuse_constant(name: str) -> Never:
    raise NotStrictJson(f"{name} is not JSON")


def _deeper_than(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    inner = cast("dict[str, object]", value).values() if isinstance(value, dict) else cast("list[object]", value)
    return any(_deeper_than(item, levels - 1) for item in inner)


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotStrictJson("a string holds half a surrogate pair") from error


_PLAIN = msgspec.json.Decoder()
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_bounded_int, parse_float=_finite, parse_constant=_refuse_constant
)
_BOUNDED_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_short_int, parse_float=_short_float, parse_constant=_refuse_constant
)
