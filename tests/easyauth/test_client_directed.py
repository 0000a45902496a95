import base64
import hashlib
import hmac
import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from doorward.base.refusals_gateway import APPLICATION_NOT_ADMITTED, PERSON_NOT_ADMITTED
from doorward.base.secret import Secret
from doorward.config.auth_plan import AuthPlan
from doorward.config.judging import judge_of
from doorward.identity.policy import GuestList, Policy
from doorward.sessions.session import Session
from tests.support import peers
from tests.support.canaries import canary, keep_secret
from tests.support.sign_in import CLIENT_ID, NOW, Asked, Browser, Entrance, Got, Provider, entrance, half_hash, signer
from tests.support.twitter import CONSUMER_KEY, SmallTwitter

SITE = "http://app.test/"
JSON = "Content-Type: application/json"
JANE_AT_X: dict[str, Any] = {"id_str": "38", "screen_name": "jane", "name": "Jane Doe"}
EVERY = ("aad", "google", "facebook", "twitter", "microsoftaccount", "apple", "github", "contoso")


class Around(SmallTwitter):
    """The pretend provider with Graph, X and the rest of them beside OpenID Connect; `debug` is what Graph tells."""

    debug: dict[str, object]
    check: bytes

    def __init__(self) -> None:
        """Know Jane everywhere."""
        super().__init__(secret=canary("client-secret-twitter"), people={"jane": JANE_AT_X})
        self.profile.update({"id": "4711", "login": "jane", "name": "Jane Doe", "email": "jane@contoso.com"})
        self.check = peers.answer(json.dumps({"app": {"client_id": CLIENT_ID}, "user": {"id": 4711}}).encode())
        self.debug = {"app_id": CLIENT_ID, "is_valid": True, "user_id": "4711", "type": "USER",
                      "expires_at": int(NOW) + 60 * 86400}  # fmt: skip

    def answer_asked(self, asked: Asked) -> bytes | None:
        """Answer Graph's question whose token it is."""
        if asked.path == f"/applications/{CLIENT_ID}/token":
            return self.check
        if asked.path == "/debug_token":
            return peers.answer(json.dumps({"data": self.debug}).encode())
        return super().answer_asked(asked)


def served(url: str, *names: str, **how: Any) -> Any:
    """Serve our endpoints with these providers."""
    plans = how.pop("plans", {})
    plans = {name: plans.get(name, {}) for name in names or EVERY}
    if "twitter" in plans:
        plans["twitter"] = {"client_id": CONSUMER_KEY, **plans["twitter"]}
    return entrance(url, *(names or EVERY), provider=Around(), plans=plans, turn=how.pop("turn", with_graph), **how)


def with_graph(plan: AuthPlan) -> AuthPlan:
    """Let the tokens of Facebook and GitHub be asked about at the pretend provider."""
    providers = dict(plan.providers)
    for name, path in (("facebook", "/debug_token"), ("github", "/applications/{client_id}/token")):
        if (known := providers.get(name)) is not None:
            url = known.endpoints.userinfo_endpoint.removesuffix("/user")
            providers[name] = replace(known, endpoints=replace(known.endpoints, token_info_endpoint=f"{url}{path}"))
    return replace(plan, providers=providers)


def around(it: Entrance) -> Around:
    """Give the provider."""
    assert isinstance(it.provider, Around)
    return it.provider


