"""The five published bodies of `/.auth/me` (2016), from the pretend providers' raw claims to our own answer.

People of the pretend providers carry the published values; the clocks of both sides stand at the published moments.
What was made anonymous by hand after the fact cannot agree with itself, and is put right in the expected body: each
place says why.
"""

import asyncio
import copy
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest

from doorward.base.clock import FrozenClock
from doorward.base.entropy import Entropy, SeededEntropy
from doorward.base.secret import Secret
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.easyauth.me import Me
from doorward.emulator.clients import Client
from doorward.emulator.messages import AUTHORIZE_PATH, MINT_PATH, PEOPLE_PATH, AuthorizeAs, MintRequest
from doorward.emulator.settings import clients_of
from doorward.providers.spec import Endpoints
from doorward.testing.caller import call
from tests.support.browsing import emulated_plan
from tests.support.canaries import keep_secret
from tests.support.emulators import RunningEmulator, running_emulator
from tests.support.journeys import Tab
from tests.support.programs import free_port
from tests.support.sign_in import NOW, Entrance, entrance, half_hash

PUBLISHED: dict[str, dict[str, Any]] = {
    example["provider_name"]: example
    for example in json.loads((Path(__file__).parent.parent / "vectors" / "me-2016.json").read_text())["examples"]
}
JOE = "jbloggs00@gmail.com"
GUID = "3ca45c180c4145a2b9fc4353ca0cb959"
V1 = "b52d426e-6547-4aca-a343-dc57215cc87b"
MOMENTS = {
    "aad": 1470707453.0,  # five minutes before the end of the published nonce
    "facebook": 1475871895.257421 - 60 * 86400,
    "google": 1470711055.976173 - 3599,
    "twitter": 1470707455.0,
    "microsoftaccount": 1470711060.0543765 - 3600,
}
"""When the token was received: the published `expires_on`, less the lifetime of the provider's tokens."""

AAD_NULLS = dict.fromkeys(("aio", "rh", "uti", "upn", "xms_edov"))
CLAIMS: dict[str, dict[str, object]] = {
    "aad": {
        "aud": "e3d6bd31-f966-4ac8-84be-010d527e3f23",
        "iss": f"https://sts.windows.net/{V1}/",
        "iat": 1470707155,
        "nbf": 1470707155,
        "exp": 1470711055,
        "amr": ["pwd"],
        "email": JOE,
        "family_name": "Bloggs",
        "given_name": "Joe",
        "idp": "live.com",
        "ipaddr": "173.154.182.76",
        "oid": "80393c62-a29b-4182-8725-cc802b590d73",
        "sub": "brKvrucGjA1shQ3KxNS7nNsoOsBreGprEeJMXojwrkE",
        "tid": V1,
        "unique_name": f"live.com#{JOE}",
        **AAD_NULLS,
    },
    "facebook": {
        "id": "10154312468591959",
        "link": "https://www.facebook.com/app_scoped_user_id/10154312168593959/",
        "gender": "male",
        "email": None,
    },
    "twitter": {
        "id": 28739128,
        "id_str": "28739128",
        "screen_name": "jbloggs00",
        "description": "My twitter profile description",
        "url": "http://t.co/RiSeRKwm1P",
        "time_zone": "Redmond",
        "profile_image_url_https": "https://abs.twimg.com/sticky/default_profile_images/default_profile_4_400x400.png",
    },
    "microsoftaccount": {"id": "f5164e2a3258fd41", "locale": "en_AU", "emails": None},
    "google": {
        "iss": "https://accounts.google.com",
        "aud": "1031930339375-9hugrs6m7n41e16qr77b4spmb96dfdea.apps.googleusercontent.com",
        "sub": "115003833514858822132",
        "iat": 1470707458,
        "exp": 1470711058,
        "locale": "en-GB",
    },
}
"""What the person carries beyond name and address, by provider."""


class Drawing:
    """Chance, but for the nonce: draws of its length give the published one."""

    def __init__(self) -> None:
        """Begin anew."""
        self._other = SeededEntropy()

    def draw(self, size: int) -> bytes:
        """Give `size` bytes."""
        drawn = self._other.draw(size)
        return bytes.fromhex(GUID) if size == 16 else drawn


