"""May this request pass: the whole of the reference's table, and each rule by its name."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.errors import ErrorRow
from doorward.base.refusals import NOT_FOUND
from doorward.base.refusals_easyauth import INVALID_BEARER, SIGN_IN_REQUIRED
from doorward.base.refusals_gateway import ACCESS_FORBIDDEN, CROSS_SITE_REQUEST, MALFORMED_ADDRESS
from doorward.identity.admission import (
    Action,
    AdmissionRules,
    Allow,
    Anonymous,
    Bad,
    Challenge,
    Credential,
    Decision,
    Deny,
    Recognised,
    Via,
    decide,
)
from doorward.identity.principal import Principal, principal_of_platform_token
from doorward.identity.visit import Visit
from tests.support.visits import TRUST

SITE = "https://app.example.com"
MOZILLA, CURL = "Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5"
ACTIONS: tuple[Action, ...] = ("RedirectToLoginPage", "AllowAnonymous", "Return401", "Return403", "Return404")
JANE: Principal = principal_of_platform_token(1, "jane@contoso.com", "Jane", "user", 1)
COOKIE = Recognised(via=Via.COOKIE, principal=JANE)
BAD = Bad(row=INVALID_BEARER, facts={"check": "exp"})
ANONYMOUS = Anonymous()


def rules(
    action: Action = "RedirectToLoginPage", *, enabled: bool = True, providers: int = 1, **more: object
) -> AdmissionRules:
    given_rules = {"provider": "aad", "excluded_paths": ("/public/*",), "warmup_path": "/warm", **more}
    return AdmissionRules(enabled=enabled, action=action, providers=providers, **given_rules)  # type: ignore[arg-type]


def visit(method: str = "GET", path: str = "/", agent: str = MOZILLA, **headers: str) -> Visit:
    named = {"user_agent": agent, **headers} if agent else headers
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in named.items()]
    return TRUST.visit(method=method, path=path, query="", raw_headers=raw, peer="192.0.2.1", scheme="https")


def told(decision: Decision) -> object:
    """Put a decision into one word: anonymous, the principal, redirect, or the status with the row."""
    match decision:
        case Allow():
            return "anonymous" if decision.principal is None else decision.principal
        case Challenge():
            return "redirect" if decision.redirect else decision.row
        case Deny():
            return decision.row


ROWS: dict[str, ErrorRow | str] = {
    "RedirectToLoginPage": "redirect",
    "AllowAnonymous": "anonymous",
    "Return401": SIGN_IN_REQUIRED,
    "Return403": ACCESS_FORBIDDEN,
    "Return404": NOT_FOUND,
}


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_for_browsers(action: Action) -> None:
    """A browser without a credential gets what the action says; GET and HEAD alike."""
    for method in ("GET", "HEAD"):
        assert told(decide(rules(action), visit(method), SITE, ANONYMOUS)) == ROWS[action]


@pytest.mark.parametrize(
    ("action", "method", "agent"), list(product(ACTIONS, ["GET", "POST"], [CURL, "", "mozilla/5.0"]))
)
def test_actions_for_everybody_else(action: Action, method: str, agent: str) -> None:
    """Whoever is no browser gets 401 in place of a redirect; the other actions are the same for all."""
    expected = SIGN_IN_REQUIRED if action == "RedirectToLoginPage" else ROWS[action]
    assert told(decide(rules(action), visit(method, agent=agent), SITE, ANONYMOUS)) == expected


@pytest.mark.parametrize("action", ACTIONS)
def test_a_foreign_bearer_is_never_redirected(action: Action) -> None:
    """Whoever brings somebody else's bearer gets 401 where nobody may pass without identity, a browser as well."""
    expected = "anonymous" if action == "AllowAnonymous" else SIGN_IN_REQUIRED
    foreign = Anonymous(brings_foreign=True)
    assert told(decide(rules(action), visit(), SITE, foreign)) == expected
    assert told(decide(rules(action), visit(path="/public/a"), SITE, foreign)) == "anonymous"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"])
def test_only_get_and_head_are_redirected(method: str) -> None:
    """A redirect would lose the body of anything else, so it is 401."""
    assert told(decide(rules(), visit(method), SITE, ANONYMOUS)) == SIGN_IN_REQUIRED