async def post(browser: Browser, path: str, body: object, *lines: str) -> Got:
    """Post JSON, or bytes as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await browser.get(f"/.auth/login{path}", *(lines or (JSON,)), method="POST", body=raw)


def claims_of(provider: Provider, **changes: object) -> dict[str, object]:
    """Give the claims of a good token for us."""
    known: dict[str, object] = {"iss": provider.url, "aud": CLIENT_ID, "sub": "sub-jane", "oid": "oid-jane",
                                "iat": int(NOW), "exp": int(NOW) + 3600, "name": "Jane Doe",
                                "email": "jane@contoso.com"}  # fmt: skip
    return {name: value for name, value in {**known, **changes}.items() if value is not None}


def jwt(provider: Provider, **changes: object) -> str:
    """Sign one."""
    return keep_secret(provider.id_token(claims_of(provider, **changes)))


def live_token(secret: str = canary("client-secret-microsoftaccount"), alg: str = "HS256", **changes: object) -> str:
    """Write an `authentication_token` as reference 4.8 shows it."""
    claims: dict[str, object] = {"ver": 1, "iss": "urn:windows:liveid", "exp": int(NOW) + 86400,
                                 "uid": "0123456789abcdef0123456789abcdef", "aud": "app.test",
                                 "urn:microsoft:appuri": "appid://0000", "urn:microsoft:appid": "0000"}  # fmt: skip
    header = {"typ": "JWT", "alg": alg, "kid": "0"}
    kept = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    head, body = (_b64(json.dumps(part).encode()) for part in (header, kept))
    key = hashlib.sha256(f"{secret}JWTSig".encode()).digest()
    return f"{head}.{body}.{_b64(hmac.digest(key, f'{head}.{body}'.encode(), 'sha256'))}"


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def good_body(it: Entrance, name: str) -> dict[str, object]:
    """Give what a client posts to sign Jane in."""
    match name:
        case "aad":
            return {"access_token": jwt(it.provider)}
        case "google" | "apple" | "contoso":
            return {"id_token": jwt(it.provider)}
        case "twitter":
            return {"access_token": canary("access-jane"), "access_token_secret": canary("secret-jane")}
        case _:
            return {"access_token": canary(f"token-of-{name}")}


async def session_of(it: Entrance, token: str) -> Session:
    """Give the session that a session token names."""
    session = await it.parts.desk.find_by_id(payload(token)["jti"])
    assert session is not None
    return session


def payload(token: str) -> dict[str, Any]:
    """Read the claims of a session token."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def token_in(got: Got) -> str:
    """Give the session token of an answer, which has nothing else in it but who it is for."""
    assert got.status == 200, got
    body = json.loads(got.body)
    assert list(body) == ["authenticationToken", "user"]
    assert list(body["user"]) == ["userId"]
    return keep_secret(body["authenticationToken"])


# --- the ordinary course -------------------------------------------------------------------------------------------

WHO = {
    "aad": ("jane@contoso.com", "sub-jane", ("access_token", "expires_on")),
    "google": ("jane@contoso.com", "sub-jane", ("id_token",)),
    "facebook": ("jane@contoso.com", "4711", ("access_token", "expires_on")),
    "twitter": ("jane", "38", ("access_token", "access_token_secret")),
    "microsoftaccount": ("Jane Doe", "4711", ("access_token",)),
    "apple": ("jane@contoso.com", "sub-jane", ("id_token",)),
    "github": ("Jane Doe", "4711", ("access_token",)),
    "contoso": ("sub-jane", "sub-jane", ("id_token",)),
}


@pytest.mark.parametrize("name", EVERY)
async def test_every_provider_signs_clients_in(sqlite_url: str, name: str) -> None:
    """A good token becomes a session token and a stored session, a record, and no cookie."""
    async with served(sqlite_url) as it:
        browser = it.browser()
        got = await post(browser, f"/{name}", good_body(it, name))
        token = token_in(got)
        assert (got.header("content-type"), got.header("cache-control")) == (
            "application/json; charset=utf-8",
            "no-store",
        )
        assert not got.cookies()
        session = await session_of(it, token)
        user_id, subject, kinds = WHO[name]
        identity = session.identity
        assert (session.provider, identity.user_id, identity.subject) == (name, user_id, subject)
        held = {kind for kind in identity.tokens.__struct_fields__ if getattr(identity.tokens, kind) is not None}
        assert held == set(kinds)
        claims = payload(token)
        assert list(claims) == ["stable_sid", "sub", "idp", "ver", "nbf", "exp", "iat", "iss", "aud", "jti"]
        assert (claims["idp"], claims["ver"], claims["iss"], claims["aud"]) == (name, "3", SITE, SITE)
        (record,) = await it.audited("session.started")
        assert record["detail"] == f"{name}:{subject}"


async def test_x_is_another_name_of_twitter(sqlite_url: str) -> None:
    """Both addresses sign in, and the session says twitter."""
    async with served(sqlite_url, "twitter") as it:
        assert payload(token_in(await post(it.browser(), "/x", good_body(it, "twitter"))))["idp"] == "twitter"


