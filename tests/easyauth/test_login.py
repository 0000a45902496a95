import html
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from doorward.base.secret import Secret
from doorward.config.auth_plan import AuthPlan
from tests.support import peers
from tests.support.sign_in import CLIENT_ID, entrance, query_of

NONCE = re.compile(r"[0-9a-f]{32}_20270115080500")  # NOW and five minutes
EVERY = ("aad", "google", "github", "contoso")


def address(location: str) -> str:
    """Give an authorization address with its nonce made known."""
    return NONCE.sub("NONCE", location)


# --- the authorization request -------------------------------------------------------------------------------------

EXPECTED = {
    "aad": "/authorize?response_type=code+id_token"
    "&redirect_uri=http%3A%2F%2Fapp.test%2F.auth%2Flogin%2Faad%2Fcallback"
    f"&client_id={CLIENT_ID}&scope=openid+profile+email&response_mode=form_post&nonce=NONCE&state=redir%3D%252F",
    "google": f"/authorize?response_type=code&client_id={CLIENT_ID}"
    "&redirect_uri=http%3A%2F%2Fapp.test%2F.auth%2Flogin%2Fgoogle%2Fcallback"
    "&scope=openid+profile+email&state=redir%3D%252F%26nonce%3DNONCE",
    "github": f"/authorize?client_id={CLIENT_ID}"
    "&redirect_uri=http%3A%2F%2Fapp.test%2F.auth%2Flogin%2Fgithub%2Fcallback"
    "&state=redir%3D%252F%26nonce%3DNONCE",
    "contoso": f"/authorize?response_type=code&client_id={CLIENT_ID}"
    "&redirect_uri=http%3A%2F%2Fapp.test%2F.auth%2Flogin%2Fcontoso%2Fcallback"
    "&nonce=NONCE&state=redir%3D%252F&scope=openid+profile+email",
}


@pytest.mark.parametrize("provider", EVERY)
async def test_the_request_is_the_one_that_was_captured(sqlite_url: str, provider: str) -> None:
    """Parameters, their order and their encoding are those of reference 2.2 and 2.3."""
    async with entrance(sqlite_url, *EVERY) as it:
        begun = await it.browser().get(f"/.auth/login/{provider}?post_login_redirect_uri=/")
        assert begun.status == 302
        assert address(begun.location) == it.provider.url + EXPECTED[provider]


async def test_without_a_secret_only_an_id_token_is_asked_for(sqlite_url: str) -> None:
    """An aad registration without a secret cannot redeem a code, so it asks for none."""
    async with entrance(sqlite_url, plans={"aad": {"client_secret": Secret("")}}) as it:
        begun = await it.browser().get("/.auth/login/aad")
        assert query_of(begun.location)["response_type"] == ["id_token"]


@pytest.mark.parametrize(
    ("target", "state"),
    [
        ("/", "redir%3D%252F"),
        ("/a?b=c", "redir%3D%252Fa%253Fb%253Dc"),
        ("/a%20b", "redir%3D%252Fa%252520b"),
        ("http://app.test/x#y", "redir%3Dhttp%253A%252F%252Fapp.test%252Fx%2523y"),
    ],
)
async def test_the_state_is_encoded_twice(sqlite_url: str, target: str, state: str) -> None:
    """`redir=` and the target, encoded, and then encoded once more as every parameter is."""
    async with entrance(sqlite_url) as it:
        begun = await it.browser().get(f"/.auth/login/aad?post_login_redirect_uri={quote(target, safe='')}")
        assert begun.location.endswith(f"&state={state}")


async def test_login_parameters_replace_defaults(sqlite_url: str) -> None:
    """What the registration says wins over what is built in, in its place; what ties the answer to us stays."""
    given = (
        ("scope", "openid offline_access"),
        ("prompt", "login"),
        ("resource", "https://graph.example"),
        ("acr_values", "mfa"),
        ("state", "mine"),
        ("nonce", "mine"),
        ("redirect_uri", "https://evil.example"),
        ("client_id", "other"),
    )
    async with entrance(sqlite_url, plans={"aad": {"login_parameters": given}}) as it:
        location = (await it.browser().get("/.auth/login/aad?post_login_redirect_uri=/")).location
        assert address(location) == it.provider.url + EXPECTED["aad"].replace(
            "openid+profile+email", "openid+offline_access&prompt=login&acr_values=mfa"
        ).replace("&nonce", "&resource=https%3A%2F%2Fgraph.example&nonce")