@pytest.mark.parametrize(
    ("headers", "is_script"),
    [
        ({"x_requested_with": "XMLHttpRequest"}, True),
        ({"x_requested_with": "xmlhttprequest"}, True),
        ({"x_requested_with": "com.example.app"}, False),
        ({"sec_fetch_mode": "cors"}, True),
        ({"sec_fetch_mode": "navigate"}, False),
        ({"sec_fetch_mode": "no-cors"}, False),
        ({}, False),
    ],
)
def test_scripts_get_401_where_that_is_asked_for(headers: dict[str, str], is_script: bool) -> None:  # noqa: FBT001 - a table's column
    """With easyauth.scripts_get_401 a script gets 401; without it the User-Agent alone decides, as on App Service."""
    asked = visit(**headers)
    expected = SIGN_IN_REQUIRED if is_script else "redirect"
    assert told(decide(rules(scripts_get_401=True), asked, SITE, ANONYMOUS)) == expected
    assert told(decide(rules(), asked, SITE, ANONYMOUS)) == "redirect"


def test_accept_and_fetch_mode_make_no_difference() -> None:
    """What App Service does not look at, we do not look at."""
    asked = visit(agent=CURL, accept="text/html", sec_fetch_mode="navigate", sec_fetch_dest="document")
    assert told(decide(rules(), asked, SITE, ANONYMOUS)) == SIGN_IN_REQUIRED


def test_without_providers_there_is_nowhere_to_go() -> None:
    """RedirectToLoginPage with no provider is 401 (interface, "Several providers")."""
    assert told(decide(rules(providers=0, provider=None), visit(), SITE, ANONYMOUS)) == SIGN_IN_REQUIRED


def test_a_challenge_names_the_provider_to_go_to() -> None:
    """The alias of the rules is handed on; None is the page to choose."""
    for provider in ("google", None):
        decision = decide(rules(provider=provider, providers=2), visit(), SITE, ANONYMOUS)
        assert isinstance(decision, Challenge)
        assert (decision.redirect, decision.provider, decision.row) == (True, provider, SIGN_IN_REQUIRED)


def test_a_websocket_is_asked_for_a_sign_in_by_401() -> None:
    """A browser's WebSocket follows no redirect, so it gets none, and trying again counts as no circle."""
    assert told(decide(rules(), visit(upgrade="websocket", connection="Upgrade"), SITE, ANONYMOUS)) == SIGN_IN_REQUIRED
    assert told(decide(rules(), visit(upgrade="h2c"), SITE, ANONYMOUS)) == "redirect"


@pytest.mark.parametrize("action", ACTIONS)
def test_a_good_credential_passes_everywhere(action: Action) -> None:
    """Whoever is recognised passes with their principal, also on open paths, which then show it."""
    for via, path in product(Via, ["/", "/public/a", "/warm", "/a/../b", "//a", "/%2e%2e"]):
        credential = Recognised(via=via, principal=JANE)
        decision = decide(rules(action), visit(path=path), SITE, credential)
        assert decision == Allow(principal=JANE, rule=via.value)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_bad_credential_passes_nowhere(action: Action) -> None:
    """A credential that is present and bad is refused on every path, for every action; there is no falling back."""
    for path, agent in product(["/", "/public/a", "/warm"], [MOZILLA, CURL]):
        decision = decide(rules(action), visit(path=path, agent=agent), SITE, BAD)
        assert decision == Deny(row=INVALID_BEARER, rule="a credential that does not pass", facts={"check": "exp"})


@pytest.mark.parametrize("action", ACTIONS)
def test_open_paths_need_nobody(action: Action) -> None:
    """Excluded paths and the warm-up path pass without identity, for every method and agent."""
    for path, method, agent in product(["/public/a", "/warm"], ["GET", "POST", "OPTIONS"], [MOZILLA, CURL]):
        assert told(decide(rules(action), visit(method, path, agent), SITE, ANONYMOUS)) == "anonymous"
    for path in ("/public/../secret", "/warm/", "/warm/x", "/Warm"):
        assert told(decide(rules(action), visit(path=path), SITE, ANONYMOUS)) == ROWS[action]


@pytest.mark.parametrize("path", ["/\x00", "/a%00", "/public/%0d%0aX:%20y", "/a\x7f"])
@pytest.mark.parametrize("credential", [ANONYMOUS, COOKIE, BAD], ids=["anonymous", "cookie", "bad"])
def test_control_characters_are_malformed(path: str, credential: Credential) -> None:
    """No caller gets a control character through to the application."""
    for action in ACTIONS:
        assert told(decide(rules(action), visit(path=path), SITE, credential)) is MALFORMED_ADDRESS


def test_what_is_off_asks_nothing() -> None:
    """With platform.enabled false every request passes, without identity."""
    for credential, path in product([ANONYMOUS, COOKIE, BAD], ["/", "/a%00"]):
        off = decide(rules("Return403", enabled=False), visit("POST", path), SITE, credential)
        assert told(off) == "anonymous"


# --- requests from other sites ---

