"""Forward-auth: what trusted proxies are told about requests of theirs, and that it is never anything else."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.entropy import SeededEntropy
from doorward.gateway.check import Check
from doorward.gateway.original import NotTold, read_original
from doorward.gateway.porter import Porter
from doorward.identity.admission import Action, AdmissionRules
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Reply
from tests.support.canaries import canary
from tests.support.gates import JANE, HandMadeGate
from tests.support.serving import serving

SITE = "https://app.example.com"
PROXY, STRANGER = "10.1.2.3", "192.0.2.9"
MOZILLA = "Mozilla/5.0 (X11; Linux x86_64)"
CHALLENGE = b'Bearer realm="app.example.com"'
TRUST = Trust(
    entropy=SeededEntropy(),
    public_url=SITE,
    trusted_proxies=["10.0.0.0/8", "127.0.0.1/32"],
    additional_hosts=["other.example.com"],
)
FORWARDED = (("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/a?b=c"))
ORIGINAL = (("X-Original-Method", "GET"), ("X-Original-URL", f"{SITE}/a?b=c"))
BROWSER = ("User-Agent", MOZILLA)
COOKIE = ("Cookie", "AppServiceAuthSession=jane")
Headers = Sequence[tuple[str, str]]


async def begin_nothing(_visit: Visit, _site: str, _provider: str | None) -> Reply:
    raise AssertionError("forward-auth begins no sign-in")


def check(
    action: Action = "RedirectToLoginPage",
    *,
    gate: Any = None,
    provider: str | None = "aad",
    trust: Trust = TRUST,
) -> Check:
    rules = AdmissionRules(enabled=True, action=action, provider=provider, providers=2, excluded_paths=("/public/*",))
    porter = Porter(
        rules, trust, gate=gate or HandMadeGate(), begin=begin_nothing, challenge=lambda _visit, _site: CHALLENGE
    )
    return Check(porter, trust)


def question(headers: Headers, *, peer: str = PROXY, query: str = "", trust: Trust = TRUST) -> Visit:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (("Host", "127.0.0.1"), *headers)]
    return trust.visit(method="GET", path="/.auth/check", query=query, raw_headers=raw, peer=peer, scheme="http")


async def told(headers: Headers, *, peer: str = PROXY, query: str = "", door: Check | None = None) -> Reply:
    return await (door or check()).answer(question(headers, peer=peer, query=query), b"")


@pytest.mark.parametrize("description", [FORWARDED, ORIGINAL], ids=["forwarded", "original"])
async def test_who_may_pass_is_200_with_the_headers(description: Headers) -> None:
    """A recognised caller is 200 with exactly the headers of the principal."""
    reply = await told([*description, BROWSER, COOKIE])
    assert (reply.status, reply.body) == (200, b"")
    assert [header for header in reply.headers if header[0].startswith(b"X-MS-")] == list(JANE.headers)


async def test_anonymous_callers_pass_without_headers() -> None:
    """Where nobody has to be signed in, 200 comes without identity."""
    for door, path in ((check("AllowAnonymous"), "/a"), (check(), "/public/a")):
        reply = await told([("X-Forwarded-Method", "POST"), ("X-Forwarded-Uri", path)], door=door)
        assert (reply.status, [name for name, _ in reply.headers]) == (200, [b"cache-control"])


async def test_a_browser_is_told_where_to_sign_in() -> None:
    """Where the gateway would redirect, the 401 carries the sign-in address; with `?redirect=1` it is a 302."""
    address = f"{SITE}/.auth/login/aad?post_login_redirect_uri=%2Fa%3Fb%3Dc".encode()
    for description in (FORWARDED, ORIGINAL):
        reply = await told([*description, BROWSER])
        headers = dict(reply.headers)
        assert (reply.status, headers[b"location"], headers[b"www-authenticate"]) == (401, address, CHALLENGE)
        reply = await told([*description, BROWSER], query="redirect=1")
        assert (reply.status, dict(reply.headers)[b"location"]) == (302, address)
    reply = await told([*FORWARDED, BROWSER], query="redirect=0&a=b")
    assert reply.status == 401


async def test_without_one_provider_people_choose() -> None:
    """With several providers and none to go to, the address is that of the page to choose one."""
    reply = await told([*FORWARDED, BROWSER], door=check(provider=None))
    expected = f"{SITE}/.auth/login?post_login_redirect_uri=%2Fa%3Fb%3Dc".encode()
    assert dict(reply.headers)[b"location"] == expected


@pytest.mark.parametrize(
    ("description", "site"),
    [
        ([*FORWARDED, ("X-Forwarded-Host", "other.example.com")], "https://other.example.com"),
        ([*FORWARDED, ("X-Forwarded-Host", "evil.example")], SITE),
        ([*FORWARDED, ("X-Forwarded-Host", "evil.example, other.example.com")], "https://other.example.com"),
        (
            [("X-Original-Method", "GET"), ("X-Original-URL", "https://other.example.com/a")],
            "https://other.example.com",
        ),
        ([("X-Original-Method", "GET"), ("X-Original-URL", "https://evil.example/a")], SITE),
        (
            [
                ("X-Original-Method", "GET"),
                ("X-Original-URL", "https://evil.example/a"),
                ("X-Forwarded-Host", "other.example.com"),
            ],
            SITE,
        ),
        (
            [("X-Original-Method", "GET"), ("X-Original-URL", "/a"), ("X-Forwarded-Host", "other.example.com")],
            "https://other.example.com",
        ),
    ],
)
async def test_only_known_hosts_are_named(description: Headers, site: str) -> None:
    """The sign-in address is on the host that the client used, if it is one of ours, whatever names the host."""
    for header in (b"host", b"x-forwarded-host", b"x-custom-host"):
        trust = Trust(
            entropy=SeededEntropy(),
            public_url=SITE,
            trusted_proxies=[PROXY],
            additional_hosts=["other.example.com"],
            host_header=header,
        )
        reply = await told([*description, BROWSER], door=check(trust=trust))
        assert dict(reply.headers)[b"location"].startswith(site.encode() + b"/.auth/login/aad?")


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-Method", "GET"), BROWSER, ("X-Forwarded-Uri", "/a"), ("Authorization", "Bearer bad")],
        [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/a"), ("User-Agent", "curl")],
        [("X-Forwarded-Method", "POST"), ("X-Forwarded-Uri", "/a"), BROWSER],
    ],
)
async def test_who_would_not_be_redirected_is_told_no_address(headers: Headers) -> None:
    """Programs, other methods and bad credentials get 401 with the challenge and without Location, asked for or not."""
    for query in ("", "redirect=1"):
        reply = await told(headers, query=query)
        assert reply.status == 401
        assert b"location" not in dict(reply.headers)
        assert dict(reply.headers)[b"www-authenticate"] == CHALLENGE


@pytest.mark.parametrize("action", ["Return403", "Return404"])
async def test_other_refusals_are_403(action: Action) -> None:
    """What nginx does not understand becomes 403."""
    for query in ("", "redirect=1"):
        assert (await told([*FORWARDED, BROWSER], door=check(action), query=query)).status == 403


async def test_a_foreign_form_is_403() -> None:
    """The original method and origin count, not those of the question."""
    headers = [("X-Forwarded-Method", "POST"), ("X-Forwarded-Uri", "/a"), BROWSER, COOKIE]
    assert (await told([*headers, ("Origin", "https://evil.example")])).status == 403
    assert (await told([*headers, ("Origin", SITE)])).status == 200


async def test_strangers_may_not_ask() -> None:
    """From a peer that is no trusted proxy every question is 403, whatever it carries."""
    for description in (FORWARDED, ORIGINAL, ()):
        reply = await told([*description, BROWSER, COOKIE], peer=STRANGER)
        assert reply.status == 403
        assert not [name for name, _ in reply.headers if name.startswith(b"X-MS-")]


M, U, OM, OU = "X-Forwarded-Method", "X-Forwarded-Uri", "X-Original-Method", "X-Original-URL"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(M, "GET")],
        [(U, "/a")],
        [(OM, "GET")],
        [(OU, "/a")],
        [(OM, "GET"), (U, "/a")],
        [(M, "GET"), (OU, "/a")],
        [(M, "GET"), (U, "/public/a"), (OU, "/a"), (OM, "GET")],
        [(M, "GET"), (OM, "GET"), (OU, "/a")],
        [(U, "/a"), (OM, "GET"), (OU, "/a")],
        [(M, "GET"), (U, "/a"), (OM, "GET")],
        [(M, "GET"), (M, "GET"), (U, "/a")],
        [(M, "GET"), (U, "/public/a"), (U, "/a")],
        [(M, "GET"), (U, "/public/a, /a")],
        [(M, "GET, POST"), (U, "/a")],
        [(M, ""), (U, "/a")],
        [(M, "G ET"), (U, "/a")],
        [(M, "G" * 33), (U, "/a")],
        [(M, "GET"), (U, "")],
        [(M, "GET"), (U, "a")],
        [(M, "GET"), (U, "*")],
        [(M, "GET"), (U, "https://app.example.com/a")],
        [(M, "GET"), (U, "/a b")],
        [(M, "GET"), (U, "/a\x7f")],
        [(M, "GET"), (U, "/a#b")],
        [(M, "GET"), (U, "/a%00")],
        [(OM, "GET"), (OU, "ftp://app.example.com/a")],
        [(OM, "GET"), (OU, "https://user@app.example.com/a")],
        [(OM, "GET"), (OU, "https:///a")],
        [(OM, "GET"), (OU, "https://app.example.com:port/a")],
        [(OM, "GET"), (OU, "//app.example.com /a")],
        [(OM, "GET"), (OU, "app.example.com/a")],
    ],
)
async def test_what_is_not_told_clearly_is_403(headers: Headers) -> None:
    """Missing, repeated, contradicting or impossible descriptions pass nobody, signed in or not."""
    for door in (check(), check("AllowAnonymous")):
        assert (await told([*headers, BROWSER, COOKIE], door=door)).status == 403


async def test_a_store_that_is_away_is_403() -> None:
    """Whoever cannot be looked up does not pass, and the proxy gets a status that it understands."""
    gate = HandMadeGate(away=True)
    reply = await told([*FORWARDED, ("Cookie", "AppServiceAuthSession=slow")], door=check("AllowAnonymous", gate=gate))
    assert reply.status == 403


class BrokenGate(HandMadeGate):
    """A gate with a defect."""

    def recognise_now(self, visit: Visit) -> Any:
        """Fail."""
        raise ValueError(canary("in a defect of the gate"))


async def test_a_defect_is_403() -> None:
    """Even a defect of ours ends in a refusal, and its values are not logged."""
    assert (await told([*FORWARDED, COOKIE], door=check("AllowAnonymous", gate=BrokenGate()))).status == 403


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [M, U, OM, OU, "X-Forwarded-Host", "X-Forwarded-Proto", "Cookie", "User-Agent", "Authorization"]
            ),
            st.sampled_from(
                ["GET", "/a", "/public/../a", "https://other.example.com//", "AppServiceAuthSession=jane", "http"]
            )
            | st.text(st.characters(codec="latin-1"), max_size=20),
        ),
        max_size=8,
    ),
    st.sampled_from(["", "redirect=1", "redirect=1&redirect=2", "%", "redirect"]),
)
async def test_nothing_else_is_ever_answered(headers: Headers, query: str) -> None:
    """Whatever a proxy says, the answer is one that every proxy understands."""
    for action in ("RedirectToLoginPage", "Return404", "AllowAnonymous"):
        reply = await told(headers, query=query, door=check(action))
        assert reply.status in ({200, 401, 403, 302} if "redirect=1" in query else {200, 401, 403})


def test_the_original_request_keeps_its_client() -> None:
    """Client address, request id and the client's own headers are the question's; what described it is gone."""
    asked = question(
        [*ORIGINAL, ("X-Forwarded-For", STRANGER), COOKIE, ("X-Request-ID", "id-1"), ("X-Forwarded-Port", "1")]
    )
    original = read_original(asked)
    assert (original.method, original.path, original.query, original.scheme) == ("GET", "/a", "b=c", "https")
    assert (original.address, original.request_id, original.peer) == (STRANGER, "id-1", PROXY)
    assert original.header(b"host") == b"app.example.com"
    assert original.header(b"cookie") == COOKIE[1].encode()
    assert not [name for name, _ in original.raw_headers if name.startswith(b"x-original-")]


@pytest.mark.parametrize(
    ("url", "scheme", "path", "query"),
    [
        ("http://app.example.com", "http", "/", ""),
        ("https://app.example.com?a", "https", "/", "a"),
        ("https://app.example.com:8443/a//b/../c", "https", "/a//b/../c", ""),
        ("https://[::1]:8443/", "https", "/", ""),
        ("//evil.example/a", "http", "//evil.example/a", ""),
        ("/a?b?c=d&e", "http", "/a", "b?c=d&e"),
        ("/caf\xc3\xa9", "http", "/caf\xc3\xa9", ""),
    ],
)
def test_addresses_are_taken_byte_for_byte(url: str, scheme: str, path: str, query: str) -> None:
    """Nothing of the address is tidied: what is judged is what the application will get."""
    original = read_original(question([("X-Original-Method", "PROPFIND"), ("X-Original-URL", url)]))
    assert (original.scheme, original.path, original.query) == (scheme, path, query)


def test_the_forwarded_scheme_counts_for_a_path() -> None:
    """A path says no scheme, so the proxy's header does; an address says its own."""
    proto = ("X-Forwarded-Proto", "https")
    assert read_original(question([*FORWARDED, proto])).scheme == "https"
    plain = [("X-Original-Method", "GET"), ("X-Original-URL", "http://app.example.com/"), proto]
    assert read_original(question(plain)).scheme == "http"