async def test_parameters_of_the_address_replace_settings(sqlite_url: str) -> None:
    """Who signs in may say more than the registration: their parameters win, and only those that are handed on."""
    plans: dict[str, dict[str, Any]] = {
        "google": {"login_parameters": (("prompt", "none"), ("hd", "contoso.com")), "scopes": ("openid", "email")}
    }
    async with entrance(sqlite_url, "google", plans=plans) as it:
        asked = {
            "access_type": "offline",
            "prompt": "consent",
            "login_hint": "a@b",
            "hd": "evil",
            "state": "x",
            "x": "y",
        }
        query = query_of((await it.browser().get(f"/.auth/login/google?{urlencode(asked)}")).location)
        assert query["access_type"] == ["offline"]
        assert query["prompt"] == ["consent"]
        assert query["login_hint"] == ["a@b"]
        assert query["hd"] == ["contoso.com"]
        assert query["scope"] == ["openid email"]
        assert "x" not in query
        assert query["state"][0].startswith("redir=")


@pytest.mark.parametrize(
    ("asked", "sent"),
    [("id_token", ["id_token"]), ("code id_token", ["code id_token"]), ("code", ["code"])],
)
async def test_a_response_type_that_we_can_take_is_handed_on(sqlite_url: str, asked: str, sent: list[str]) -> None:
    """Whatever comes with an id_token is asked for as a form, since no server sees a fragment."""
    async with entrance(sqlite_url, "contoso") as it:
        browser = it.browser()
        begun = await browser.get(f"/.auth/login/contoso?{urlencode({'response_type': asked})}")
        query = query_of(begun.location)
        assert query["response_type"] == sent
        assert query.get("response_mode") == (["form_post"] if "id_token" in asked else None)
        assert (await browser.bring(it.provider.consent(begun.location))).status == 302
        assert browser.session


@pytest.mark.parametrize("asked", ["token", "code token", "id_token token", "none", "code  id_token", "CODE"])
async def test_a_response_type_that_we_cannot_take_is_refused(sqlite_url: str, asked: str) -> None:
    """A token in the front channel would pass through the address bar."""
    async with entrance(sqlite_url) as it:
        got = await it.browser().get(f"/.auth/login/aad?{urlencode({'response_type': asked})}")
        assert (got.status, got.code) == (400, "sign_in_malformed")


async def test_an_id_token_without_our_nonce_is_not_asked_for(sqlite_url: str) -> None:
    """Where the nonce travels in the state, an id_token by the browser could be anybody's of any time."""
    async with entrance(sqlite_url, "google") as it:
        got = await it.browser().get("/.auth/login/google?response_type=id_token")
        assert (got.status, got.code) == (400, "sign_in_malformed")


# --- the sign-in address -------------------------------------------------------------------------------------------


async def test_without_a_target_there_is_a_page_to_land_on(sqlite_url: str) -> None:
    """An explicit sign-in with no word of where to go ends on our own page."""
    async with entrance(sqlite_url) as it:
        browser = it.browser()
        begun = await browser.get("/.auth/login/aad")
        done = await browser.bring(it.provider.consent(begun.location))
        assert done.location == "/.auth/login/complete"
        page = await browser.get(done.location)
        assert (page.status, page.header("content-type")) == (200, "text/html; charset=utf-8")
        assert "You are signed in" in page.body


