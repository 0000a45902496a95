"""The kinds of value in the auth tree: how each is read from JSON and from a variable, and written back as JSON.

App Service writes enumerations as words in any case and, in what it shows a running app, as numbers; durations are
.NET's `[d.]hh:mm:ss`. A kind refuses by raising `Unsuitable` and never repairs.
"""

import json
import re
from collections.abc import Callable
from typing import cast

from doorward.base.frozen import frozen
from doorward.config.addresses import Unsuitable, read_url
from doorward.config.kinds import read_duration
from doorward.config.tree_paths import read_excluded_path, read_route, read_target

HOURS_MAX = 876000  # a hundred years
_SPAN = re.compile(r"(?:([0-9]{1,5})\.)?([0-9]{1,6}):([0-5][0-9]):([0-5][0-9])(?:\.[0-9]{1,7})?")
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")  # RFC 9110 section 5.6.2
_PARAMETER = re.compile(r"[A-Za-z0-9_.~-]{1,64}")
_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,3}")
# What we send for ourselves: another value would unbind the answer from the question.
_OURS = frozenset(
    {"client_id", "client_secret", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method"}
)
_RESPONSE_TYPES = frozenset({"code", "id_token", "code id_token", "id_token code"})
_RESPONSE_MODES = frozenset({"form_post", "query"})


def _as_is(value: object) -> object:
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


@frozen
class TreeKind:
    """One kind of value: `parse` reads JSON, `from_text` makes JSON of a variable's text, `write` gives JSON back."""

    name: str
    parse: Callable[[object], object]
    from_text: Callable[[str], object] = str
    write: Callable[[object], object] = _as_is


def json_type(value: object) -> str:
    """Name the JSON type of `value`, with its article, for messages."""
    names: dict[type, str] = {str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return (names | {list: "an array", dict: "an object", type(None): "null"}).get(type(value), "something else")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unsuitable(f"must be a string, but is {json_type(value)}", "Write the value in quotes.")
    if not value.isprintable():
        raise Unsuitable("holds control or invisible characters", "Write it again by hand instead of pasting it.")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Unsuitable(f"must be an array of strings, but is {json_type(value)}", 'Write for example ["one", "two"].')
    items = cast("list[object]", value)
    if wrong := next((item for item in items if not isinstance(item, str)), None):
        raise Unsuitable(f"must be an array of strings, but holds {json_type(wrong)}", "Put each entry in quotes.")
    return tuple(_text(item) for item in items)


def _listed(text: str) -> object:
    """Take a variable with a list: a JSON array, or entries between commas."""
    if text.lstrip().startswith("["):
        try:
            return cast("object", json.loads(text))
        except (ValueError, RecursionError):
            return text
    return [part.strip() for part in text.split(",") if part.strip()]


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unsuitable(f"must be true or false, but is {json_type(value)}", "Write true or false, without quotes.")
    return value


def _boolean_word(text: str) -> object:
    folded = text.strip().lower()
    return True if folded in _TRUE else False if folded in _FALSE else text


def _span(value: object) -> float:
    text = _text(value)
    if match := _SPAN.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        text = f"{days * 86400 + hours * 3600 + minutes * 60 + seconds}s"
    seconds = read_duration(text)
    if seconds < 1:
        raise Unsuitable("is shorter than a second", 'Write for example "08:00:00".')
    return float(seconds)


def write_span(value: object) -> str:
    """Write seconds as `hh:mm:ss`."""
    minutes, seconds = divmod(int(cast("float", value)), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _hours(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unsuitable(f"must be a number of hours, but is {json_type(value)}", "Write for example 72.")
    if not 0 <= value <= HOURS_MAX:
        raise Unsuitable("is out of range", f"Write a number from 0 to {HOURS_MAX}.")
    return float(value) * 3600


def _write_hours(value: object) -> object:
    hours = cast("float", value) / 3600
    return int(hours) if hours.is_integer() else hours


def _number_word(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _header(value: object) -> str:
    text = _text(value)
    if text and not _TOKEN.fullmatch(text):
        raise Unsuitable("is not the name of a header", 'Write for example "X-Original-Host".')
    return text.lower()


def _version(value: object) -> str:
    text = _text(value)
    if text and not _VERSION.fullmatch(text):
        raise Unsuitable("is not a version of the Graph API", 'Write for example "v3.3".')
    return text


def _address(value: object) -> str:
    text = _text(value)
    return read_url(text) if text else ""


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not _PARAMETER.fullmatch(name):
        raise Unsuitable("must hold entries of the form name=value", 'Write for example ["scope=openid profile"].')
    if name in _OURS:
        raise Unsuitable(f"sets {name}, which is ours to send", f"Remove {name} from the list.")
    if name == "response_type" and value not in _RESPONSE_TYPES:
        raise Unsuitable("asks for a response_type that cannot be answered here", "Write code, id_token or both.")
    if name == "response_mode" and value not in _RESPONSE_MODES:
        raise Unsuitable("asks for a response_mode that cannot be answered here", "Write form_post or query.")
    return name, value


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    pairs = tuple(_pair(text) for text in _texts(value))
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Unsuitable(f"names {twice} twice", "Keep one of the entries.")
    return pairs


def _write_pairs(value: object) -> object:
    return ["=".join(pair) for pair in cast("tuple[tuple[str, str], ...]", value)]


def _pairs_or_names(value: object) -> tuple[str, ...]:
    texts = _texts(value)
    _pairs([text for text in texts if "=" in text])
    for text in texts:
        if "=" not in text and (not _PARAMETER.fullmatch(text) or text in _OURS):
            raise Unsuitable("must hold parameters as name=value, or their names", 'Write for example ["login_hint"].')
    return texts


def words(*choices: str) -> TreeKind:
    """Give the kind of one word out of `choices`, in any case of letters, or its number, counted from 0."""
    listed = ", ".join(choices)

    def parse(value: object) -> str:
        if type(value) is int and 0 <= value < len(choices):
            return choices[value]
        text = _text(value) if not isinstance(value, int) else ""
        found = next((choice for choice in choices if choice.lower() == text.lower()), None)
        if found is None:
            raise Unsuitable("is none of the words it may be", f"Write one of {listed}.")
        return found

    def from_text(text: str) -> object:
        return int(text) if re.fullmatch(r"[0-9]", text) else text

    return TreeKind(name=f"one of `{'`, `'.join(choices)}`", parse=parse, from_text=from_text)


def _renamed(parse: Callable[[object], str], name: str, meaning: str) -> Callable[[object], str]:
    return lambda value: meaning if isinstance(value, str) and value.lower() == name.lower() else parse(value)


def _expiration() -> TreeKind:
    kind = words("FixedTime", "IdentityProviderDerived")
    # The page on the file's schema spells it in another way than the API (easy-auth reference 7).
    parse = _renamed(cast("Callable[[object], str]", kind.parse), "IdentityDerived", "IdentityProviderDerived")
    return TreeKind(name=kind.name, parse=parse, from_text=kind.from_text)


def _each(name: str, read: Callable[[str], str]) -> TreeKind:
    return TreeKind(name=name, parse=lambda value: tuple(read(item) for item in _texts(value)), from_text=_listed)


BOOLEAN = TreeKind(name="boolean", parse=_boolean, from_text=_boolean_word)
STRING = TreeKind(name="string", parse=_text)
STRINGS = TreeKind(name="list of strings", parse=_texts, from_text=_listed)
SETTING_NAME = TreeKind(name="name of a variable", parse=_text)
SECRET_NAME = TreeKind(name="name of a secret", parse=_text)
SPAN = TreeKind(name="duration, `hh:mm:ss`", parse=_span, write=write_span)
HOURS = TreeKind(name="number of hours", parse=_hours, from_text=_number_word, write=_write_hours)
HEADER = TreeKind(name="name of a header", parse=_header)
VERSION = TreeKind(name="version, `v3.3`", parse=_version)
URL = TreeKind(name="https URL", parse=_address)
ROUTE = TreeKind(name="path", parse=lambda value: read_route(_text(value)))
PATHS = _each("list of paths", read_excluded_path)
TARGETS = _each("list of URLs", read_target)
PAIRS = TreeKind(name="list of `name=value`", parse=_pairs, from_text=_listed, write=_write_pairs)
PAIRS_OR_NAMES = TreeKind(name="list of `name=value`, or of names", parse=_pairs_or_names, from_text=_listed)
EXPIRATION = _expiration()
ANYTHING = TreeKind(name="anything", parse=lambda value: value)
