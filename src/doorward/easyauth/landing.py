"""The pages that a sign-in or a sign-out ends on when nobody said where to go (easy-auth reference 1)."""

from doorward.identity.visit import Visit
from doorward.inbound.door import Handler, Reply, Route
from doorward.pages import PAGE_HEADERS, render

SIGNED_IN = ("You are signed in", "You can close this window, or go on to the website.", "Go on")
SIGNED_OUT = ("You are signed out", "You can close this window, or go back to the website.", "Go back")


def routes(prefix: str) -> list[Route]:
    """Give the landing pages below `httpSettings.routes.apiPrefix`."""
    pages = {
        f"{prefix}/login/complete": SIGNED_IN,
        f"{prefix}/logout/complete": SIGNED_OUT,
        f"{prefix}/logout/done": SIGNED_OUT,
    }
    return [Route(method="GET", path=path, handler=_page(*words)) for path, words in pages.items()]


def _page(title: str, text: str, label: str) -> Handler:
    async def answer(_visit: Visit, _body: bytes) -> Reply:
        return Reply(200, render("landing.html", title=title, text=text, label=label, address="/"), PAGE_HEADERS)

    return answer
