"""Applications in servers of other people, each in a thread: uvicorn for ASGI, wsgiref's server with threads for WSGI.

The applications show what they got, as `tests.support.realms.show` does.
"""

import json
import logging
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import flask
import uvicorn
from werkzeug.serving import WSGIRequestHandler as WerkzeugRequestHandler
from werkzeug.serving import make_server

from doorward.inbound.door import Asgi, Receive, Scope, Send
from doorward.inbound.listen import bind

for _name in ("websockets", "uvicorn"):
    logging.getLogger(_name).setLevel("INFO")  # at DEBUG they print whole requests, cookies and all

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


async def read_all(receive: Receive) -> bytes:
    """Read the body of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def showing_asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """Show what came; it speaks the lifespan protocol, and refuses nothing."""
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    body = await read_all(receive)
    got = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
    path = scope["raw_path"].decode("latin-1")
    shown = {"method": scope["method"], "path": path, "query": scope["query_string"].decode("latin-1"),
             "headers": got, "body": body.decode(), "scheme": scope["scheme"], "client": scope["client"]}  # fmt: skip
    status = 401 if scope["path"] == "/401" else 200
    headers = [(b"content-type", b"application/json"), (b"X-Request-Id", b"the application's own")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(shown).encode()})


async def live(receive: Receive, send: Send) -> None:
    """Speak the lifespan protocol to its end."""
    assert (await receive())["type"] == "lifespan.startup"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    await send({"type": "lifespan.shutdown.complete"})


def showing_wsgi(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Show what came."""
    got = [
        (name.removeprefix("HTTP_").replace("_", "-").lower(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}
    ]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    path = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
    shown = {"method": environ["REQUEST_METHOD"], "path": path, "query": environ.get("QUERY_STRING", ""),
             "headers": got, "body": body.decode(), "scheme": environ["wsgi.url_scheme"],
             "client": [environ["REMOTE_ADDR"], 0]}  # fmt: skip
    status = "401 Unauthorized" if environ["PATH_INFO"] == "/401" else "200 OK"
    start_response(status, [("Content-Type", "application/json"), ("X-Request-Id", "the application's own")])
    return [json.dumps(shown).encode()]


@contextmanager
def uvicorn_serving(app: Asgi, **how: Any) -> Generator[int]:
    """Serve an ASGI application on a free port, which is given, until the `with` statement ends."""
    listening = bind("127.0.0.1:0")
    usual: dict[str, Any] = {"lifespan": "on", "log_config": None, "proxy_headers": False, "access_log": False}
    server = uvicorn.Server(uvicorn.Config(app, **{**usual, **how}))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def wsgi_serving(app: Any, **more: Any) -> Generator[int]:
    """Serve a WSGI application, a thread for each connection; gives the port. `more` is added to each environ."""
    server = _Server(("127.0.0.1", 0), _Quiet)
    server.base_environ = {**server.base_environ, **more}
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)


def flask_site() -> Wsgi:
    """Give a site of Flask that shows what came."""
    site = flask.Flask(__name__)
    methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]

    def show(path: str) -> flask.Response:
        request = flask.request
        got = [(name.lower(), value) for name, value in request.headers]
        sent = request.environ["RAW_URI"].partition("?")[0]
        shown = {"method": request.method, "path": sent, "query": request.query_string.decode(), "headers": got,
                 "body": request.get_data(as_text=True), "scheme": request.scheme,
                 "client": [request.remote_addr, 0], "routed": path}  # fmt: skip
        return flask.Response(json.dumps(shown), content_type="application/json")

    site.url_map.merge_slashes = False
    site.add_url_rule("/", "root", show, methods=methods, defaults={"path": ""})
    site.add_url_rule("/<path:path>", "show", show, methods=methods)
    return site.wsgi_app


class _Unlogged(WerkzeugRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@contextmanager
def werkzeug_serving(app: Any) -> Generator[int]:
    """Serve a WSGI application as Flask's own server does, a thread for each request; gives the port."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Unlogged)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)