async def test_the_token_works_as_a_credential(database_url: str) -> None:
    """X-ZUMO-AUTH with the token is the session; with a letter changed it is nobody's."""
    async with served(database_url, "aad") as it:
        token = token_in(await post(it.browser(), "/aad", good_body(it, "aad")))
        assert "<title>jane@contoso.com</title>" in (await it.browser(f"X-ZUMO-AUTH: {token}").get("/protected")).body
        spoiled = f"X-ZUMO-AUTH: {token[:-5]}{'A' if token[-5] != 'A' else 'B'}{token[-4:]}"
        assert (await it.browser(spoiled).get("/protected")).status == 302


async def test_the_session_token_ends_with_the_providers(sqlite_url: str) -> None:
    """Its `exp` is the provider token's expiry where that is known, else 30 days from now (interface, rulings)."""
    month = int(NOW) + 30 * 86400
    ends = {"aad": int(NOW) + 3600, "facebook": int(NOW) + 60 * 86400, "google": month, "twitter": month}
    async with served(sqlite_url, *ends) as it:
        for name, end in ends.items():
            assert payload(token_in(await post(it.browser(), f"/{name}", good_body(it, name))))["exp"] == end


@pytest.mark.parametrize(
    ("name", "said", "lives"),
    [("aad", 60, 60), ("aad", "60", 60), ("aad", 10**9, 3600), ("microsoftaccount", 120, 120),
     ("microsoftaccount", 10**9, 30 * 86400)],
)  # fmt: skip
async def test_a_client_may_say_how_long_its_token_lives(sqlite_url: str, name: str, said: object, lives: int) -> None:
    """`expires_in` counts as a number or as text, but never beyond what is known of the token, or 30 days."""
    async with served(sqlite_url, name) as it:
        got = await post(it.browser(), f"/{name}", {**good_body(it, name), "expires_in": said})
        assert payload(token_in(got))["exp"] == int(NOW) + lives


# --- bodies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("aad", {}, "access_token"),
        ("aad", {"id_token": "a.b.c"}, "access_token"),
        ("aad", {"access_token": ""}, "access_token"),
        ("aad", {"access_token": None}, "access_token"),
        ("google", {"access_token": "x"}, "id_token"),
        ("google", {"authorization_code": "x"}, "id_token"),
        ("facebook", {"id_token": "x"}, "access_token"),
        ("twitter", {}, "access_token"),
        ("twitter", {"access_token": "x"}, "access_token_secret"),
        ("microsoftaccount", {}, "access_token"),
        ("apple", {}, "id_token"),
        ("github", {}, "access_token"),
        ("contoso", {"access_token": "x"}, "id_token"),
    ],
)
async def test_a_missing_field_is_named(sqlite_url: str, name: str, body: dict[str, object], field: str) -> None:
    """400, with App Service's own words as the whole text (reference 1.4), and nobody asks the provider."""
    async with served(sqlite_url, name) as it:
        got = await post(it.browser(), f"/{name}", body)
        assert (got.status, got.body) == (400, f"'{field}' field is required.")
        assert got.header("content-type") == "text/plain; charset=utf-8"
        assert not it.provider.asked


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"", (JSON,)),
        (b"[]", (JSON,)),
        (b'"x"', (JSON,)),
        (b"{", (JSON,)),
        (b'{"access_token": "a", "access_token": "b"}', (JSON,)),
        (b'{"access_token": "a", "x": {"y": 1, "y": 2}}', (JSON,)),
        (b'{"access_token": 5}', (JSON,)),
        (b'{"access_token": ["a"]}', (JSON,)),
        (b'{"access_token": "a\\nb"}', (JSON,)),
        (b'{"access_token": "\xc3\xa9"}', (JSON,)),
        (b'{"access_token": "a", "expires_in": -1}', (JSON,)),
        (b'{"access_token": "a", "expires_in": true}', (JSON,)),
        (b'{"access_token": "a", "expires_in": "1e3"}', (JSON,)),
        (b'{"access_token": "a", "expires_in": 1.5}', (JSON,)),
        (b'{"access_token": "' + b"a" * 16385 + b'"}', (JSON,)),
        (b'{"access_token": "a"}', ("Content-Type: text/plain",)),
        (b"access_token=a", ("Content-Type: application/x-www-form-urlencoded",)),
        (b"\xff\xfe", (JSON,)),
    ],
)
async def test_a_malformed_body_is_refused(sqlite_url: str, body: bytes, lines: tuple[str, ...]) -> None:
    """400 for whatever could be read in two ways, or is no JSON object of texts."""
    async with served(sqlite_url, "aad") as it:
        got = await post(it.browser(), "/aad", body, *lines)
        assert (got.status, got.code) == (400, "login_body_malformed")
        assert not it.provider.asked


