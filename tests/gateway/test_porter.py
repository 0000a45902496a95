"""What every door is told: who passes, what is answered to who does not, which rule decided, and how."""

import json
import logging
import re

import pytest

from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.base.refusals_easyauth import SIGN_IN_REQUIRED
from doorward.base.refusals_gateway import CROSS_SITE_REQUEST
from doorward.gateway.porter import AWAY, Porter
from doorward.identity.admission import Action, AdmissionRules, Allow, Challenge, Decision, Deny
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply
from tests.support.gates import JANE, HandMadeGate
from tests.support.visits import TRUST

SITE = "https://app.example.com"
CHALLENGE = b'Bearer realm="app.example.com"'
MOZILLA = "Mozilla/5.0 (X11; Linux x86_64)"
SECRET = "made-up-cookie-value"


def visit(method: str = "GET", path: str = "/a", query: str = "", *, agent: str = MOZILLA, **headers: str) -> Visit:
    named = {"user_agent": agent, **headers}
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in named.items()]
    return TRUST.visit(method=method, path=path, query=query, raw_headers=raw, peer="192.0.2.1", scheme="https")


async def begin(asked: Visit, site: str, provider: str | None) -> Reply:
    return Reply(302, b"", ((b"location", f"{site}/to/{provider}{asked.path}".encode()),))


async def fail_to_begin(_visit: Visit, _site: str, _provider: str | None) -> Reply:
    raise DoorwardError(STORE_UNAVAILABLE)


def porter(
    action: Action = "RedirectToLoginPage",
    *,
    gate: HandMadeGate | None = None,
    enabled: bool = True,
    explains: bool = False,
    challenge: bytes | None = CHALLENGE,
    begins: bool = True,
) -> Porter:
    rules = AdmissionRules(enabled=enabled, action=action, provider="aad", providers=1, excluded_paths=("/public/*",))
    return Porter(
        rules,
        TRUST,
        gate=gate or HandMadeGate(),
        begin=begin if begins else fail_to_begin,
        challenge=lambda _visit, _site: challenge,
        explains=explains,
    )


async def answered(door: Porter, asked: Visit) -> Reply:
    decision = await door.decide(asked)
    assert isinstance(decision, Challenge | Deny)
    return await door.answer(asked, decision)


async def test_who_is_known_passes_without_waiting() -> None:
    """A caller in memory is decided about at once; one who is not, after asking."""
    gate = HandMadeGate()
    door = porter(gate=gate)
    known, slow = visit(cookie="AppServiceAuthSession=jane"), visit(cookie="AppServiceAuthSession=slow-jane")
    assert door.decide_now(known) == Allow(principal=JANE, rule="session cookie")
    assert (door.decide_now(slow), gate.asked) == (None, 0)
    assert await door.decide(slow) == Allow(principal=JANE, rule="session cookie")
    assert gate.asked == 1


async def test_who_passed_passes_again() -> None:
    """A GET of somebody known passes again by the same fields, until it does not; elsewhere it never did."""
    gate = HandMadeGate({"jane": JANE})
    door = porter(gate=gate)
    standing = door.standing(visit(cookie="AppServiceAuthSession=jane"))
    elsewhere = door.standing(visit(cookie="AppServiceAuthSession=jane", host="elsewhere"))
    assert standing is not None
    assert elsewhere is not None
    assert door.decide_again(standing) == Allow(principal=JANE, rule="session cookie")
    assert door.decide_again(elsewhere) is None
    gate.known = {}
    assert door.decide_again(standing) is None


@pytest.mark.parametrize(
    ("action", "enabled", "principal"),
    [("AllowAnonymous", True, True), ("AllowAnonymous", False, True), ("Return401", False, True),
     ("Return401", True, False), ("RedirectToLoginPage", True, False), ("Return404", True, False)],
)  # fmt: skip
async def test_nobody_passes_again_where_the_address_decides(action: Action, enabled: bool, principal: bool) -> None:  # noqa: FBT001 - columns
    """Who shows nothing passes again where everybody does; elsewhere an open path says nothing of the next."""
    door = porter(action, enabled=enabled)
    standing = door.standing(visit(path="/public/a"))
    assert (standing is not None) is principal
    if standing is not None:
        again = door.decide_again(standing)
        assert again is not None
        assert again.principal is None
    assert not enabled or door.standing(visit(authorization="Bearer good")) is None


async def test_what_is_off_asks_nobody() -> None:
    """With authentication off, nobody is looked up and everybody passes without identity."""
    gate = HandMadeGate(away=True)
    door = porter("Return403", gate=gate, enabled=False)
    asked = visit(cookie="AppServiceAuthSession=slow-jane", authorization="Bearer bad")
    for decision in (door.decide_now(asked), await door.decide(asked)):
        assert isinstance(decision, Allow)
        assert decision.principal is None
    assert gate.asked == 0


