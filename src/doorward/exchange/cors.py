"""Cross-origin calls by browser applications: exact origins from the settings, nobody by default (Fetch standard).

The tokens are in headers and bodies, never in cookies, so no answer allows credentials.
"""

from collections.abc import Iterable

from doorward.base.errors import DoorwardError
from doorward.identity.visit import Visit
from doorward.inbound.door import Handler, Refuse, Reply, Route

MAX_AGE = b"600"
_ALLOWED_HEADERS = b"Authorization, Content-Type, Ocp-Apim-Subscription-Key"
_EXPOSED_HEADERS = b"X-Request-ID, Retry-After, WWW-Authenticate"
_VARY = (b"vary", b"Origin")


class Cors:
    """Lets the listed origins read answers; without any it changes nothing."""

    def __init__(self, origins: Iterable[str]) -> None:
        """Allow exactly these origins."""
        self._origins = frozenset(origin.encode() for origin in origins)

    def routes(self, routes: Iterable[Route]) -> list[Route]:
        """Give the routes with answers that listed origins may read, and with a preflight for each path."""
        plain = list(routes)
        if not self._origins:
            return plain
        methods: dict[str, list[str]] = {}
        for route in plain:
            methods.setdefault(route.path, []).append(route.method)
        readable = [
            Route(method=r.method, path=r.path, handler=self._readable(r.handler), max_body=r.max_body) for r in plain
        ]
        return readable + [
            Route(method="OPTIONS", path=path, handler=self._preflight(", ".join(allowed).encode()))
            for path, allowed in methods.items()
        ]

    def envelope(self, refuse: Refuse) -> Refuse:
        """Let listed origins read refusals as well."""
        if not self._origins:
            return refuse

        def readable(visit: Visit, error: DoorwardError) -> Reply:
            return self._marked(visit, refuse(visit, error))

        return readable

    def _readable(self, handler: Handler) -> Handler:
        async def answered(visit: Visit, body: bytes) -> Reply:
            return self._marked(visit, await handler(visit, body))

        return answered

    def _preflight(self, methods: bytes) -> Handler:
        async def answered(visit: Visit, _body: bytes) -> Reply:
            if visit.header(b"origin") not in self._origins:
                return Reply(204, b"", (_VARY,))
            allowed = (
                (b"access-control-allow-methods", methods),
                (b"access-control-allow-headers", _ALLOWED_HEADERS),
                (b"access-control-max-age", MAX_AGE),
            )
            return self._marked(visit, Reply(204, b"", allowed))

        return answered

    def _marked(self, visit: Visit, reply: Reply) -> Reply:
        origin = visit.header(b"origin")
        if origin is None or origin not in self._origins:
            return Reply(reply.status, reply.body, (*reply.headers, _VARY))
        allowed = (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED_HEADERS),
            _VARY,
        )
        return Reply(reply.status, reply.body, (*reply.headers, *allowed))
