"""`EasyAuth` around a WSGI application: the gateway in the application's own process (interface, section 8; PEP 3333).

The house lives in a thread with an event loop of its own, opened with the first request of each process. A request of
somebody who is known is let in to the application in the server's own thread; only what has to be looked up, or is
answered here, is asked of the house. Bodies are never read here but for our own addresses, within their limits, and
then in the server's thread, which owns the connection.
"""

import logging
from asyncio import Future as LoopFuture
from collections.abc import Callable, Iterable
from http import HTTPStatus
from queue import SimpleQueue
from typing import Any, TypeAlias, final

from doorward.base.errors import DoorwardError
from doorward.base.refusals import PAYLOAD_TOO_LARGE
from doorward.embedded import DEFAULT_CONFIG, Config, HouseThread, Running, read_settings
from doorward.gateway.fields import Field
from doorward.gateway.inside import REQUEST_ID, Inside, judged_path
from doorward.identity.admission import Allow
from doorward.identity.visit import Visit
from doorward.inbound.door import ClientGone, Reply

__all__ = ["EasyAuth"]

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
Wsgi: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]
_Order: TypeAlias = "tuple[int, LoopFuture[bytes]] | None"

_CLIENT = "HTTP_"
_CONTENT = {"CONTENT_TYPE": b"content-type", "CONTENT_LENGTH": b"content-length"}
_SENT = ("RAW_URI", "REQUEST_URI")  # gunicorn and werkzeug; uWSGI, mod_wsgi and others
_OF_CONNECTION = frozenset({b"connection"})  # PEP 3333 leaves it to the server
_ID = "X-Request-ID"

_log = logging.getLogger("doorward.embedded")