async def test_a_body_of_any_length_is_not_read(sqlite_url: str) -> None:
    """Over 64 KiB: 413."""
    async with served(sqlite_url, "aad") as it:
        assert (await post(it.browser(), "/aad", b" " * 65537)).status == 413


async def test_a_provider_that_is_not_configured_is_not_there(sqlite_url: str) -> None:
    """404, and 405 never says otherwise."""
    async with served(sqlite_url, "aad") as it:
        for name in ("google", "nobody", "AAD"):
            assert (await post(it.browser(), f"/{name}", {"access_token": "x"})).status == 404


# --- tokens that are not to be believed ------------------------------------------------------------------------------

BAD_CLAIMS: list[dict[str, object]] = [
    {"aud": "another-app"},
    {"aud": [CLIENT_ID + "x"]},
    {"aud": []},
    {"aud": None},
    {"iss": "https://elsewhere.example"},
    {"iss": None},
    {"exp": int(NOW) - 61},
    {"exp": None},
    {"exp": "tomorrow"},
    {"nbf": int(NOW) + 61},
    {"iat": int(NOW) + 61},
    {"sub": None},
    {"sub": ""},
]


@pytest.mark.parametrize("changes", BAD_CLAIMS, ids=str)
@pytest.mark.parametrize("name", ["aad", "google", "apple", "contoso"])
async def test_bad_claims_are_refused(sqlite_url: str, name: str, changes: dict[str, object]) -> None:
    """Wrong audience, issuer, times or subject: 401, a record, and no session."""
    async with served(sqlite_url, name) as it:
        field = "access_token" if name == "aad" else "id_token"
        got = await post(it.browser(), f"/{name}", {field: jwt(it.provider, **changes)})
        assert got.status == 401, got
        assert not await it.audited("session.started")
        assert len(await it.audited("sign_in.refused")) == 1


def other_key(it: Entrance) -> str:
    """Sign with a key that nobody published, under the name of one that is."""
    header = {"typ": "JWT", "alg": "RS256", "kid": signer(0).kid}
    return signer(1).sign(header, claims_of(it.provider))


def hs256_with_public_key(it: Entrance) -> str:
    """The public key, taken for an HMAC secret: the oldest confusion."""
    header = {"typ": "JWT", "alg": "HS256", "kid": signer().kid}
    head, body = (_b64(json.dumps(part).encode()) for part in (header, claims_of(it.provider)))
    secret = json.dumps(signer().jwk()).encode()
    return f"{head}.{body}.{_b64(hmac.digest(secret, f'{head}.{body}'.encode(), 'sha256'))}"


def unsigned(it: Entrance) -> str:
    """No signature at all."""
    head, body = (_b64(json.dumps(part).encode()) for part in ({"alg": "none"}, claims_of(it.provider)))
    return f"{head}.{body}."


def spoiled(it: Entrance) -> str:
    """One claim changed after signing."""
    head, _, tail = jwt(it.provider).split(".")
    return f"{head}.{_b64(json.dumps(claims_of(it.provider, sub='sub-john')).encode())}.{tail}"


def no_token(_: Entrance) -> str:
    """Something that only looks like one."""
    return "a.b.c"


@pytest.mark.parametrize("forge", [other_key, hs256_with_public_key, unsigned, spoiled, no_token])
@pytest.mark.parametrize("name", ["aad", "google", "apple", "contoso"])
async def test_forged_tokens_are_refused(sqlite_url: str, name: str, forge: Any) -> None:
    """A signature that is not the issuer's is none, whatever the header says."""
    async with served(sqlite_url, name) as it:
        got = await post(it.browser(), f"/{name}", {"access_token" if name == "aad" else "id_token": forge(it)})
        assert (got.status, got.code) == (401, "id_token_refused")