def test_reasons_quote_nothing() -> None:
    """Why a description is refused is said without the description."""
    with pytest.raises(NotTold) as refused:
        read_original(question([(M, "GET"), (U, "secret value")]))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/.auth/check", "/.auth/check/", "/.auth/check/a/b?c=d", "/.auth/check/..%2f"])
async def test_it_answers_over_http_by_every_method(method: str, path: str) -> None:
    """Over real HTTP the door answers any method, and below its path as well; neighbouring paths are not it."""
    lines = [f"{name}: {value}" for name, value in (*FORWARDED, COOKIE)]
    async with serving(check().routes(), trusted=["127.0.0.1"]) as listener:
        answer = await listener.get(path, *lines, method=method, body=b"" if method in {"GET", "HEAD"} else b"body")
        assert (answer.status, answer.headers["x-ms-client-principal-name"]) == (200, "jane@contoso.com")
        assert (await listener.get("/.auth/checks", *lines, method=method)).status == 404


def test_who_is_known_is_answered_at_once() -> None:
    """Whoever memory can tell may pass gets the same answer without waiting; everybody else waits for `answer`."""
    door = check()
    reply = door.answer_at_once(question([*ORIGINAL, BROWSER, COOKIE]))
    assert reply is not None
    assert (reply.status, [header for header in reply.headers if header[0].startswith(b"X-MS-")]) == (
        200,
        list(JANE.headers),
    )
    assert door.answer_at_once(question([*ORIGINAL, BROWSER])) is None
    assert door.answer_at_once(question([BROWSER, COOKIE])) is None
    assert door.answer_at_once(question([*ORIGINAL, BROWSER, COOKIE], peer=STRANGER)) is None
