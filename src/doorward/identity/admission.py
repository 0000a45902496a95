"""May this request pass: pure, from the facts of a request and the credential that was found in it.

Easy-auth reference section 10 and 8.6, interface sections 5 and 7. Every door asks `decide` and writes what it says;
each decision names the rule that made it. What is known beforehand is worked out once, with the rules, since `decide`
is asked for every request.
"""

import re
from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import Literal, TypeAlias, final

from doorward.base.errors import ErrorRow
from doorward.base.frozen import frozen
from doorward.base.refusals import NOT_FOUND
from doorward.base.refusals_easyauth import SIGN_IN_REQUIRED
from doorward.base.refusals_gateway import ACCESS_FORBIDDEN, CROSS_SITE_REQUEST, MALFORMED_ADDRESS
from doorward.identity.paths import OpenPaths, has_control
from doorward.identity.principal import Principal
from doorward.identity.visit import Visit

Action = Literal["RedirectToLoginPage", "AllowAnonymous", "Return401", "Return403", "Return404"]


class Via(Enum):
    """How a caller was recognised."""

    SESSION_TOKEN = "X-ZUMO-AUTH"
    BEARER = "provider bearer"
    PLATFORM_TOKEN = "platform token"
    COOKIE = "session cookie"


@final
@frozen
class Allow:
    """Forward, as `principal`, or without identity where there is none. `rule` names the rule that decided."""

    principal: Principal | None
    rule: str


@final
@frozen(kw_only=False)
class Anonymous:
    """No credential of ours came with the request, or a cookie that says nothing (any more).

    `brings_foreign` tells of a bearer that is somebody else's: its sender is a program, and follows no redirect to a
    sign-in.
    """

    brings_foreign: bool = False


@final
@frozen
class Recognised:
    """A good credential; `allow` is the decision that it comes to, made once for all requests of its bearer."""

    via: Via
    principal: Principal
    allow: Allow = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the decision."""
        object.__setattr__(self, "allow", Allow(principal=self.principal, rule=self.via.value))


@final
@frozen
class Bad:
    """A credential that is present and does not pass: 401 or 403 by `row`, never a fallback (interface section 5)."""

    row: ErrorRow
    facts: Mapping[str, object]


Credential: TypeAlias = Anonymous | Recognised | Bad


@final
@frozen
class Challenge:
    """Ask for a sign-in: by a redirect (`redirect`), or by 401 with the challenge header.

    `provider` is the alias to go straight to; None is the page to choose one.
    """

    redirect: bool
    provider: str | None
    row: ErrorRow
    rule: str


@final
@frozen
class Deny:
    """Refuse, with the status of `row`."""

    row: ErrorRow
    rule: str
    facts: Mapping[str, object]


Decision: TypeAlias = Allow | Challenge | Deny


@frozen
class AdmissionRules:
    """What the auth tree and the settings say about requests.

    `provider` is the alias that RedirectToLoginPage goes straight to, None for the page to choose; `providers` counts
    those configured. `csrf_sites` are the entries of allowedExternalRedirectUrls beside the site itself.
    """

    enabled: bool
    action: Action
    provider: str | None
    providers: int
    excluded_paths: tuple[str, ...] = ()
    warmup_path: str | None = None
    csrf_sites: tuple[str, ...] = ()
    scripts_get_401: bool = False
    open_paths: OpenPaths = field(init=False, repr=False, compare=False)
    csrf_origins: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out what the lists mean."""
        object.__setattr__(self, "open_paths", OpenPaths.of(self.excluded_paths))
        found = (_ORIGIN.match(entry) for entry in self.csrf_sites)
        object.__setattr__(self, "csrf_origins", frozenset(origin[1].lower() for origin in found if origin))


AUTH_OFF = Allow(principal=None, rule="authentication is off (platform.enabled)")
MALFORMED = Deny(row=MALFORMED_ADDRESS, rule="control character in the path", facts={})
CROSS_SITE = Deny(row=CROSS_SITE_REQUEST, rule="cross-site request with the session cookie", facts={})
WARMED_UP = Allow(principal=None, rule="warm-up path (WEBSITE_WARMUP_PATH)")
EXCLUDED = Allow(principal=None, rule="excluded path (globalValidation.excludedPaths)")
LET_IN = Allow(principal=None, rule="unauthenticatedClientAction AllowAnonymous")
_FORBIDDEN = Deny(row=ACCESS_FORBIDDEN, rule="unauthenticatedClientAction Return403", facts={})
# The row of every other 404: what is hidden looks as if it were not there.
_HIDDEN = Deny(row=NOT_FOUND, rule="unauthenticatedClientAction Return404", facts={})
FOREIGN = Challenge(
    redirect=False, provider=None, row=SIGN_IN_REQUIRED, rule="a foreign bearer (easyauth.foreign_bearers)"
)
BAD_CREDENTIAL = "a credential that does not pass"

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ORIGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#@\\]+)(?:[/?#]|\Z)")
_BROWSER = b"Mozilla"


