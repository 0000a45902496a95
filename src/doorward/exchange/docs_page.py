"""The documentation page of the token service: reads the description beside it and can try a call.

One page without any asset from elsewhere; its script and style are named in the Content-Security-Policy by their
digest, so nothing else can run in it. What is typed into it stays in the browser and goes to this service alone.
"""

import base64
import hashlib
from importlib import resources

from doorward.identity.visit import Visit
from doorward.inbound.door import Reply


class DocsPage:
    """The handler of `/auth-service/docs`."""

    def __init__(self) -> None:
        """Put the page together from the files beside this module."""
        script, style = _asset("docs.js"), _asset("docs.css")
        page = _asset("docs.html").replace("/*style*/", style).replace("/*script*/", script)
        policy = (
            f"default-src 'none'; connect-src 'self'; script-src {_digest(script)}; style-src {_digest(style)}; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self._reply = Reply(
            200,
            page.encode(),
            (
                (b"content-type", b"text/html; charset=utf-8"),
                (b"content-security-policy", policy.encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"referrer-policy", b"no-referrer"),
                (b"cache-control", b"no-cache"),
            ),
        )

    async def answer(self, _visit: Visit, _body: bytes) -> Reply:
        """Give the page."""
        return self._reply


def _asset(name: str) -> str:
    return resources.files("doorward.exchange").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