@pytest.mark.parametrize("name", ["post_login_redirect_uri", "post_login_redirect_url"])
async def test_both_spellings_of_the_target_are_understood(sqlite_url: str, name: str) -> None:
    """Libraries write one or the other."""
    async with entrance(sqlite_url) as it:
        begun = await it.browser().get(f"/.auth/login/aad?{name}=/there")
        assert query_of(begun.location)["state"] == ["redir=%2Fthere"]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "http:evil.example",
        "https://app.test/",
        "http://app.test:81/",
        "http://APP.test/",
        "http://app.test@evil.example/",
        "http://app.test.evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "/a\r\nSet-Cookie: a=b",
        "/\t/evil.example",
        "/%5c/evil.example",
        "evil",
        "/" + "a" * 2048,
    ],
)
@pytest.mark.parametrize("path", ["/.auth/login/aad", "/.auth/login"])
async def test_a_foreign_target_is_refused_before_anything_begins(sqlite_url: str, path: str, target: str) -> None:
    """400, without a cookie, and nobody is sent anywhere."""
    async with entrance(sqlite_url) as it:
        got = await it.browser().get(f"{path}?post_login_redirect_uri={quote(target, safe='')}")
        assert (got.status, got.code) == (400, "redirect_target_not_allowed")
        assert not got.cookies()


async def test_listed_targets_are_allowed(sqlite_url: str) -> None:
    """An entry of allowedExternalRedirectUrls may be gone to, and is gone to."""

    def listed(plan: AuthPlan) -> AuthPlan:
        return replace(plan, allowed_targets=("https://other.example/in",))

    async with entrance(sqlite_url, turn=listed) as it:
        browser = it.browser()
        done = await it.sign_in_as(browser, "aad", target="https://other.example/in/here?x=1")
        assert done.location == "https://other.example/in/here?x=1"


@pytest.mark.parametrize(
    "query",
    [
        "post_login_redirect_uri=/a&post_login_redirect_uri=/b",
        "login_hint=a&login_hint=a",
        "prompt=%zz",
        "login_hint=%ff",
        "login_hint=" + "a" * 1025,
        "login_hint=a%0d%0ab",
        "&".join(f"x{n}=1" for n in range(300)),
    ],
)
async def test_a_malformed_address_is_refused(sqlite_url: str, query: str) -> None:
    """A parameter twice, broken escapes, overlong values and control characters are nobody's wish."""
    async with entrance(sqlite_url) as it:
        got = await it.browser().get(f"/.auth/login/aad?{query}")
        assert (got.status, got.code) == (400, "sign_in_malformed")


@pytest.mark.parametrize(
    ("site", "attributes"),
    [
        ("https://app.test", "; path=/; max-age=3900; secure; HttpOnly; SameSite=None"),
        ("http://app.test", "; path=/; max-age=3900; HttpOnly; SameSite=Lax"),
    ],
)
async def test_cookies_fit_the_scheme(sqlite_url: str, site: str, attributes: str) -> None:
    """On https a cookie has to survive a form from the provider; on http `SameSite=None` does not exist."""
    async with entrance(sqlite_url, site=site) as it:
        browser = it.browser()
        begun = await browser.get("/.auth/login/aad")
        assert begun.cookies()["Nonce"].endswith(attributes)
        done = await browser.bring(it.provider.consent(begun.location))
        session = done.cookies()["AppServiceAuthSession"]
        assert session.endswith(attributes.replace("max-age=3900", "expires=Fri, 15 Jan 2027 16:00:00 GMT"))


async def test_the_second_name_of_a_provider_is_an_address(sqlite_url: str) -> None:
    """X is served as `x` and as `twitter`; whichever was asked, the redirect URI has the name of the settings."""

    def renamed(plan: AuthPlan) -> AuthPlan:
        google = plan.providers["google"]
        spec = replace(google.spec, name="twitter", aliases=("x",))
        return replace(plan, providers={"twitter": replace(google, name="twitter", spec=spec)})

    async with entrance(sqlite_url, "google", turn=renamed) as it:
        for name in ("x", "twitter"):
            begun = await it.browser().get(f"/.auth/login/{name}")
            assert query_of(begun.location)["redirect_uri"] == ["http://app.test/.auth/login/twitter/callback"]


@pytest.mark.parametrize(
    "path", ["/.auth/login/nobody", "/.auth/login/", "/.auth/login/aad/", "/.auth/nothing", "/.auth"]
)
async def test_unknown_addresses_are_404(sqlite_url: str, path: str) -> None:
    """What is below the prefix and nobody's is refused there, in JSON for programs."""
    async with entrance(sqlite_url) as it:
        got = await it.browser().get(path)
        assert (got.status, got.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/.auth/login/aad"), ("DELETE", "/.auth/logout"), ("PUT", "/.auth/login")]
)
async def test_wrong_methods_are_405(sqlite_url: str, method: str, path: str) -> None:
    """The answer names what is possible."""
    async with entrance(sqlite_url) as it:
        got = await it.browser().get(path, method=method)
        assert got.status == 405
        assert "GET" in got.header("allow")


