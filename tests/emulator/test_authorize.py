from typing import Any
from urllib.parse import urlencode

import jwt
import pytest

from doorward.base.clock import FrozenClock
from doorward.emulator.id_tokens import half_hash
from tests.emulator.relying import AUTHORIZE, CLIENTS, JANE, SITE, RelyingParty, alias, claims_of, returned

PROVIDERS = list(AUTHORIZE)
WITH_ID_TOKEN = ["aad", "aad1", "google", "contoso"]


# --- the good way --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_code_becomes_tokens(app: RelyingParty, provider: str) -> None:
    """Every provider signs a person in by code, and gives its state back as it came."""
    back = await app.sign_in(provider, state="a b&c=d")
    assert (back["state"], back[""]) == ("a b&c=d", "?")
    tokens = (await app.redeem(provider, back["code"])).json()
    assert tokens["access_token"]
    assert tokens["token_type"].lower() == "bearer"
    assert ("id_token" in tokens) is (provider in WITH_ID_TOKEN)


@pytest.mark.parametrize("provider", WITH_ID_TOKEN)
async def test_the_id_token_is_what_another_library_demands(
    app: RelyingParty, clock: FrozenClock, provider: str
) -> None:
    """PyJWT verifies it with the published keys; nonce and at_hash belong to the request and the access token."""
    tokens = await app.tokens(provider, nonce="abc")
    keys = {
        "aad": "/common/discovery/v2.0/keys",
        "aad1": "/common/discovery/keys",
        "google": "/google/oauth2/v3/certs",
        "contoso": "/oidc/contoso/keys",
    }
    document = (await app.get(keys[provider])).json()
    key = next(k for k in document["keys"] if k["kid"] == jwt.get_unverified_header(tokens["id_token"])["kid"])
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    audience = CLIENTS[alias(provider)].client_id
    claims = jwt.decode(tokens["id_token"], jwt.PyJWK(key), algorithms=["RS256"], audience=audience, options=options)
    assert claims["nonce"] == "abc"
    assert claims["at_hash"] == half_hash(tokens["access_token"])
    assert claims["email"] == JANE
    assert claims["iat"] <= clock.now() < claims["exp"]
    assert ("typ" in jwt.get_unverified_header(tokens["id_token"])) is (provider != "google")


@pytest.mark.parametrize("provider", WITH_ID_TOKEN)
@pytest.mark.parametrize(("mode", "seen"), [(None, "#"), ("fragment", "#"), ("form_post", "form")])
async def test_the_hybrid_flow_ties_code_and_token(
    app: RelyingParty, provider: str, mode: str | None, seen: str
) -> None:
    """`code id_token` never travels in a query; c_hash is the code's (OpenID Connect Core 3.3.2.11)."""
    back = await app.sign_in(provider, response_type="code id_token", response_mode=mode)
    assert back[""] == seen
    claims = claims_of(back["id_token"])
    assert claims["c_hash"] == half_hash(back["code"])
    assert claims["nonce"] == "n-1"
    assert (await app.redeem(provider, back["code"])).status_code == 200


@pytest.mark.parametrize("provider", ["aad", "aad1", "contoso"])
async def test_an_id_token_alone(app: RelyingParty, provider: str) -> None:
    """`id_token` gives no code: what Easy Auth does without a client secret."""
    back = await app.sign_in(provider, response_type="id_token", response_mode="form_post")
    assert "code" not in back
    assert "c_hash" not in claims_of(back["id_token"])


async def test_order_of_words_in_the_response_type_does_not_matter(app: RelyingParty) -> None:
    """OAuth 2.0 Multiple Response Types section 3: it is a set."""
    assert "c_hash" in claims_of((await app.sign_in("aad", response_type="id_token code"))["id_token"])


async def test_a_code_flow_may_be_posted(app: RelyingParty) -> None:
    """`response_mode=form_post` works for codes, too, and a fragment where it is asked for."""
    assert (await app.sign_in("contoso", response_mode="form_post"))[""] == "form"
    assert (await app.sign_in("contoso", response_mode="fragment"))[""] == "#"


async def test_the_request_itself_may_be_posted(app: RelyingParty) -> None:
    """OpenID Connect Core 3.1.2.1: GET and POST."""
    page = await app.post(AUTHORIZE["contoso"], app.request("contoso"))
    assert page.status_code == 200
    assert "Who signs in?" in page.text


