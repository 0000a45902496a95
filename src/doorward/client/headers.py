"""The headers of a request, whatever an application holds of it: an ASGI scope, a WSGI environ, a framework's request.

No framework is imported: what a thing is shows in what it has. Every value of a name is given, since two of one name
are an attack that a reader of only the first would not see.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias, cast

from doorward.client.refusals import MalformedPrincipal

Values: TypeAlias = Callable[[str], list[str]]
"""Gives all values of a header, by its name in lower case, as text."""

_MANY = ("getlist", "get_all", "getall", "get_list")
"""How Starlette and werkzeug, Streamlit and tornado, multidict, and others give all values of one name."""


def headers_of(request: object) -> Values:
    """Give what reads the headers of a request.

    Raises `TypeError` for what is no request, `MalformedPrincipal` where headers pose as something else.
    """
    if isinstance(request, Mapping):
        return _of_mapping(cast("Mapping[object, object]", request))
    # Django's and Starlette's requests have a scope under ASGI; Flask's, and Django's under WSGI, an environ.
    for name, read in (("scope", _of_scope), ("environ", _of_environ), ("META", _of_environ)):
        inner = cast("object", getattr(request, name, None))
        if isinstance(inner, Mapping):
            return read(cast("Mapping[object, object]", inner))
    headers = cast("object", getattr(request, "headers", request))
    if isinstance(headers, str | bytes) or not isinstance(headers, Iterable):
        raise TypeError(f"{type(request).__name__} is neither a request nor the headers of one")
    return _of_headers(cast("Iterable[object]", headers))


def _of_mapping(given: "Mapping[object, object]") -> Values:
    """Read a scope, an environ, or headers by name.

    Headers come from a client, who may call one `REQUEST_METHOD` or `HTTP_X_MS_CLIENT_PRINCIPAL`, and no gateway would
    take that away. So only what no header can hold makes an environ or a scope: a value that is no text.
    """
    if isinstance(given.get("type"), str) and not isinstance(given.get("headers"), str | bytes | None):
        return _of_scope(given)
    if "REQUEST_METHOD" in given:
        if isinstance(given.get("wsgi.version"), tuple):
            return _of_environ(given)
        raise MalformedPrincipal("neither a WSGI environ, for want of wsgi.version, nor headers")
    return _of_headers(given)


def _of_scope(scope: "Mapping[object, object]") -> Values:
    return _of_pairs(cast("Iterable[tuple[object, object]]", scope.get("headers") or ()))


def _of_pairs(pairs: "Iterable[tuple[object, object]]") -> Values:
    known = [(_text(name).lower(), value) for name, value in pairs]
    return lambda wanted: [_text(value) for name, value in known if name == wanted]


def _of_environ(environ: "Mapping[object, object]") -> Values:
    """Read an environ; servers join what came twice with a comma, which no value of ours but a name may hold."""

    def values(wanted: str) -> list[str]:
        value = environ.get(f"HTTP_{wanted.upper().replace('-', '_')}")
        return [] if value is None else [_text(value)]

    return values


def _of_headers(headers: "Iterable[object]") -> Values:
    """Read headers by name, or as pairs."""
    many = next((method for name in _MANY if callable(method := getattr(headers, name, None))), None)
    if many is not None:
        return lambda wanted: [_text(value) for value in cast("Iterable[object]", many(wanted) or ())]
    if isinstance(headers, Mapping):
        return _of_pairs(_flat(cast("Mapping[object, object]", headers)))
    return _of_pairs(cast("Iterable[tuple[object, object]]", headers))


def _flat(headers: "Mapping[object, object]") -> "Iterator[tuple[object, object]]":
    for name, value in headers.items():
        if isinstance(value, list | tuple):
            yield from ((name, one) for one in cast("Iterable[object]", value))
        else:
            yield name, value


def _text(value: object) -> str:
    """Give a value as text: names are UTF-8 on the wire, which servers hand on as bytes or as Latin-1."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")
    text = str(value)
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
