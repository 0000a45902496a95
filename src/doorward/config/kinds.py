"""The kinds of value that a setting can have: how each is read from TOML and from text, and how it is printed.

A kind refuses by raising `Unsuitable` and never repairs. What it prints it can read again, but for secrets, which print
as stars. Whole values of secrets are never part of a message.
"""

import re
from collections.abc import Callable
from typing import Generic, Literal, TypeVar, cast
from urllib.parse import urlsplit

from doorward.base.frozen import frozen
from doorward.base.secret import MASK, Secret
from doorward.base.text import domain_key, email_key
from doorward.config.addresses import (
    Address,
    Network,
    Unsuitable,
    read_address,
    read_issuer,
    read_network,
    read_origin,
    read_site_host,
    read_url,
)

T = TypeVar("T")
Choice = TypeVar("Choice", bound=str)

Secrecy = Literal["open", "secret", "password"]

DURATION_MAX = 36500 * 86400
SIZE_MAX = 1 << 40
KEY_DIGITS = 64
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_DURATION = re.compile(r"([0-9]{1,10})([smhd])")
_CLOCK = re.compile(r"([0-9]{1,6}):([0-5][0-9]):([0-5][0-9])")
_SIZE = re.compile(r"([0-9]{1,13}) ?(B|KiB|MiB|GiB)")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_TAKEN_FIELDS = frozenset({"access_token", "token_type"})


def _as_is(text: str) -> object:
    return text


@frozen
class Kind(Generic[T]):
    """One kind of value.

    `parse` takes what a TOML file holds; `from_text` makes that of an environment variable or an option; `show` prints.
    `secrecy` is `secret` where nothing of the value may be shown, `password` where only a part must be hidden.
    """

    name: str
    parse: Callable[[object], T]
    show: Callable[[T], str] = str
    from_text: Callable[[str], object] = _as_is
    secrecy: Secrecy = "open"


def toml_type(value: object) -> str:
    """Name the TOML type of `value`, with its article, for messages."""
    names: dict[type, str] = {str: "a string", bool: "a boolean", int: "an integer", float: "a float"}
    names |= {list: "an array", dict: "a table"}
    return names.get(type(value), "a date or time")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unsuitable(f"must be a string, but is {toml_type(value)}", "Write the value in quotes.")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        found = "an array of other things" if isinstance(value, list) else toml_type(value)
        raise Unsuitable(f"must be an array of strings, but is {found}", 'Write for example ["one", "two"].')
    return tuple(cast("list[str]", value))


def _split_commas(text: str) -> object:
    return [part.strip() for part in text.split(",") if part.strip()]


def _list_of(name: str, read: Callable[[str], T]) -> Kind[tuple[T, ...]]:
    def parse(value: object) -> tuple[T, ...]:
        return tuple(read(item) for item in _texts(value))

    return Kind(
        name=name, parse=parse, show=lambda items: ",".join(str(item) for item in items), from_text=_split_commas
    )


def _text_kind(name: str, read: Callable[[str], T]) -> Kind[T]:
    return Kind(name=name, parse=lambda value: read(_text(value)))