# --- pages, never redirects ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "11111111-1111-4111-8111-111111111111"},
        {"client_id": None},
        {"redirect_uri": "http://evil.example/.auth/login/aad/callback"},
        {"redirect_uri": f"{SITE}/.auth/login/aad/callback/"},
        {"redirect_uri": f"{SITE}/.auth/login/aad/callback?x=1"},
        {"redirect_uri": f"{SITE}/.AUTH/login/aad/callback"},
        {"redirect_uri": "http://127.0.0.1:8080@evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
async def test_a_stranger_gets_a_page_and_no_redirect(
    app: RelyingParty, provider: str, changes: dict[str, Any]
) -> None:
    """An unknown application and an address that is not registered are told on a page (RFC 6749 section 4.1.2.1)."""
    answer = await app.begin(provider, {"X-Emulator-Person": JANE}, **changes)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "<form" not in answer.text
    assert 'javascript:alert(1)"' not in answer.text


@pytest.mark.parametrize("provider", ["aad", "aad1", "google", "contoso"])
async def test_an_address_that_is_left_out_is_refused(app: RelyingParty, provider: str) -> None:
    """OpenID Connect demands redirect_uri; GitHub takes the registered one."""
    assert (await app.begin(provider, redirect_uri=None)).status_code == 400
    back = await app.sign_in("github", redirect_uri=None)
    assert (await app.redeem("github", back["code"], redirect_uri=None)).json()["access_token"]


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "anything"])
async def test_a_parameter_that_is_there_twice_is_refused(app: RelyingParty, name: str) -> None:
    """Whoever checks the first may be followed by one who believes the second (RFC 6749 section 3.1)."""
    query = urlencode([*app.request("contoso").items(), (name, "x"), (name, "y")])
    answer = await app.get(f"{AUTHORIZE['contoso']}?{query}")
    assert answer.status_code == 400
    assert "Location" not in answer.headers


async def test_an_application_of_one_provider_is_unknown_at_another(app: RelyingParty) -> None:
    """Registrations do not leak between providers."""
    assert (await app.begin("contoso", client_id=CLIENTS["google"].client_id)).status_code == 400


# --- errors that go back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "changes", "error"),
    [
        ("aad", {"response_type": "code token"}, "unsupported_response_type"),
        ("github", {"response_type": "token"}, "unsupported_response_type"),
        ("contoso", {"response_type": "none"}, "unsupported_response_type"),
        ("contoso", {"response_type": None}, "invalid_request"),
        ("aad", {"response_type": None}, "invalid_request"),
        ("aad", {"scope": "profile"}, "invalid_scope"),
        ("contoso", {"scope": None}, "invalid_scope"),
        ("google", {"scope": None}, "invalid_request"),
        ("aad", {"response_type": "id_token", "nonce": None}, "invalid_request"),
        ("contoso", {"response_type": "code id_token", "nonce": None}, "invalid_request"),
        ("aad", {"response_type": "code id_token", "response_mode": "query"}, "invalid_request"),
        ("contoso", {"response_mode": "pigeon"}, "invalid_request"),
        ("contoso", {"code_challenge": "x" * 43}, "invalid_request"),
        ("contoso", {"code_challenge": "x" * 43, "code_challenge_method": "plain"}, "invalid_request"),
        ("contoso", {"code_challenge_method": "S256"}, "invalid_request"),
        ("contoso", {"prompt": "none login"}, "invalid_request"),
        ("contoso", {"max_age": "soon"}, "invalid_request"),
        ("contoso", {"request": "eyJ"}, "request_not_supported"),
        ("contoso", {"request_uri": "https://a"}, "request_uri_not_supported"),
        ("google", {"access_type": "sometimes"}, "invalid_request"),
        ("contoso", {"prompt": "none"}, "login_required"),
    ],
)
async def test_other_errors_go_back_with_the_state(
    app: RelyingParty, provider: str, changes: dict[str, Any], error: str
) -> None:
    """What is wrong is told to the application in OAuth's own words."""
    back = returned(await app.begin(provider, **changes))
    assert (back["error"], back["state"]) == (error, "redir=%2F")
    assert back["error_description"]
    assert "code" not in back


async def test_errors_travel_as_answers_do(app: RelyingParty) -> None:
    """A form_post request gets its error in a posted form, a hybrid one in the fragment."""
    back = returned(await app.begin("aad", prompt="none", response_mode="form_post"))
    assert (back[""], back["error"]) == ("form", "login_required")
    assert back["error_description"].startswith("AADSTS50058:")
    assert returned(await app.begin("aad", prompt="none", response_type="code id_token"))[""] == "#"


# --- the provider's own session ------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_second_sign_in_is_silent(app: RelyingParty, provider: str) -> None:
    """Who is signed in at the provider is not asked again, and a silent request passes."""
    assert (await app.begin(provider)).status_code == 200
    await app.sign_in(provider)
    assert "code" in returned(await app.begin(provider))
    assert "code" in returned(await app.begin(provider, prompt="none"))


@pytest.mark.parametrize("prompt", ["login", "select_account", "consent"])
async def test_a_prompt_shows_the_page_all_the_same(app: RelyingParty, prompt: str) -> None:
    """`prompt` wins over the session."""
    await app.sign_in("aad")
    page = await app.begin("aad", prompt=prompt)
    assert page.status_code == 200
    assert "signed in" in page.text