async def test_a_provider_that_was_never_found_is_502(sqlite_url: str) -> None:
    """Without the discovery document nobody knows where to sign in; the page says so and offers nothing else."""
    async with entrance(sqlite_url) as it:
        it.provider.answers["/.well-known/openid-configuration"] = peers.answer(b"", status="500 Oops")
        got = await it.browser("Accept: text/html").get("/.auth/login/aad")
        assert got.status == 502
        assert "discovery_failed" in got.body
        assert not got.cookies()


async def test_plain_http_is_sent_to_https_first(sqlite_url: str) -> None:
    """Where HTTPS is demanded a sign-in does not begin in the clear, and nothing posted in the clear is looked at."""

    def demanding(plan: AuthPlan) -> AuthPlan:
        return replace(plan, require_https=True)

    async with entrance(sqlite_url, site="https://app.test", turn=demanding, https_site="https://app.test") as it:
        got = await it.browser().get("/.auth/login/aad?post_login_redirect_uri=/a")
        assert (got.status, got.location) == (301, "https://app.test/.auth/login/aad?post_login_redirect_uri=/a")
        assert not got.cookies()
        posted = await it.browser().post("/.auth/login/aad/callback", [("code", "x")])
        assert (posted.status, posted.code) == (403, "https_required")


# --- the page to choose --------------------------------------------------------------------------------------------


async def test_people_choose_a_provider(sqlite_url: str) -> None:
    """The page has one link for each provider, and hands on what it was asked with."""
    async with entrance(sqlite_url, *EVERY) as it:
        page = await it.browser().get("/.auth/login?post_login_redirect_uri=/a%3Fb%26c&login_hint=j%40x")
        assert page.status == 200
        links = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', page.body)]
        wanted = "?post_login_redirect_uri=%2Fa%3Fb%26c&login_hint=j%40x"
        assert links == [f"/.auth/login/{name}{wanted}" for name in EVERY]
        assert "frame-ancestors 'none'" in page.header("content-security-policy")
        begun = await it.browser().get(links[0])
        assert query_of(begun.location)["login_hint"] == ["j@x"]


async def test_without_providers_there_is_nobody_to_choose(sqlite_url: str) -> None:
    """401, which tells an operator what is missing."""

    def without(plan: AuthPlan) -> AuthPlan:
        return replace(plan, providers={})

    async with entrance(sqlite_url, turn=without) as it:
        got = await it.browser().get("/.auth/login")
        assert (got.status, got.code) == (401, "no_provider")


# --- sign-ins that nobody asked for --------------------------------------------------------------------------------


async def test_a_protected_page_leads_straight_to_the_provider(sqlite_url: str) -> None:
    """No hop between: the page's address is the target, query and all."""
    async with entrance(sqlite_url) as it:
        browser = it.browser()
        begun = await browser.get("/protected?x=1&y=%2F")
        assert begun.status == 302
        assert begun.location.startswith(f"{it.provider.url}/authorize?")
        assert set(browser.cookies) >= {"Nonce", "RedirectCount"}
        done = await browser.bring(it.provider.consent(begun.location))
        assert done.location == "/protected?x=1&y=%2F"
        assert list(browser.cookies) == ["AppServiceAuthSession"]