@final
class EasyAuth:
    """The WSGI application that lets in to `app` who may pass.

    `config` is the settings file of `doorward serve`, None for its defaults, or settings made elsewhere; its rules hold
    here, too. Raises `SettingsRejected` when the settings are wrong.
    """

    def __init__(self, app: Wsgi, config: Config = DEFAULT_CONFIG) -> None:
        """Read the settings; nothing is opened yet, since a server may fork after it has loaded the application."""
        self._app = app
        self._thread = HouseThread(read_settings(config))

    def open(self) -> None:
        """Open the house now, in place of with the first request; raises `DoorwardError` where it cannot be."""
        self._thread.open()

    def close(self) -> None:
        """Close the house; at the end of the process that happens by itself."""
        self._thread.close()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or have the application answer it."""
        try:
            running = self._thread.open()
        except DoorwardError as error:
            _log.error("embedded.not_open", extra={"facts": {"code": error.code, **error.facts}})
            return _refuse(HTTPStatus.SERVICE_UNAVAILABLE, start_response)
        inside = running.inside
        visit = _visit(inside, environ)
        answered = inside.pass_now(visit) or _ask(running, visit, environ)
        if answered is None:
            return _refuse(HTTPStatus.BAD_REQUEST, start_response)
        if isinstance(answered, Allow):
            return self._app(_environ_for_app(inside, environ, visit, answered), _naming(start_response, visit))
        return _reply(visit, answered, start_response)


def _ask(running: Running, visit: Visit, environ: Environ) -> Allow | Reply | None:
    """Ask the house, and meanwhile read for it what it wants of the body; None where the client has gone."""
    orders: SimpleQueue[_Order] = SimpleQueue()

    async def read(limit: int) -> bytes:
        wanted: LoopFuture[bytes] = running.loop.create_future()
        orders.put((limit, wanted))
        return await wanted

    asked = running.ask(visit, read)
    asked.add_done_callback(lambda _: orders.put(None))
    while (order := orders.get()) is not None:
        limit, wanted = order
        running.loop.call_soon_threadsafe(_settle, wanted, *_read(environ, limit))
    try:
        return asked.result()
    except ClientGone:
        return None


def _settle(wanted: "LoopFuture[bytes]", body: bytes, failure: Exception | None) -> None:
    if wanted.done():
        return
    if failure is None:
        wanted.set_result(body)
    else:
        wanted.set_exception(failure)


def _read(environ: Environ, limit: int) -> tuple[bytes, Exception | None]:
    """Read the whole body, or say why not: too long, or its end never came."""
    announced = environ.get("CONTENT_LENGTH") or ""
    if not announced and not environ.get("wsgi.input_terminated"):
        return b"", None  # without a length nobody knows where it ends
    if announced and (not announced.isdecimal() or int(announced) > limit):
        return b"", DoorwardError(PAYLOAD_TOO_LARGE, limit=limit)
    try:
        body = _read_so_much(environ["wsgi.input"].read, int(announced) if announced else limit + 1)
    except (OSError, ValueError):
        return b"", ClientGone()
    if announced:
        return (body, None) if len(body) == int(announced) else (b"", ClientGone())
    return (body, None) if len(body) <= limit else (b"", DoorwardError(PAYLOAD_TOO_LARGE, limit=limit))


def _read_so_much(read: Callable[[int], bytes], size: int) -> bytes:
    pieces: list[bytes] = []
    while size > 0 and (piece := read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


# --- what the server says, in our words; and back --------------------------------------------------------------------


def _visit(inside: Inside, environ: Environ) -> Visit:
    fields = [(_field_name(name), _bytes(value)) for name, value in environ.items() if name.startswith(_CLIENT)]
    fields += [(field, _bytes(value)) for name, field in _CONTENT.items() if (value := environ.get(name))]
    sent = next((environ[name] for name in _SENT if name in environ), None)
    return inside.site.door.trust.visit(
        method=environ["REQUEST_METHOD"],
        path=judged_path(
            _bytes(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")),
            None if sent is None else _bytes(sent),
        ),
        query=environ.get("QUERY_STRING", ""),
        raw_headers=tuple(fields),
        peer=environ.get("REMOTE_ADDR", ""),
        scheme="https" if environ.get("wsgi.url_scheme") == "https" else "http",
    )


def _environ_for_app(inside: Inside, environ: Environ, visit: Visit, allow: Allow) -> Environ:
    """Give the environ as the application is to see it: what trusted proxies say of the client stands in it, too.

    Names that differ in `-` and `_` are one name here, so nothing of what was sent stays under a name of ours.
    """
    seen = {name: value for name, value in environ.items() if not name.startswith(_CLIENT)}
    for name, value in inside.fields(visit, allow):
        if name not in _CONTENT.values():
            seen[_variable(name)] = value.decode("latin-1")
    if visit.peer_is_trusted:
        seen["wsgi.url_scheme"] = visit.scheme
        if not visit.address_is_proxy:
            seen["REMOTE_ADDR"] = visit.address
            seen.pop("REMOTE_PORT", None)
    return seen


def _naming(start_response: StartResponse, visit: Visit) -> StartResponse:
    """Give every answer of the application the id of its request."""

    def start_named(status: str, headers: list[tuple[str, str]], *failure: Any) -> Any:
        named = [(name, value) for name, value in headers if name.lower() != REQUEST_ID.decode()]
        return start_response(status, [*named, (_ID, visit.request_id)], *failure)

    return start_named


def _reply(visit: Visit, reply: Reply, start_response: StartResponse) -> Iterable[bytes]:
    """Answer in place of the application."""
    start_response(
        _status_line(reply.status), [_pair(field) for field in reply.headers if field[0] not in _OF_CONNECTION]
    )
    return [] if visit.method == "HEAD" or not reply.body else [reply.body]


def _refuse(status: HTTPStatus, start_response: StartResponse) -> Iterable[bytes]:
    """Refuse in the plainest words, where there is no house to ask or nobody to tell."""
    headers = [("Content-Type", "text/plain"), ("Cache-Control", "no-store"), ("Retry-After", "5")]
    start_response(_status_line(status), headers)
    return [status.phrase.encode()]


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _pair(field: Field) -> tuple[str, str]:
    return field[0].decode("latin-1"), field[1].decode("latin-1")


def _bytes(text: str) -> bytes:
    """Give the bytes that a string of an environ stands for (PEP 3333); what is no such string stands for no path."""
    return text.encode("latin-1", "replace")


def _field_name(variable: str) -> bytes:
    return _bytes(variable.removeprefix(_CLIENT).replace("_", "-").lower())


def _variable(name: bytes) -> str:
    return _CLIENT + name.decode("latin-1").upper().replace("-", "_")