def decide(rules: AdmissionRules, visit: Visit, site: str, credential: Credential) -> Decision:
    """Say whether a request for the application may pass (easy-auth reference 10.1).

    `site` is the origin under which the visit is served. In this order: authentication is off; a control character in
    the path; a bad credential; a good one, unless a browser sends it from another site; an open path; the
    unauthenticated action.
    """
    if not rules.enabled:
        return AUTH_OFF
    if has_control(visit.path):
        return MALFORMED
    match credential:
        case Recognised():
            crossed = credential.via is Via.COOKIE and is_cross_site(rules, visit, site)
            return CROSS_SITE if crossed else credential.allow
        case Bad():
            return Deny(row=credential.row, rule=BAD_CREDENTIAL, facts=credential.facts)
        case Anonymous():
            decision = _decide_anonymous(rules, visit)
            return FOREIGN if credential.brings_foreign and not isinstance(decision, Allow) else decision


def _decide_anonymous(rules: AdmissionRules, visit: Visit) -> Decision:
    if rules.warmup_path is not None and visit.path == rules.warmup_path:
        return WARMED_UP
    if rules.open_paths.covers(visit.path):
        return EXCLUDED
    match rules.action:
        case "AllowAnonymous":
            return LET_IN
        case "Return403":
            return _FORBIDDEN
        case "Return404":
            return _HIDDEN
        case "Return401":
            return _ask(rules, "unauthenticatedClientAction Return401")
        case "RedirectToLoginPage":
            return _ask_browser(rules, visit)


def _ask(rules: AdmissionRules, rule: str, *, redirect: bool = False) -> Challenge:
    return Challenge(redirect=redirect, provider=rules.provider, row=SIGN_IN_REQUIRED, rule=rule)


def _ask_browser(rules: AdmissionRules, visit: Visit) -> Challenge:
    """Send browsers to the sign-in, and refuse everybody else (easy-auth reference 10.1, the User-Agent rule)."""
    action = "unauthenticatedClientAction RedirectToLoginPage"
    if not rules.providers:
        return _ask(rules, f"{action}: no provider is configured")
    if visit.method not in {"GET", "HEAD"}:
        return _ask(rules, f"{action}: only GET and HEAD are redirected")
    if not is_browser(visit):
        return _ask(rules, f"{action}: the User-Agent is no browser's")
    if (visit.header(b"upgrade") or b"").strip().lower() == b"websocket":
        # A browser follows no redirect here, and one that tries again and again would count as going in circles.
        return _ask(rules, f"{action}: a WebSocket cannot follow it")
    if rules.scripts_get_401 and _is_script(visit):
        return _ask(rules, f"{action}: a script cannot follow it (easyauth.scripts_get_401)")
    return _ask(rules, action, redirect=True)


def is_browser(visit: Visit) -> bool:
    """Say whether the User-Agent is a browser's, which is all that App Service looks at."""
    return _BROWSER in (visit.header(b"user-agent") or b"")


def _is_script(visit: Visit) -> bool:
    """Say whether a script sent the request. An app's own web view puts its package name into X-Requested-With."""
    asked_with = (visit.header(b"x-requested-with") or b"").strip().lower()
    return asked_with == b"xmlhttprequest" or (visit.header(b"sec-fetch-mode") or b"").strip().lower() == b"cors"


# --- requests from other sites -----------------------------------------------------------------------------------


def is_cross_site(rules: AdmissionRules, visit: Visit, site: str) -> bool:
    """Say whether a browser sent a request that may change something from another site (easy-auth reference 8.6).

    It is the request's Origin that counts, and the Referer only where no Origin was sent: `Origin: null` is what a
    redirect through another site leaves. The handshake of a WebSocket is a GET with everything that a POST can do,
    and browsers send an Origin with it.
    """
    if visit.method in _SAFE_METHODS and (visit.header(b"upgrade") is None or visit.header(b"origin") is None):
        return False
    if not is_browser(visit):
        return False
    named = visit.headers(b"origin") or visit.headers(b"referer")[:1]
    return not named or not all(_is_ours(rules, value, site) for value in named)


def _is_ours(rules: AdmissionRules, value: bytes, site: str) -> bool:
    found = _ORIGIN.match(value.decode("latin-1"))
    return found is not None and ((origin := found[1].lower()) == site or origin in rules.csrf_origins)
