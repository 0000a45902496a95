"""Requests and replies of the emulator, and the pages and redirects that replies are made of.

Owns nothing that lasts. Every page goes out with the headers of `pages`, and every other answer is JSON that may be
neither cached nor read by a page from elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace

import msgspec

from doorward.base.frozen import frozen
from doorward.pages import page_headers, render
from doorward.protocol.oauth2 import FORM
from doorward.protocol.parameters import Pairs, write_parameters

Headers = tuple[tuple[bytes, bytes], ...]

NO_STORE: Headers = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
GARBAGE = b"<!doctype html><title>Bad gateway</title><h1>502 Bad Gateway</h1>"
"""What a proxy in front of a provider might say in its place."""
_SUBMIT = "document.forms[0].submit()"


@frozen
class Ask:
    """A request: `query` is as it was sent, header names are lower case."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """Give a header by its lower-case name, empty where it is absent or there twice."""
        found = [value for known, value in self.headers if known == name]
        return found[0] if len(found) == 1 else ""

    def cookie(self, name: str) -> str:
        """Give a cookie, empty where it is absent."""
        pairs = (pair.strip().partition("=") for pair in self.header("cookie").split(";"))
        return next((value for known, _, value in pairs if known == name), "")

    @property
    def media_type(self) -> str:
        """Give the media type of the body, in lower case and without parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def is_form(self) -> bool:
        """Say whether the body is a form."""
        return self.media_type == FORM


@frozen
class Reply:
    """An answer, sent after `delay` seconds.

    For the log: `note` says what was decided, in words without secrets, and `told` are the parameters that go back.
    `posts_to` is where a page has the browser post them.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Headers = ()
    delay: float = 0.0
    note: str = ""
    told: Pairs = field(default=(), repr=False)
    posts_to: str = ""

    def telling(self, told: Iterable[tuple[str, str]], note: str = "") -> "Reply":
        """Give the same reply with what the log shows of it."""
        return replace(self, told=tuple(told), note=f"{self.note}; {note}" if self.note and note else self.note or note)

    def with_headers(self, *headers: tuple[bytes, bytes]) -> "Reply":
        """Give the same reply with more headers."""
        return replace(self, headers=(*self.headers, *headers))


class Refused(Exception):
    """The request is refused with `reply`."""

    def __init__(self, reply: Reply) -> None:
        """Refuse with an answer that is ready."""
        super().__init__(reply.note)
        self.reply = reply


def json_reply(value: object, status: int = 200, *, note: str = "") -> Reply:
    """Answer with JSON; `value` may be its bytes."""
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return Reply(status=status, body=body, headers=((b"content-type", b"application/json"), *NO_STORE), note=note)


def form_reply(pairs: Iterable[tuple[str, str]], status: int = 200, *, note: str = "") -> Reply:
    """Answer form-encoded, as OAuth 1.0a and GitHub do."""
    headers = ((b"content-type", f"{FORM}; charset=utf-8".encode()), *NO_STORE)
    return Reply(status=status, body=write_parameters(pairs).encode(), headers=headers, note=note)


def page(template: str, status: int = 200, *, script: str = "", note: str = "", **values: object) -> Reply:
    """Answer with a page. Its forms may lead anywhere: a sign-in ends at the application, by a redirect of the form."""
    body = render(template, script=script, **values)
    return Reply(status=status, body=body, headers=page_headers(script=script, form_action=None), note=note)


def refusal_page(status: int, title: str, advice: str) -> Reply:
    """Answer with a page that says what is wrong; for errors that must not be sent on to an address."""
    return page("emulator_refusal.html", status, title=title, advice=advice, note=f"{title}: {advice}")


def redirect(address: str, *, note: str = "") -> Reply:
    """Send the browser to an address."""
    return Reply(status=302, headers=((b"location", address.encode()), *NO_STORE), note=note)


def posting_page(address: str, fields: Iterable[tuple[str, str]], *, note: str = "") -> Reply:
    """Have the browser post a form to an address, at once or by a button (OAuth 2.0 Form Post Response Mode)."""
    shown = page("emulator_form_post.html", script=_SUBMIT, address=address, fields=list(fields), note=note)
    return replace(shown, posts_to=address)


def refuse_other_pages(ask: Ask) -> None:
    """Refuse a form that another site's page sends; raises `Refused`.

    A browser says where a form comes from, a script need not. The Host is known to be our own by now.
    """
    is_own = ask.header("origin") in ("", f"http://{ask.header('host')}")
    if not is_own or ask.header("sec-fetch-site") not in ("", "same-origin", "none"):
        raise Refused(refusal_page(403, "Not from here", "A form of the emulator is sent from its own pages alone."))


def merged(*parts: Mapping[str, object]) -> dict[str, object]:
    """Lay mappings over one another; what is None takes a member away."""
    whole: dict[str, object] = {}
    for part in parts:
        whole |= part
    return {name: value for name, value in whole.items() if value is not None}