def _or_empty(read: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: read(text) if text else ""


def _no_hidden(text: str) -> str:
    if not text.isprintable():
        raise Unsuitable("holds control or invisible characters", "Write it again by hand instead of pasting it.")
    return text


def _boolean_word(text: str) -> object:
    return {"true": True, "false": False}.get(text.lower(), text)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unsuitable(f"must be true or false, but is {toml_type(value)}", "Write true or false, without quotes.")
    return value


def _integer_word(text: str) -> object:
    return int(text) if _INTEGER.fullmatch(text) else text


def integer(least: int, most: int) -> Kind[int]:
    """Give the kind of integers from `least` to `most`, both included."""

    def parse(value: object) -> int:
        if type(value) is not int:
            raise Unsuitable(f"must be an integer, but is {toml_type(value)}", "Write digits alone, without quotes.")
        if not least <= value <= most:
            raise Unsuitable("is out of range", f"Write an integer from {least} to {most}.")
        return value

    return Kind(name=f"integer from {least} to {most}", parse=parse, from_text=_integer_word)


def read_duration(text: str) -> int:
    """Read `60s`, `10m`, `8h`, `7d`, `hh:mm:ss` or `0` into whole seconds; raises `Unsuitable`."""
    if text == "0":
        return 0
    if match := _DURATION.fullmatch(text):
        seconds = int(match.group(1)) * _UNITS[match.group(2)]
    elif match := _CLOCK.fullmatch(text):
        seconds = int(match.group(1)) * 3600 + int(match.group(2)) * 60 + int(match.group(3))
    else:
        raise Unsuitable("is not a duration", 'Write a number and s, m, h or d, for example "90s", or hh:mm:ss.')
    if seconds > DURATION_MAX:
        raise Unsuitable("is longer than a hundred years", "Write a shorter duration.")
    return seconds


def show_duration(seconds: float) -> str:
    """Print whole seconds in the largest unit that fits without a rest; what is shorter than two minutes in seconds."""
    whole = int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole and whole % size == 0 and whole >= 2 * 60:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def duration(least: str = "1s", most: str = "36500d") -> Kind[float]:
    """Give the kind of durations between two bounds, in seconds; zero is legal when `least` is `0s`."""
    shortest, longest = read_duration(least), read_duration(most)

    def parse(value: object) -> float:
        if type(value) is int and value == 0:
            seconds = 0
        elif isinstance(value, str):
            seconds = read_duration(value)
        else:
            raise Unsuitable(
                f"must be a duration, but is {toml_type(value)}", 'Write it in quotes with its unit: "60s".'
            )
        if not shortest <= seconds <= longest:
            raise Unsuitable("is out of range", f"Write a duration from {least} to {most}.")
        return float(seconds)

    return Kind(name="duration" if least == "1s" else "duration, may be 0s", parse=parse, show=show_duration)


def read_size(text: str) -> int:
    """Read `32KiB` and the like into bytes; raises `Unsuitable`."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise Unsuitable("is not a size", 'Write a number and B, KiB, MiB or GiB, for example "32KiB".')
    return int(match.group(1)) * _SIZES[match.group(2)]


def show_size(size: int) -> str:
    """Print bytes in the largest unit that fits without a rest."""
    unit = next((unit for unit in ("GiB", "MiB", "KiB") if size and size % _SIZES[unit] == 0), "B")
    return f"{size // _SIZES[unit]}{unit}"


def size(least: int, most: int) -> Kind[int]:
    """Give the kind of sizes in bytes from `least` to `most`: `"32KiB"` or an integer."""

    def parse(value: object) -> int:
        if type(value) is not int and not isinstance(value, str):
            raise Unsuitable(f"must be a size, but is {toml_type(value)}", 'Write for example "32KiB", or bytes.')
        found = read_size(value) if isinstance(value, str) else value
        if not least <= found <= most:
            raise Unsuitable("is out of range", f"Write a size from {show_size(least)} to {show_size(most)}.")
        return found

    return Kind(name="size", parse=parse, show=show_size, from_text=_integer_word)


def one_of(*choices: Choice) -> Kind[Choice]:
    """Give the kind of one word out of `choices`."""
    listed = ", ".join(repr(choice).replace("'", '"') for choice in choices)

    def parse(value: object) -> Choice:
        text = _text(value)
        for choice in choices:
            if choice == text:
                return choice
        raise Unsuitable("is none of the words it may be", f"Write one of {listed}.")

    return Kind(name="one of " + ", ".join(f"`{choice}`" if choice else "empty" for choice in choices), parse=parse)


def _hex_key(value: object) -> Secret:
    text = _text(value)
    if text and (len(text) < KEY_DIGITS or not _HEX.fullmatch(text)):
        raise Unsuitable(
            f"must be an even number of at least {KEY_DIGITS} hexadecimal digits",
            "Make one with: openssl rand -hex 32",
        )
    return Secret(text)


def _database_url(value: object) -> str:
    text = _no_hidden(_text(value))
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme == "sqlite" and text.startswith("sqlite:///") and not parts.query and _keeps_data(text):
        return text
    if parts.scheme == "postgresql" and text.startswith("postgresql://") and len(parts.path) > 1:
        return text
    raise Unsuitable(
        "must be the URL of a SQLite file or of a PostgreSQL database",
        "Write sqlite:///doorward.db, sqlite:////absolute/path.db or postgresql://user:password@host/name.",
    )


def _keeps_data(url: str) -> bool:
    path = url.removeprefix("sqlite:///")
    return path not in {"", "/", ":memory:"} and not path.startswith("file:") and "\x00" not in path


def mask_password(url: str) -> str:
    """Print a database URL with stars in place of its password, in the authority or in the query."""
    hidden = re.sub(r"(?s)(?<=://)([^/?#@]*?):(.*)@", rf"\1:{MASK}@", url)
    return re.sub(r"(?i)((?:^|[?&])[^=&]*password=)[^&]*", rf"\g<1>{MASK}", hidden)


def _token_name(text: str) -> str:
    if not _FIELD.fullmatch(text) or text in _TAKEN_FIELDS:
        raise Unsuitable(
            "must be a name of up to 64 letters, digits and underscores, and not access_token or token_type",
            'Write for example "ejento_access_token".',
        )
    return text


def _text_or_texts(value: object) -> tuple[str, ...]:
    several: object = [value] if isinstance(value, str) else value
    return tuple(_upstream(item) for item in _texts(several) if item)


def _upstream(text: str) -> str:
    if text.partition("://")[0].lower() not in {"http", "https"}:
        raise Unsuitable(
            "is not an http or https origin, the address of the application",
            'Write for example "http://127.0.0.1:3000", or "http://app:3000" for a neighbour in the same network.',
        )
    # Between the gateway and its application the network is the operator's own, as between containers of one pod.
    return read_origin(text, plain_anywhere=True)


def _email(text: str) -> str:
    if email_key(text) is None:
        raise Unsuitable("must hold e-mail addresses", 'Write for example ["jane@contoso.com"].')
    return text


def _domain(text: str) -> str:
    if domain_key(text.strip().removeprefix("@")) is None:
        raise Unsuitable("must hold the domains of e-mail addresses", 'Write for example ["contoso.com"].')
    return text


def _user(text: str) -> str:
    provider, _, subject = _no_hidden(text).partition(":")
    if not provider.strip() or not subject:
        raise Unsuitable("must hold users as PROVIDER:NAMEIDENTIFIER", 'Write for example ["github:583231"].')
    return text


STRING = _text_kind("string", _no_hidden)
PATH = _text_kind("path", _no_hidden)
STRINGS = _list_of("list of strings", _no_hidden)
EMAILS = _list_of("list of e-mail addresses", _email)
DOMAINS = _list_of("list of domains", _domain)
USERS = _list_of("list of `PROVIDER:NAMEIDENTIFIER`", _user)
BOOLEAN = Kind(name="boolean", parse=_boolean, show=lambda value: str(value).lower(), from_text=_boolean_word)
ADDRESS: Kind[Address] = _text_kind("address, `host:port`", read_address)
SITE_HOSTS = _list_of("list of hosts", read_site_host)
NETWORKS: Kind[tuple[Network, ...]] = _list_of("list of CIDR blocks", read_network)
ORIGIN = _text_kind("origin, `https://host`", _or_empty(read_origin))
ORIGINS = _list_of("list of origins", read_origin)
UPSTREAMS: Kind[tuple[str, ...]] = Kind(
    name="origin, or list of origins", parse=_text_or_texts, show=",".join, from_text=_split_commas
)
URL = _text_kind("https URL", _or_empty(read_url))
ISSUER = _text_kind("issuer with `{tenantid}`", _or_empty(read_issuer))
TOKEN_NAME = _text_kind("field name", _token_name)
SECRET: Kind[Secret] = Kind(name="secret", parse=lambda value: Secret(_text(value)), secrecy="secret")
HEX_KEY: Kind[Secret] = Kind(name="secret, hexadecimal", parse=_hex_key, secrecy="secret")
DATABASE_URL: Kind[str] = Kind(name="database URL", parse=_database_url, show=mask_password, secrecy="password")