async def test_allowed_audiences_count(sqlite_url: str) -> None:
    """Aad and google: client id or `allowedAudiences`; a google token may have been obtained by a mobile client."""
    plans = {name: {"audiences": ("api://app",)} for name in ("aad", "google")}
    async with served(sqlite_url, "aad", "google", plans=plans) as it:
        for name, field in (("aad", "access_token"), ("google", "id_token")):
            body = {field: jwt(it.provider, aud="api://app", azp="android-client")}
            assert (await post(it.browser(), f"/{name}", body)).status == 200
            body = {field: jwt(it.provider, aud="api://other")}
            assert (await post(it.browser(), f"/{name}", body)).status == 401


async def test_an_access_token_is_no_id_token(sqlite_url: str) -> None:
    """A JWT that calls itself an access token counts where one is wanted, and nowhere else (RFC 9068 section 2.1)."""
    async with served(sqlite_url, "aad", "google") as it:
        it.provider.header["typ"] = "at+jwt"
        assert (await post(it.browser(), "/aad", {"access_token": jwt(it.provider)})).status == 200
        assert (await post(it.browser(), "/google", {"id_token": jwt(it.provider)})).status == 401


async def test_the_policy_counts_with_the_application(sqlite_url: str) -> None:
    """`allowedApplications` applies here: 403 for another client's token, with a record of who it was."""
    judge = judge_of(GuestList.of(), checks_application=True)
    plans = {"aad": {"policy": Policy(applications=("good-app",))}}
    async with served(sqlite_url, "aad", plans=plans, judge_posted=judge) as it:
        good = await post(it.browser(), "/aad", {"access_token": jwt(it.provider, azp="good-app", ver="2.0")})
        assert good.status == 200
        for azp in ("bad-app", None):
            got = await post(it.browser(), "/aad", {"access_token": jwt(it.provider, azp=azp, ver="2.0")})
            assert (got.status, got.code) == (403, APPLICATION_NOT_ADMITTED.code)
        assert [record["detail"] for record in await it.audited("sign_in.refused")] == ["aad: aad:sub-jane"] * 2


async def test_the_guest_list_counts(sqlite_url: str) -> None:
    """Who is not on the list is 403 by a client's token as well."""
    judge = judge_of(GuestList.of(emails=["john@contoso.com"]), checks_application=True)
    async with served(sqlite_url, "google", judge_posted=judge) as it:
        got = await post(it.browser(), "/google", {"id_token": jwt(it.provider, email_verified=True)})
        assert (got.status, got.code) == (403, PERSON_NOT_ADMITTED.code)


# --- what comes along ------------------------------------------------------------------------------------------------


async def test_what_comes_along_with_an_aad_token_is_kept(sqlite_url: str) -> None:
    """The id_token is verified too, and the refresh token goes to the store."""
    async with served(sqlite_url, "aad") as it:
        id_token = jwt(it.provider, sub="sub-jane")
        body = {**good_body(it, "aad"), "id_token": id_token, "refresh_token": canary("posted-refresh")}
        tokens = (await session_of(it, token_in(await post(it.browser(), "/aad", body)))).identity.tokens
        assert (tokens.id_token, tokens.refresh_token) == (id_token, canary("posted-refresh"))


async def test_an_id_token_for_another_application_is_left_out(sqlite_url: str) -> None:
    """A mobile client's own id_token says nothing to us; the access token alone counts."""
    async with served(sqlite_url, "aad") as it:
        body = {**good_body(it, "aad"), "id_token": jwt(it.provider, aud="mobile-app")}
        assert (await session_of(it, token_in(await post(it.browser(), "/aad", body)))).identity.tokens.id_token is None


@pytest.mark.parametrize("changes", [{"oid": "oid-john"}, {"oid": None}, {"exp": int(NOW) - 100}, {"iss": "https://x"}])
async def test_a_bad_id_token_beside_a_good_token_is_refused(sqlite_url: str, changes: dict[str, object]) -> None:
    """Somebody else's id_token, an expired or a foreign one: 401, not a session with half of it."""
    async with served(sqlite_url, "aad") as it:
        body = {**good_body(it, "aad"), "id_token": jwt(it.provider, **changes)}
        assert (await post(it.browser(), "/aad", body)).code == "id_token_refused"