async def test_a_session_is_of_one_provider_and_one_browser(app: RelyingParty) -> None:
    """Another provider asks, and so does the same one in another browser."""
    await app.sign_in("google")
    assert (await app.begin("github")).status_code == 200
    with RelyingParty(app.url) as other:
        assert (await other.begin("google")).status_code == 200


async def test_a_hint_names_who_is_meant(app: RelyingParty) -> None:
    """A hint of somebody else shows the page; one of two who are signed in passes silently."""
    await app.sign_in("aad", "jane@contoso.com")
    page = await app.begin("aad", login_hint="omar@contoso.com")
    assert page.text.index("omar@contoso.com") < page.text.index("jane@contoso.com")
    assert returned(await app.begin("aad", login_hint="omar@contoso.com", prompt="none"))["error"] == "login_required"
    await app.sign_in("aad", "omar@contoso.com", prompt="select_account")
    assert (await app.begin("aad")).status_code == 200
    assert returned(await app.begin("aad", prompt="none"))["error"] == "interaction_required"
    back = returned(await app.begin("aad", login_hint="JANE@contoso.com", response_type="id_token"))
    assert claims_of(back["id_token"])["email"] == "jane@contoso.com"


async def test_a_domain_hint_leaves_its_own_people(app: RelyingParty) -> None:
    """Only the people of the domain are offered; the session of another one does not count."""
    await app.sign_in("aad", "jane@contoso.com")
    page = await app.begin("aad", domain_hint="fabrikam.com")
    assert "lena@fabrikam.com" in page.text
    assert 'value="omar@contoso.com"' not in page.text
    assert 'value="sam@outlook.com"' in (await app.begin("aad", domain_hint="consumers")).text
    assert "code" in returned(await app.begin("aad", domain_hint="organizations"))


async def test_an_old_sign_in_is_asked_for_again(app: RelyingParty, clock: FrozenClock) -> None:
    """`max_age` counts from when the person chose."""
    await app.sign_in("contoso")
    clock.advance(100)
    assert "code" in returned(await app.begin("contoso", max_age="100"))
    clock.advance(1)
    assert (await app.begin("contoso", max_age="100")).status_code == 200
    assert returned(await app.begin("contoso", max_age="100", prompt="none"))["error"] == "login_required"


# --- tenants -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tenant", "email", "enters"),
    [
        ("contoso.com", "jane@contoso.com", True),
        ("contoso.com", "gia@fabrikam.com", True),
        ("contoso.com", "lena@fabrikam.com", False),
        ("contoso.com", "sam@outlook.com", False),
        ("consumers", "sam@outlook.com", True),
        ("consumers", "jane@contoso.com", False),
        ("organizations", "lena@fabrikam.com", True),
        ("common", "sam@outlook.com", True),
    ],
)
async def test_a_tenant_lets_in_members_and_guests(app: RelyingParty, tenant: str, email: str, enters: bool) -> None:  # noqa: FBT001
    """Whoever is of another tenant and nobody's guest gets a page in words, silently too."""
    address = f"/{tenant}/oauth2/v2.0/authorize?{urlencode(app.request('aad', response_type='id_token'))}"
    answer = await app.get(address, {"X-Emulator-Person": email})
    if enters:
        assert claims_of(returned(answer)["id_token"])["email"] == email
    else:
        assert answer.status_code == 400
        assert "another tenant" in answer.text


async def test_a_guest_is_one_at_the_tenants_door(app: RelyingParty) -> None:
    """The inviting tenant is tid, and idp names the other one."""
    query = urlencode(app.request("aad", response_type="id_token"))
    answer = await app.get(f"/contoso.com/oauth2/v2.0/authorize?{query}", {"X-Emulator-Person": "gia@fabrikam.com"})
    assert claims_of(returned(answer)["id_token"])["acct"] == 1


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"), [("consent_denied", "access_denied"), ("login_required", "login_required")]
)
async def test_a_refusal_can_be_ordered(app: RelyingParty, fault: str, error: str) -> None:
    """The person says no, or the provider does."""
    assert (await app.sign_in("aad", faults=fault))["error"] == error


async def test_spoilt_answers(app: RelyingParty) -> None:
    """Another state, or no code, goes back when it was ordered."""
    assert (await app.sign_in("github", faults="wrong_state", state="s"))["state"] == "sx"
    assert "code" not in await app.sign_in("github", faults="no_code")


async def test_an_unknown_fault_is_refused(app: RelyingParty) -> None:
    """A slip of the pen is not a good sign-in."""
    answer = await app.begin("aad", {"X-Emulator-Person": JANE, "X-Emulator-Faults": "colour"})
    assert answer.status_code == 400