CSRF = rules("AllowAnonymous", csrf_sites=("https://friend.example:8443/landing", "app://easyauth.callback"))


@pytest.mark.parametrize(
    ("headers", "crosses"),
    [
        ({}, True),
        ({"origin": SITE}, False),
        ({"origin": "HTTPS://App.Example.Com"}, False),
        ({"origin": "https://friend.example:8443"}, False),
        ({"origin": "https://friend.example"}, True),
        ({"origin": "http://friend.example:8443"}, True),
        ({"origin": "http://app.example.com"}, True),
        ({"origin": "https://app.example.com:444"}, True),
        ({"origin": "https://app.example.com.evil.example"}, True),
        ({"origin": "https://sub.app.example.com"}, True),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "null", "referer": f"{SITE}/page"}, True),
        ({"origin": "https://evil.example", "referer": f"{SITE}/page"}, True),
        ({"origin": SITE, "referer": "https://evil.example/"}, False),
        ({"referer": SITE}, False),
        ({"referer": f"{SITE}/page?q#f"}, False),
        ({"referer": f"{SITE}?q"}, False),
        ({"referer": "https://friend.example:8443/other"}, False),
        ({"referer": "https://evil.example/"}, True),
        ({"referer": f"https://evil.example/?{SITE}/"}, True),
        ({"referer": "https://app.example.com@evil.example/"}, True),
        ({"referer": "https://app.example.com\\@evil.example/"}, True),
        ({"referer": "https://app.example.com.evil.example/"}, True),
        ({"referer": "//app.example.com/"}, True),
        ({"referer": "about:blank"}, True),
    ],
)
def test_a_browser_changes_nothing_from_another_site(headers: dict[str, str], crosses: bool) -> None:  # noqa: FBT001 - a table's column
    """With the session cookie, a browser's request has to come from this site or from a listed host."""
    for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
        decision = decide(CSRF, visit(method, **headers), SITE, COOKIE)
        assert told(decision) == (CROSS_SITE_REQUEST if crosses else JANE)


def test_the_guard_is_for_what_changes_something() -> None:
    """GET, HEAD and OPTIONS pass from anywhere, but for the handshake of a WebSocket from another site."""
    for method in ("GET", "HEAD", "OPTIONS"):
        assert told(decide(CSRF, visit(method, origin="https://evil.example"), SITE, COOKIE)) == JANE
    handshake = {"upgrade": "websocket", "connection": "upgrade"}
    assert told(decide(CSRF, visit(origin="https://evil.example", **handshake), SITE, COOKIE)) is CROSS_SITE_REQUEST
    assert told(decide(CSRF, visit(origin=SITE, **handshake), SITE, COOKIE)) == JANE
    assert told(decide(CSRF, visit(**handshake), SITE, COOKIE)) == JANE


def test_the_guard_is_for_cookies_of_browsers() -> None:
    """Bearers, session tokens, anonymous callers and programs are not asked where they come from."""
    for via in set(Via) - {Via.COOKIE}:
        assert told(decide(CSRF, visit("POST"), SITE, Recognised(via=via, principal=JANE))) == JANE
    assert told(decide(CSRF, visit("POST", agent=CURL), SITE, COOKIE)) == JANE
    assert told(decide(CSRF, visit("POST"), SITE, ANONYMOUS)) == "anonymous"


def test_two_origins_are_as_bad_as_the_worse() -> None:
    """A second Origin header does not vouch for the first."""
    raw = [(b"user-agent", MOZILLA.encode()), (b"origin", SITE.encode()), (b"origin", b"https://evil.example")]
    asked = TRUST.visit(method="POST", path="/", query="", raw_headers=raw, peer="192.0.2.1", scheme="https")
    assert told(decide(CSRF, asked, SITE, COOKIE)) is CROSS_SITE_REQUEST


@given(
    st.sampled_from(ACTIONS),
    st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "X"]),
    st.text(st.characters(codec="latin-1"), max_size=30).map(lambda text: "/" + text),
    st.sampled_from([MOZILLA, CURL, ""]),
    st.sampled_from([ANONYMOUS, BAD, COOKIE]),
)
def test_every_decision_names_its_rule(
    action: Action, method: str, path: str, agent: str, credential: Credential
) -> None:
    """Whatever is asked, there is one decision, it says why, and identity is told only of whoever was recognised."""
    decision = decide(rules(action), visit(method, path, agent), SITE, credential)
    assert decision.rule
    if isinstance(decision, Allow):
        assert decision.principal is (JANE if credential is COOKIE else None)
    if action != "AllowAnonymous" and credential is ANONYMOUS and not path.startswith(("/public/", "/warm")):
        assert not isinstance(decision, Allow)