async def test_google_codes_are_redeemed(sqlite_url: str) -> None:
    """`authorization_code` brings access and refresh token, redeemed with the `redirect_uri` of the client."""
    async with served(sqlite_url, "google") as it:
        code = keep_secret("code-of-android")
        it.provider.codes[code] = {**claims_of(it.provider), "redirect_uri": "https://app.example/cb"}
        body = {
            "id_token": jwt(it.provider, name="Jane of the client"),
            "authorization_code": code,
            "redirect_uri": "https://app.example/cb",
        }
        identity = (await session_of(it, token_in(await post(it.browser(), "/google", body)))).identity
        assert identity.tokens.id_token == body["id_token"]
        assert identity.tokens.access_token == canary("access-sub-jane")
        assert identity.tokens.refresh_token == canary("refresh-sub-jane")
        (asked,) = it.provider.requests("/token")
        assert asked.form["redirect_uri"] == "https://app.example/cb"
        assert asked.form["client_secret"] == canary("client-secret-google")


@pytest.mark.parametrize(
    ("person", "sent", "code"),
    [("sub-john", "https://app.example/cb", "id_token_refused"), ("sub-jane", "", "code_refused")],
)
async def test_a_code_of_somebody_else_is_refused(sqlite_url: str, person: str, sent: str, code: str) -> None:
    """A code that gives another person's tokens, or none, makes no session."""
    async with served(sqlite_url, "google") as it:
        it.provider.codes["c"] = {**claims_of(it.provider, sub=person), "redirect_uri": "https://app.example/cb"}
        body = {**good_body(it, "google"), "authorization_code": "c", "redirect_uri": sent}
        assert (await post(it.browser(), "/google", body)).code == code


async def test_an_access_token_belongs_to_its_id_token(sqlite_url: str) -> None:
    """Custom providers: where the id_token has at_hash, another access token is refused."""
    async with served(sqlite_url, "contoso") as it:
        ours, other = canary("posted-access"), canary("other-access")
        body = {"id_token": jwt(it.provider, at_hash=half_hash(ours)), "access_token": ours, "expires_in": 60}
        tokens = (await session_of(it, token_in(await post(it.browser(), "/contoso", body)))).identity.tokens
        assert (tokens.access_token, tokens.expires_on) == (ours, int((NOW + 60) * 10_000_000))
        assert (await post(it.browser(), "/contoso", {**body, "access_token": other})).code == "id_token_refused"


# --- facebook --------------------------------------------------------------------------------------------------------


async def test_graph_is_asked_whose_token_it_is(sqlite_url: str) -> None:
    """`debug_token` as the application itself, `/me` with the proof of the secret, and the expiry that Graph tells."""
    async with served(sqlite_url, "facebook") as it:
        token = canary("token-of-facebook")
        await post(it.browser(), "/facebook", {"access_token": token})
        (debug,), (me,) = it.provider.requests("/debug_token"), it.provider.requests("/user")
        secret = canary("client-secret-facebook")
        assert (debug.query["input_token"], debug.query["access_token"]) == (token, f"{CLIENT_ID}|{secret}")
        assert me.query["appsecret_proof"] == hmac.new(secret.encode(), token.encode(), "sha256").hexdigest()
        assert me.query["fields"].startswith("id,name,email,")
        assert me.headers["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize(
    ("debug", "code"),
    [
        ({"app_id": "another-app"}, "token_of_another_app"),
        ({"app_id": "another-app", "is_valid": False}, "token_of_another_app"),
        ({"app_id": None}, "token_of_another_app"),
        ({"user_id": "4712"}, "token_of_another_app"),
        ({"app_id": None, "is_valid": False}, "provider_token_invalid"),
        ({"is_valid": False}, "provider_token_invalid"),
        ({"is_valid": "true"}, "provider_token_invalid"),
        ({"is_valid": None}, "provider_token_invalid"),
        ({"type": "PAGE"}, "provider_token_invalid"),
        ({"type": "APP"}, "provider_token_invalid"),
        ({"expires_at": int(NOW)}, "provider_token_invalid"),
        ({"expires_at": "never"}, "provider_token_invalid"),
    ],
    ids=str,
)
async def test_a_token_that_is_not_ours_or_no_good_is_refused(
    sqlite_url: str, debug: dict[str, object], code: str
) -> None:
    """Another application's token, an invalid or expired one, a page's, another person's: 401, and which of them."""
    async with served(sqlite_url, "facebook") as it:
        around(it).debug |= debug
        got = await post(it.browser(), "/facebook", good_body(it, "facebook"))
        assert (got.status, got.code) == (401, code)


