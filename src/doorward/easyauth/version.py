"""`/.auth/version`: which program answers below `/.auth` (easy-auth reference 1); anybody may ask."""

import msgspec

from doorward import __version__
from doorward.easyauth.me import JSON_HEADERS
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply, Route

_REPLY = Reply(200, msgspec.json.encode({"version": __version__}), JSON_HEADERS)


def routes(prefix: str) -> list[Route]:
    """Give the route below `httpSettings.routes.apiPrefix`."""
    return [Route(method="GET", path=f"{prefix}/version", handler=_answer)]


async def _answer(_visit: Visit, _body: bytes) -> Reply:
    return _REPLY