async def test_a_login_hint_is_handed_on_and_kept(sqlite_url: str) -> None:
    """It goes to the provider and stays in the target; nothing else of an application's query is handed on."""
    async with entrance(sqlite_url) as it:
        query = query_of((await it.browser().get("/protected?login_hint=a%40b&prompt=none&scope=x")).location)
        assert query["login_hint"] == ["a@b"]
        assert "prompt" not in query
        assert query["scope"] == ["openid profile email"]
        assert query["state"] == ["redir=%2Fprotected%3Flogin_hint%3Da%2540b%26prompt%3Dnone%26scope%3Dx"]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/protected?" + "x" * 3000, "/protected"),
        ("/protected?login_hint=a&login_hint=b", "/protected?login_hint=a&login_hint=b"),
        ("/protected?x=%zz", "/protected?x=%zz"),
        ("/protected?a[]=1", "/protected?a[]=1"),
        ('/protected?a="b', "/protected?a=%22b"),
    ],
)
async def test_an_odd_address_still_leads_to_a_sign_in(sqlite_url: str, path: str, target: str) -> None:
    """An application's query is its own: what cannot be gone back to loses its query, and nobody gets a 400 for it."""
    async with entrance(sqlite_url) as it:
        begun = await it.browser().get(path)
        assert begun.status == 302
        assert query_of(begun.location)["state"] == [f"redir={quote(target, safe='')}"]


async def test_going_round_in_circles_ends(sqlite_url: str) -> None:
    """The sixth time in a row that one page leads to the provider it is 401; another page is no circle."""
    async with entrance(sqlite_url) as it:
        browser = it.browser()
        assert [(await browser.get("/protected")).status for _ in range(5)] == [302] * 5
        got = await browser.get("/protected")
        assert (got.status, got.body) == (401, "redirect_loop")
        assert (await browser.get("/other")).status == 302
        assert (await browser.get("/.auth/login/aad")).status == 302


async def test_fragments_survive_where_that_is_set(sqlite_url: str) -> None:
    """A page of ours takes the fragment down before the sign-in, and the last redirect puts it back."""

    def preserving(plan: AuthPlan) -> AuthPlan:
        return replace(plan, preserve_fragments=True)

    async with entrance(sqlite_url, turn=preserving) as it:
        browser = it.browser()
        page = await browser.get("/protected?x=1")
        assert page.status == 200
        assert "script-src 'sha256-" in page.header("content-security-policy")
        (to,) = re.findall(r'data-to="([^"]+)"', page.body)
        (name,) = re.findall(r'data-cookie="([^"]+)"', page.body)
        assert 'data-attributes="; path=/.auth/login/aad/callback; max-age=300; SameSite=Lax"' in page.body
        assert "Nonce" in browser.cookies
        browser.cookies[name] = "a%2Fb%20%3Cc%3E"
        done = await browser.bring(it.provider.consent(html.unescape(to)))
        assert done.location == "/protected?x=1#a/b%20%3Cc%3E"
        assert list(browser.cookies) == ["AppServiceAuthSession"]


@pytest.mark.parametrize("value", ["a b", "a%0d%0aX", "%zz", "%ff", "a" * 4000, "<script>"])
async def test_a_fragment_cannot_break_out(sqlite_url: str, value: str) -> None:
    """A cookie that somebody planted becomes a fragment at most, and never a header or another address."""

    def preserving(plan: AuthPlan) -> AuthPlan:
        return replace(plan, preserve_fragments=True)

    async with entrance(sqlite_url, turn=preserving) as it:
        browser = it.browser()
        page = await browser.get("/protected")
        (name,) = re.findall(r'data-cookie="([^"]+)"', page.body)
        browser.cookies[name] = value
        (to,) = re.findall(r'data-to="([^"]+)"', page.body)
        done = await browser.bring(it.provider.consent(html.unescape(to)))
        assert done.location in {"/protected", "/protected#a%0D%0AX"}


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (("Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate"), 2),
        (("Sec-Fetch-Dest: iframe",), 2),
        (("Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: navigate"), 2),
        (("Sec-Fetch-Dest: image", "Sec-Fetch-Mode: no-cors"), 1),
        (("Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors", "Accept: text/html"), 1),
        (("Accept: text/html,*/*",), 2),
        (("Accept: */*",), 2),
        ((), 2),
    ],
)
async def test_what_shows_no_page_gets_one_cookie(sqlite_url: str, lines: tuple[str, ...], count: int) -> None:
    """Hundreds of pictures that are led to the provider at once leave one cookie behind, not one each."""
    async with entrance(sqlite_url, "aad") as it:
        begun = await it.browser(*lines).get("/protected")
        assert begun.status == 302
        assert sum(name.startswith("Nonce") for name in begun.cookies()) == count