@pytest.mark.parametrize(
    ("path", "reply", "status"),
    [
        ("/debug_token", peers.answer(b"{}"), 502),
        ("/debug_token", peers.answer(b"[]"), 502),
        ("/debug_token", peers.answer(b"", status="500 No"), 502),
        ("/debug_token", peers.answer(b"", status="429 No"), 502),
        ("/debug_token", peers.answer(b'{"error": {}}', status="400 No"), 401),
        ("/user", peers.answer(b'{"error": {}}', status="400 No"), 401),
        ("/user", peers.answer(b"{}"), 401),
        ("/user", peers.answer(b"", status="503 No"), 502),
    ],
)
async def test_a_provider_that_does_not_answer(sqlite_url: str, path: str, reply: bytes, status: int) -> None:
    """No answer is 502 and a no is 401; neither becomes a session."""
    async with served(sqlite_url, "facebook") as it:
        it.provider.answers[path] = reply
        assert (await post(it.browser(), "/facebook", good_body(it, "facebook"))).status == status
        assert not await it.audited("session.started")


# --- github ----------------------------------------------------------------------------------------------------------


async def test_github_is_asked_whose_token_it_is(sqlite_url: str) -> None:
    """The check of a token, as the application itself, before the profile."""
    async with served(sqlite_url, "github") as it:
        await post(it.browser(), "/github", good_body(it, "github"))
        check, profile = it.provider.asked
        given = base64.b64decode(check.headers["authorization"].removeprefix("Basic ")).decode()
        assert given == f"{CLIENT_ID}:{canary('client-secret-github')}"
        assert (check.method, profile.path) == ("POST", "/user")


@pytest.mark.parametrize(
    ("check", "status"),
    [
        (peers.answer(b"{}", status="404 Not Found"), 401),
        (peers.answer(b"{}", status="422 No"), 401),
        (peers.answer(b"{}"), 401),
        (peers.answer(b'{"app": {"client_id": "another"}, "user": {"id": 4711}}'), 401),
        (peers.answer(json.dumps({"app": {"client_id": CLIENT_ID}, "user": {"id": 4712}}).encode()), 401),
        (peers.answer(b"{}", status="500 No"), 502),
        (peers.answer(b"nonsense"), 502),
    ],
)
async def test_a_token_that_github_knows_of_another_app_is_refused(sqlite_url: str, check: bytes, status: int) -> None:
    """What GitHub does not know as ours signs nobody in."""
    async with served(sqlite_url, "github") as it:
        around(it).check = check
        assert (await post(it.browser(), "/github", good_body(it, "github"))).status == status
        assert not await it.audited("session.started")


async def test_a_server_of_ones_own_is_asked_for_the_profile_alone(sqlite_url: str) -> None:
    """GitHub's own address says nothing of the tokens of another server, and never gets to see them."""
    async with served(sqlite_url, "github", turn=with_githubs_own_check) as it:
        assert (await post(it.browser(), "/github", good_body(it, "github"))).status == 200
        assert [asked.path for asked in it.provider.asked] == ["/user"]


def with_githubs_own_check(plan: AuthPlan) -> AuthPlan:
    """Leave the built-in address of the check as it is."""
    github = plan.providers["github"]
    own = github.spec.endpoints.token_info_endpoint
    changed = replace(github, endpoints=replace(github.endpoints, token_info_endpoint=own))
    return replace(plan, providers={"github": changed})


# --- twitter, microsoftaccount ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"access_token": "x"}, {"access_token_secret": "x"}])
async def test_half_a_token_of_x_is_nothing(sqlite_url: str, changes: dict[str, str]) -> None:
    """Both halves must fit, since the request for the profile is signed with them."""
    async with served(sqlite_url, "twitter") as it:
        got = await post(it.browser(), "/twitter", good_body(it, "twitter") | changes)
        assert (got.status, got.code) == (401, "nobody_known")