async def test_a_store_that_is_away_lets_nobody_in() -> None:
    """Who cannot be looked up is refused with the reason, on open paths as well."""
    door = porter("AllowAnonymous", gate=HandMadeGate(away=True))
    for path in ("/a", "/public/a"):
        decision = await door.decide(visit(path=path, cookie="AppServiceAuthSession=slow-jane"))
        assert decision == Deny(row=STORE_UNAVAILABLE, rule=AWAY, facts={"reason": "away"})


async def test_a_browser_is_sent_to_sign_in() -> None:
    """The sign-in begins for the visit, at the site, with the provider of the rules."""
    reply = await answered(porter(), visit(path="/page"))
    assert (reply.status, reply.headers) == (302, ((b"location", f"{SITE}/to/aad/page".encode()),))


async def test_a_sign_in_that_cannot_begin_is_refused_with_its_reason() -> None:
    """What stands against the beginning of a sign-in is told; nobody gets through by it."""
    reply = await answered(porter(begins=False), visit())
    assert reply.status == 503


@pytest.mark.parametrize(
    ("action", "status"), [("Return401", 401), ("Return403", 403), ("Return404", 404), ("RedirectToLoginPage", 401)]
)
async def test_refusals_have_the_status_of_their_rule(action: Action, status: int) -> None:
    """Programs get JSON with code and request id; a 401 names the challenge, nothing else does."""
    asked = visit(agent="curl/8")
    reply = await answered(porter(action), asked)
    headers = dict(reply.headers)
    assert (reply.status, headers[b"content-type"]) == (status, b"application/json")
    error = json.loads(reply.body)["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["request_id"] == asked.request_id
    assert headers.get(b"www-authenticate") == (CHALLENGE if status == 401 else None)
    assert headers[b"cache-control"] == b"no-store"


async def test_what_is_hidden_looks_as_if_it_were_not_there() -> None:
    """A 404 of Return404 says no more than any other 404."""
    for accept in ("*/*", "text/html"):
        reply = await answered(porter("Return404"), visit(accept=accept))
        assert b"sign" not in reply.body.partition(b"</style>")[2].lower()
        assert b"not_found" in reply.body


async def test_the_challenge_can_be_left_out() -> None:
    """Without a challenge the 401 stands alone."""
    reply = await answered(porter("Return401", challenge=None), visit())
    assert reply.status == 401
    assert b"www-authenticate" not in dict(reply.headers)


async def test_a_bad_credential_is_challenged_and_never_redirected() -> None:
    """A bearer that does not pass is 401 with the challenge, also for browsers and on open paths."""
    for path in ("/a", "/public/a"):
        reply = await answered(porter(), visit(path=path, authorization="Bearer bad"))
        assert reply.status == 401
        assert dict(reply.headers)[b"www-authenticate"] == CHALLENGE
        assert json.loads(reply.body)["error"]["code"] == "invalid_bearer"


async def test_a_page_leads_on() -> None:
    """Who reads HTML gets a page under our policy, which leads to the sign-in and back."""
    reply = await answered(
        porter("Return401"), visit(path="/a b".replace(" ", "%20"), query="c=d&e", accept="text/html")
    )
    headers = dict(reply.headers)
    assert headers[b"content-type"] == b"text/html; charset=utf-8"
    assert b"default-src 'none'" in headers[b"content-security-policy"]
    address = f"{SITE}/.auth/login?post_login_redirect_uri=%2Fa%2520b%3Fc%3Dd%26e"
    assert f'href="{address}"'.encode() in reply.body
    refused = await answered(porter(), visit("POST", cookie="AppServiceAuthSession=jane", accept="text/html"))
    assert refused.status == 403
    assert b"href=" not in refused.body


@pytest.mark.parametrize(
    ("method", "path", "query", "target"),
    [
        ("GET", "/", "", "%2F"),
        ("HEAD", "/a", "b=c", "%2Fa%3Fb%3Dc"),
        ("POST", "/a", "b=c", "%2F"),
        ("GET", "//evil.example/a", "", "%2F"),
        ("GET", "/\\evil.example", "", "%2F"),
        ("GET", "/caf\xc3\xa9", "q=\xc3\xa9", "%2Fcaf%25C3%25A9%3Fq%3D%25C3%25A9"),
        ("GET", "/a", "b=" + "x" * 9000, "%2Fa"),
    ],
)
def test_the_way_back_stays_here(method: str, path: str, query: str, target: str) -> None:
    """The address to come back to is what was asked for where that can be, and never another site's."""
    found = porter().sign_in_address(visit(method, path, query), "google")
    assert found == f"{SITE}/.auth/login/google?post_login_redirect_uri={target}"


async def test_the_log_names_the_rule(caplog: pytest.LogCaptureFixture) -> None:
    """Each request that does not pass is one line with code and rule, and no secret; one that passes is none."""
    cases: list[tuple[Porter, Visit, str, str | None]] = [
        (porter(), visit(cookie=f"AppServiceAuthSession={SECRET}"), "RedirectToLoginPage", None),
        (porter("Return403"), visit(), "Return403", "access_forbidden"),
        (porter(), visit(agent="curl"), "User-Agent", SIGN_IN_REQUIRED.code),
        (porter(), visit("POST", cookie="AppServiceAuthSession=jane"), "cross-site", CROSS_SITE_REQUEST.code),
        (porter(), visit(authorization=f"Bearer {SECRET}"), "does not pass", "invalid_bearer"),
    ]
    for door, asked, rule, code in cases:
        caplog.clear()
        await answered(door, asked)
        (record,) = [record for record in caplog.records if record.name == "doorward.gateway"]
        facts = record.__dict__["facts"]
        assert rule in facts["rule"]
        assert facts.get("code") == code
        assert SECRET not in str(record.__dict__)
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        await porter().decide(visit(cookie="AppServiceAuthSession=jane"))
    assert not caplog.records


# --- the trace ---


def steps_of(found: tuple[Decision, list[tuple[str, str]]]) -> dict[str, str]:
    return dict(found[1])


async def test_the_trace_tells_how_it_came_about() -> None:
    """Credential, checks, rule, decision and names of headers, for who passes; no value of any of them."""
    asked = visit(cookie="AppServiceAuthSession=jane; a=b", x_ms_client_principal="forged", path="/a")
    decision, _ = found = await porter().explain(asked)
    steps = steps_of(found)
    assert decision == Allow(principal=JANE, rule="session cookie")
    assert steps["Request"] == f"GET /a at {SITE}"
    assert steps["Shown"] == "cookie AppServiceAuthSession"
    assert steps["Credential"] == "session cookie of jane@contoso.com, by aad"
    assert (steps["Path"], steps["Comes from"]) == ("well formed", "this site, or changes nothing")
    assert steps["Decided by"] == "session cookie"
    assert steps["Decision"] == "passes, with identity"
    assert steps["Headers removed"] == "x-ms-client-principal"
    assert steps["Headers added"] == (
        "X-MS-CLIENT-PRINCIPAL, X-MS-CLIENT-PRINCIPAL-ID, X-MS-CLIENT-PRINCIPAL-NAME, X-MS-CLIENT-PRINCIPAL-IDP, "
        "X-MS-TOKEN-AAD-ID-TOKEN, X-MS-TOKEN-AAD-REFRESH-TOKEN"
    )
    assert not re.search("made-up|forged|=jane", str(found[1]))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (visit(), {"Shown": "no credential", "Open path": "not in excludedPaths", "User-Agent": "a browser's"}),
        (
            visit(agent="curl"),
            {"User-Agent": "no browser's", "Decision": "401 sign_in_required: You are not signed in"},
        ),
        (visit(), {"Decision": "sent to sign in at aad", "Action": "RedirectToLoginPage, 1 provider configured"}),
        (visit(path="/public/a"), {"Open path": "in excludedPaths", "Decision": "passes, without identity"}),
        (visit(path="/public/../a"), {"Open path": "never, since it can be read in two ways"}),
        (visit(path="/a%00"), {"Path": "holds a control character"}),
        (visit("POST", cookie="AppServiceAuthSession=jane"), {"Comes from": "another site"}),
        (
            visit(authorization="Bearer bad"),
            {"Shown": "Authorization: Bearer", "Credential": "does not pass: invalid_bearer"},
        ),
        (visit(authorization="secret"), {"Shown": "Authorization: ?"}),
        (visit(authorization="dGhpcyBpcyBhIHNlY3JldA=="), {"Shown": "Authorization: ?"}),
        (
            visit(cookie="AppServiceAuthSession=a; AppServiceAuthSession=b"),
            {"Shown": "cookie AppServiceAuthSession (contradicts itself, or is too long)"},
        ),
    ],
)
async def test_the_trace_shows_what_was_looked_at(asked: Visit, expected: dict[str, str]) -> None:
    """Whatever decided stands among the steps."""
    steps = steps_of(await porter().explain(asked))
    assert {name: steps.get(name) for name in expected} == expected


async def test_the_trace_of_a_store_that_is_away() -> None:
    """Who cannot be looked up is traced, too."""
    decision, steps = await porter(gate=HandMadeGate(away=True)).explain(visit(cookie="AppServiceAuthSession=slow"))
    assert isinstance(decision, Deny)
    assert ("Decided by", AWAY) in steps


async def test_refusals_show_their_trace_in_development_alone() -> None:
    """The error page of development shows the steps; elsewhere none is built."""
    for accept in ("text/html", "application/json"):
        asked = visit(agent="curl", accept=accept, cookie=f"AppServiceAuthSession={SECRET}")
        shown = (await answered(porter(explains=True), asked)).body
        assert b"Decided by" in shown
        assert SECRET.encode() not in shown
        assert b"Decided by" not in (await answered(porter(), asked)).body