@dataclass
class Stage:
    """Our endpoints and the pretend providers, at the same moment."""

    it: Entrance
    site: str
    emulator: RunningEmulator

    async def tell(self, path: str, body: bytes) -> Any:
        """Tell the pretend providers something."""
        kind = {"Content-Type": "application/json"}
        got = await asyncio.to_thread(call, "POST", self.emulator.url + path, kind, body)
        assert got.status_code in {200, 201}, got
        return got.json()

    async def sign_in(self, provider: str, **more: str) -> dict[str, Any]:
        """Sign Joe in and give the one element of `/.auth/me`, with its members in order."""
        tab = Tab()
        query = urlencode({"post_login_redirect_uri": "/.auth/login/complete", **more})
        chosen = {"X-Emulator-Person": JOE}
        landed = await asyncio.to_thread(tab.go, f"{self.site}/.auth/login/{provider}?{query}", chosen)
        assert (landed.url, landed.answer.status_code) == (f"{self.site}/.auth/login/complete", 200), landed
        return await self.me({"cookie": f"AppServiceAuthSession={tab.session_of()}"})

    async def me(self, headers: dict[str, str]) -> dict[str, Any]:
        """Ask `/.auth/me` itself."""
        me = Me(self.it.parts.gate, has_token_store=True, anonymous_is_empty=False)
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        visit = self.it.parts.trust.visit(
            method="GET", path="/.auth/me", query="", raw_headers=raw, peer="127.0.0.1", scheme="http"
        )
        (element,) = json.loads((await me.answer(visit, b"")).body)
        return element


@asynccontextmanager
async def staged(database_url: str, provider: str) -> AsyncGenerator[Stage]:
    """Set the stage for one published body: the clocks, the application's ids, the addresses and the person."""
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    async with running_emulator(FrozenClock(MOMENTS[provider]), clients=_clients(site)) as emulator:
        entropy: Entropy = Drawing() if provider == "aad" else SeededEntropy()
        plan = _plan(emulator.url, site)
        async with entrance(
            database_url, turn=lambda _: plan, site=site, port=port, profile="2016", entropy=entropy
        ) as it:
            it.clock.advance(MOMENTS[provider] - NOW)
            stage = Stage(it, site, emulator)
            person = {"email": JOE, "name": "Joe Bloggs", "claims": CLAIMS}
            await stage.tell(PEOPLE_PATH, json.dumps(person).encode())
            yield stage


def _clients(site: str) -> list[Client]:
    changed = {"aad": ("e3d6bd31-f966-4ac8-84be-010d527e3f23", ""), "google": (str(CLAIMS["google"]["aud"]), None)}
    return [
        msgspec.structs.replace(
            client,
            client_id=changed[client.provider][0],
            client_secret=client.client_secret if changed[client.provider][1] is None else "",
        )
        if client.provider in changed
        else client
        for client in clients_of([site])
    ]


def _plan(url: str, site: str) -> AuthPlan:
    plan = emulated_plan(url, site)
    aad, google = plan.providers["aad"], plan.providers["google"]
    at = f"{url}/{V1}"
    changed: dict[str, ProviderPlan] = {
        "aad": replace(
            aad,
            client_id="e3d6bd31-f966-4ac8-84be-010d527e3f23",
            client_secret=Secret(""),
            login_parameters=(),
            endpoints=Endpoints(
                issuer=f"https://sts.windows.net/{V1}/",
                authorization_endpoint=f"{at}/oauth2/authorize",
                token_endpoint=f"{at}/oauth2/token",
                jwks_uri=f"{at}/discovery/keys",
            ),
        ),
        "google": replace(
            google,
            client_id=str(CLAIMS["google"]["aud"]),
            endpoints=Endpoints(
                issuer="https://accounts.google.com",
                authorization_endpoint=f"{url}/google/o/oauth2/v2/auth",
                token_endpoint=f"{url}/google/token",
                jwks_uri=f"{url}/google/oauth2/v3/certs",
            ),
        ),
    }
    scopes = {"facebook": ("public_profile",), "microsoftaccount": ("wl.basic",)}
    kept = {name: replace(one, scopes=scopes.get(name, one.scopes)) for name, one in plan.providers.items()}
    return replace(plan, providers={**kept, **changed})