async def test_an_authentication_token_signs_in_alone(sqlite_url: str) -> None:
    """The preferred way of a Microsoft account: nobody is asked, and the person is the token's `uid`."""
    async with served(sqlite_url, "microsoftaccount") as it:
        token = live_token()
        got = await post(it.browser(), "/microsoftaccount", {"authentication_token": token, "access_token": "ignored"})
        session = await session_of(it, token_in(got))
        assert session.identity.subject == "0123456789abcdef0123456789abcdef"
        assert session.identity.tokens.authentication_token == token
        assert session.identity.tokens.access_token is None
        assert session.token_expires_at == int(NOW) + 86400
        assert not it.provider.asked


BAD_LIVE_TOKENS = [
    partial(live_token, "another-secret"),
    partial(live_token, ""),
    partial(live_token, alg="none"),
    partial(live_token, alg="HS512"),
    partial(live_token, alg="RS256"),
    partial(live_token, aud="other.test"),
    partial(live_token, aud=None),
    partial(live_token, iss="urn:windows:other"),
    partial(live_token, iss=None),
    partial(live_token, exp=int(NOW) - 61),
    partial(live_token, exp=None),
    partial(live_token, exp="9999999999"),
    partial(live_token, uid=None),
    partial(live_token, uid=""),
    partial(live_token, nbf=int(NOW) + 100),
    lambda: live_token() + "x",
    lambda: live_token().rpartition(".")[0] + ".",
    lambda: live_token().replace(".", "..", 1),
    lambda: signer().sign({"alg": "RS256", "kid": signer().kid}, {"uid": "1", "aud": "app.test"}),
]


@pytest.mark.parametrize("make", BAD_LIVE_TOKENS)
async def test_bad_authentication_tokens_are_refused(sqlite_url: str, make: Any) -> None:
    """Another secret, algorithm, audience, issuer or time: 401, and an access token beside it does not help."""
    async with served(sqlite_url, "microsoftaccount") as it:
        body = {"authentication_token": make(), "access_token": canary("token-of-live")}
        assert (await post(it.browser(), "/microsoftaccount", body)).code == "id_token_refused"


async def test_without_a_secret_no_authentication_token_counts(sqlite_url: str) -> None:
    """Everybody can sign under the key that an empty secret makes."""
    plans = {"microsoftaccount": {"client_secret": Secret("")}}
    async with served(sqlite_url, "microsoftaccount", plans=plans) as it:
        assert (await post(it.browser(), "/microsoftaccount", {"authentication_token": live_token("")})).status == 401


# --- a session token for a session token -----------------------------------------------------------------------------


async def test_a_session_token_is_exchanged(database_url: str) -> None:
    """A new token for the same session, which ends when the first does; the first goes on."""
    async with served(database_url, "aad") as it:
        browser = it.browser()
        first = token_in(await post(browser, "/aad", good_body(it, "aad")))
        it.clock.advance(100)
        second = token_in(await post(browser, "", {"authenticationToken": first}))
        one, two = payload(first), payload(second)
        assert two["iat"] == one["iat"] + 100
        assert {name: one[name] for name in ("jti", "exp", "sub", "stable_sid", "idp")} == {
            name: two[name] for name in ("jti", "exp", "sub", "stable_sid", "idp")
        }


async def test_what_is_no_session_token_is_refused(sqlite_url: str) -> None:
    """Missing: 400. Spoiled, expired, of an ended session, a cookie or a provider's token: 401."""
    async with served(sqlite_url, "aad", "google") as it:
        browser = it.browser()
        got = await post(browser, "", {})
        assert (got.status, got.body) == (400, "'authenticationToken' field is required.")
        good = token_in(await post(browser, "/aad", good_body(it, "aad")))
        await it.sign_in_as(browser, "google")
        for wrong in (good[:-2], jwt(it.provider), browser.session, "x"):
            assert (await post(it.browser(), "", {"authenticationToken": wrong})).code == "invalid_session_token"
        await it.parts.desk.end(payload(good)["jti"], NOW)
        assert (await post(it.browser(), "", {"authenticationToken": good})).code == "invalid_session_token"
        late = token_in(await post(it.browser(), "/aad", good_body(it, "aad")))
        it.clock.advance(3600)
        assert (await post(it.browser(), "", {"authenticationToken": late})).code == "invalid_session_token"
