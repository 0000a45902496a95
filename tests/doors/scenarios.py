"""The scenario table that every door is held to: what is asked, and what becomes of it.

A row says what a request comes to, in words that hold at every door; how a door says it (a redirect to the provider or
to our sign-in address, 403 in place of a status that its proxy does not know) is the door's own.
"""

from dataclasses import dataclass
from typing import Literal

from doorward.identity.admission import Action
from tests.support.realms import MOZILLA, SITE

Outcome = Literal["as jane", "as nobody", "sign-in", 400, 401, 403, 404]

COOKIE = "<cookie>"
BEARER = "<bearer>"
BAD_BEARER = "Authorization: Bearer aaaa.bbbb.cccc"
EVIL = "Origin: https://evil.example"
OURS = f"Origin: {SITE}"
FORGED = (
    "X-MS-CLIENT-PRINCIPAL: forged",
    "x-ms-client-principal-id: forged",
    "X-Ms-Client-Principal-Name: forged",
    "X-MS-TOKEN-AAD-ID-TOKEN: forged",
)
MIXED = "a forged header, spelled in a mixed way"
UNKNOWN = "a forged token of a provider that is not set up"
# Many servers make one name of these and of those above.
SPELLED = (
    "X_MS_CLIENT_PRINCIPAL: forged",
    "X_MS_CLIENT_PRINCIPAL_NAME: forged",
    "X_MS_CLIENT_PRINCIPAL_ID: forged",
    "X_MS_TOKEN_AAD_ACCESS_TOKEN: forged",
)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One request; `COOKIE` and `BEARER` stand for the headers of somebody who is signed in."""

    says: str
    method: str = "GET"
    path: str = "/"
    lines: tuple[str, ...] = ()
    body: bytes = b""
    comes_to: Outcome


def _row(
    says: str, comes_to: Outcome, *lines: str, method: str = "GET", path: str = "/", body: bytes = b""
) -> Scenario:
    return Scenario(says=says, method=method, path=path, lines=lines, body=body, comes_to=comes_to)


ALWAYS = (
    _row("somebody signed in", "as jane", COOKIE, MOZILLA),
    _row("somebody signed in, by a program", "as jane", COOKIE),
    _row("a bearer", "as jane", BEARER),
    _row("a bearer beside a cookie that is nobody's", "as jane", BEARER, "Cookie: AppServiceAuthSession=nobody"),
    _row("a bad bearer", 401, BAD_BEARER),
    _row("a bad bearer beside a good cookie", 401, BAD_BEARER, COOKIE, MOZILLA),
    _row("a bad bearer on an open path", 401, BAD_BEARER, path="/public/a"),
    _row("a bad session token", 401, "X-ZUMO-AUTH: aaaa.bbbb.cccc", COOKIE),
    _row("an open path", "as nobody", path="/public/a"),
    _row("an open path, exactly", "as nobody", path="/health"),
    _row("an open path, known", "as jane", COOKIE, path="/public/a"),
    _row("an open path with forged headers", "as nobody", *FORGED, path="/public/a"),
    _row("an open path with forged headers, spelled otherwise", "as nobody", *SPELLED, path="/public/a"),
    _row("forged headers", "as jane", *FORGED, COOKIE, MOZILLA),
    _row(UNKNOWN, "as jane", "X-MS-TOKEN-ELSEWHERE-ACCESS-TOKEN: forged", COOKIE, MOZILLA),
    _row(MIXED, "as jane", "X-MS_CLIENT-PRINCIPAL_ID: forged", COOKIE, MOZILLA),
    _row("forged headers, spelled otherwise", "as jane", *SPELLED, COOKIE, MOZILLA),
    _row("forged headers behind a bearer", "as jane", BEARER, *FORGED),
    _row("a POST of our own page", "as jane", COOKIE, MOZILLA, OURS, method="POST", body=b"a body"),
    _row("a PUT of a program", "as jane", COOKIE, method="PUT", body=b"a body"),
    _row("a POST by bearer, from anywhere", "as jane", BEARER, MOZILLA, EVIL, method="POST", body=b"x"),
    _row("a POST of another site", 403, COOKIE, MOZILLA, EVIL, method="POST", body=b"x"),
    _row("a POST of nobody's page", 403, COOKIE, MOZILLA, "Origin: null", method="POST", body=b"x"),
    _row("a DELETE of another site", 403, COOKIE, MOZILLA, EVIL, method="DELETE"),
    _row("a link on another site", "as jane", COOKIE, MOZILLA, "Referer: https://evil.example/"),
    _row("a path of dots and slashes, known", "as jane", COOKIE, path="/a//b/;c?d=%2f&e=/../"),
    _row("a path with an encoded slash, known", "as jane", COOKIE, path="/a%2Fb"),
    _row("another's cookies beside ours", "as jane", COOKIE, "X-Other: 1", path="/cookies"),
)

REDIRECTING = (
    _row("nobody, in a browser", "sign-in", MOZILLA),
    _row("nobody, in a browser, somewhere", "sign-in", MOZILLA, path="/a/b?c=d&e"),
    _row("nobody, in a browser, HEAD", "sign-in", MOZILLA, method="HEAD"),
    _row("a cookie that is nobody's", "sign-in", "Cookie: AppServiceAuthSession=nobody", MOZILLA),
    _row("nobody, by a program", 401),
    _row("nobody, posting", 401, MOZILLA, OURS, method="POST", body=b"x"),
    _row("dots out of an open path", "sign-in", MOZILLA, path="/public/../secret"),
    _row("encoded dots out of an open path", "sign-in", MOZILLA, path="/public/%2e%2e/secret"),
    _row("an encoded slash out of an open path", "sign-in", MOZILLA, path="/public/..%2Fsecret"),
    _row("a doubled slash below an open path", "sign-in", MOZILLA, path="/public//secret"),
    _row("a parameter in an open path", "sign-in", MOZILLA, path="/public;/secret"),
    _row("dots twice encoded", "sign-in", MOZILLA, path="/public/%252e%252e/secret"),
    _row("an open path by another name", "sign-in", MOZILLA, path="/PUBLIC/a"),
    _row("forged headers of nobody", 401, *FORGED),
    _row("a description of another request", "sign-in", MOZILLA, "X-Original-URL: /public/a", "X-Original-Method: GET"),
)

OTHERWISE: dict[Action, tuple[Scenario, ...]] = {
    "RedirectToLoginPage": REDIRECTING,
    "AllowAnonymous": (
        _row("nobody", "as nobody", MOZILLA),
        _row("nobody, posting", "as nobody", MOZILLA, method="POST", body=b"a body"),
        _row("nobody, with forged headers", "as nobody", *FORGED),
        _row("a cookie that is nobody's", "as nobody", "Cookie: AppServiceAuthSession=nobody", MOZILLA),
        _row("dots out of an open path", "as nobody", path="/public/../secret"),
    ),
    "Return401": (
        _row("nobody", 401, MOZILLA),
        _row("nobody, by a program", 401),
        _row("dots out of an open path", 401, path="/public/../secret"),
    ),
    "Return403": (
        _row("nobody", 403, MOZILLA),
        _row("dots out of an open path", 403, path="/public/../secret"),
    ),
    "Return404": (
        _row("nobody", 404, MOZILLA),
        _row("dots out of an open path", 404, path="/public/../secret"),
    ),
}  # fmt: skip


def scenarios(action: Action) -> tuple[Scenario, ...]:
    """Give the rows for one `unauthenticatedClientAction`."""
    return (*ALWAYS, *OTHERWISE[action])