def likened(found: dict[str, Any], provider: str) -> dict[str, Any]:
    """Give the body with its tokens replaced as the published one has them."""
    tokens = {name for name in found if "token" in name}
    for name in tokens:
        keep_secret(found[name])
    return {name: f"<{name}>" if name in tokens else value for name, value in found.items()}


def expected_of(provider: str) -> dict[str, Any]:
    """Give a published body to put right where it contradicts itself."""
    return copy.deepcopy(PUBLISHED[provider])


def put(body: dict[str, Any], typ: str, val: str) -> None:
    """Change the value of a claim."""
    (claim,) = [claim for claim in body["user_claims"] if claim["typ"] == typ]
    claim["val"] = val


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare to the byte: members and their order, claims and theirs."""
    assert msgspec.json.encode(found) == msgspec.json.encode(expected)


async def test_aad(sqlite_url: str) -> None:
    """An id_token of version 1.0 for an application without a secret; the nonce is the one that we drew."""
    async with staged(sqlite_url, "aad") as stage:
        expected = expected_of("aad")
        # Made anonymous in two ways: as the tenant of `iss`, which is the same.
        put(expected, "http://schemas.microsoft.com/identity/claims/tenantid", V1)
        assert_same(likened(await stage.sign_in("aad"), "aad"), expected)


@pytest.mark.parametrize("provider", ["facebook", "twitter", "microsoftaccount"])
async def test_profiles(sqlite_url: str, provider: str) -> None:
    """A profile that carries the published values, and tokens that end at the published moment."""
    async with staged(sqlite_url, provider) as stage:
        expected = expected_of(provider)
        if provider == "microsoftaccount":  # made anonymous in two ways: the claims of the one field `id` differ
            put(expected, "urn:microsoftaccount:id", str(CLAIMS[provider]["id"]))
            expected["expires_on"] = "2016-08-09T02:51:00.0543766Z"  # a clock of 53 bits counts every other tick
        assert_same(likened(await stage.sign_in(provider), provider), expected)


async def test_google(sqlite_url: str) -> None:
    """An id_token that a browser's sign-in brings."""
    async with staged(sqlite_url, "google") as stage:
        found, expected = await stage.sign_in("google"), expected_of("google")
        put(expected, "at_hash", half_hash(found["access_token"]))  # that of a token which nobody has
        put(expected, "azp", str(CLAIMS["google"]["aud"]))  # made anonymous in two ways: it is `aud`
        assert_same(likened(found, "google"), expected)


async def test_google_by_a_client(sqlite_url: str) -> None:
    """An id_token that a client brings, with the published `azp` and `at_hash`, and a code for the other tokens."""
    async with staged(sqlite_url, "google") as stage:
        claims = {
            claim["typ"]: claim["val"]
            for claim in PUBLISHED["google"]["user_claims"]
            if claim["typ"] in {"azp", "at_hash"}
        }
        audience = str(CLAIMS["google"]["aud"])
        wish = MintRequest(provider="google", email=JOE, audience=audience, claims=claims, without=("hd",))
        id_token = keep_secret((await stage.tell(MINT_PATH, wish.to_json()))["token"])
        callback = f"{stage.site}/.auth/login/google/callback"
        asked = {
            "response_type": "code",
            "client_id": audience,
            "redirect_uri": callback,
            "scope": "openid",
            "state": "s",
        }
        url = f"{stage.emulator.url}/google/o/oauth2/v2/auth?{urlencode(asked)}"
        told = await stage.tell(AUTHORIZE_PATH, AuthorizeAs(url=url, email=JOE).to_json())
        (code,) = parse_qs(urlsplit(told["url"]).query)["code"]
        body = {"id_token": id_token, "authorization_code": keep_secret(code), "redirect_uri": callback}
        kind = {"Content-Type": "application/json"}
        posted = await asyncio.to_thread(
            call, "POST", f"{stage.site}/.auth/login/google", kind, json.dumps(body).encode()
        )
        assert posted.status_code == 200, posted
        found = await stage.me({"x-zumo-auth": keep_secret(posted.json()["authenticationToken"])})
        assert_same(likened(found, "google"), expected_of("google"))
