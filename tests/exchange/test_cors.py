from typing import Any

import pytest

from doorward.base.errors import DoorwardError
from doorward.exchange.metadata import PATH as METADATA
from tests.support.asking import FORM, JWKS, LOGIN, LOGOUT, ME, REVOKE, Answer, bearer
from tests.support.described import PREFIX
from tests.support.houses import House, running_house, settings_for

APP = "https://app.example.com"
OTHER = "https://other.example.com:8443"
LISTED: dict[str, Any] = {"token_service__cors_origins": [APP, "https://other.example.com:8443/"]}
TOKEN = f"{PREFIX}/oauth2/token"
PATHS = {
    LOGIN: "POST", ME: "GET", LOGOUT: "POST", TOKEN: "POST", REVOKE: "POST", JWKS: "GET",
    f"{PREFIX}/openapi.json": "GET", METADATA: "GET",
}  # fmt: skip
STRANGERS = [
    "https://evil.example", "null", "*", "", "https://app.example.com.evil.example", "https://app.example.com:444",
    "http://app.example.com", "https://APP.example.com", "https://app.example.com/", f"{APP}, https://evil.example",
]  # fmt: skip


def _allowed(answer: Answer) -> dict[str, str]:
    """Give the headers of the CORS protocol."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


async def _preflight(house: House, path: str, origin: str) -> Answer:
    asked = [("Origin", origin), ("Access-Control-Request-Method", PATHS.get(path, "POST"))]
    return await house.caller.ask("OPTIONS", path, headers=[*asked, ("Access-Control-Request-Headers", "content-type")])


@pytest.mark.parametrize("origin", [APP, OTHER])
async def test_a_listed_origin_is_told_what_it_may_send(sqlite_url: str, origin: str) -> None:
    """A preflight is answered at every endpoint with its own methods, for that origin alone, without credentials."""
    async with running_house(sqlite_url, register=False, **LISTED) as house:
        answers = {path: await _preflight(house, path, origin) for path in PATHS}
    for path, answer in answers.items():
        assert (answer.status, answer.body) == (204, b"")
        assert "content-length" not in answer.headers
        assert answer.headers["vary"] == "Origin"
        allowed = _allowed(answer)
        assert allowed.pop("access-control-expose-headers")
        assert allowed == {
            "access-control-allow-origin": origin,
            "access-control-allow-methods": PATHS[path],
            "access-control-allow-headers": "Authorization, Content-Type, Ocp-Apim-Subscription-Key",
            "access-control-max-age": "600",
        }


@pytest.mark.parametrize("origin", STRANGERS)
async def test_any_other_origin_is_told_nothing(sqlite_url: str, origin: str) -> None:
    """Another origin, another spelling, `null` and `*` get no permission, at preflights, answers and refusals."""
    async with running_house(sqlite_url, **LISTED) as house:
        header = ("Origin", origin)
        answers = [
            await _preflight(house, LOGIN, origin),
            await house.caller.login(house.mint(), headers=[header]),
            await house.caller.login("x", headers=[header]),
            await house.caller.ask("GET", f"{PREFIX}/nothing", headers=[header]),
        ]
    assert [answer.status for answer in answers] == [204, 200, 401, 404]
    assert [_allowed(answer) for answer in answers] == [{}] * 4
    assert all(answer.headers["vary"] == "Origin" for answer in answers)


async def test_a_listed_origin_reads_answers_and_refusals(sqlite_url: str) -> None:
    """Every answer may be read by the origin that asked: successes, and refusals from whichever layer."""
    async with running_house(sqlite_url, **LISTED) as house:
        origin, ask = ("Origin", APP), house.caller.ask
        access, _ = await house.pair()
        answers = [
            (200, await house.caller.login(house.mint(), headers=[origin])),
            (200, await ask("GET", ME, headers=[origin, bearer(access)])),
            (200, await ask("GET", METADATA, headers=[origin])),
            (401, await house.caller.login("x", headers=[origin])),
            (401, await ask("GET", ME, headers=[origin])),
            (422, await house.caller.post_json(LOGIN, {}, headers=[origin])),
            (404, await ask("GET", f"{PREFIX}/nothing", headers=[origin])),
            (404, await ask("GET", f"{PREFIX}/oauth2/nothing", headers=[origin])),
            (405, await ask("PUT", LOGIN, headers=[origin])),
            (405, await ask("PUT", TOKEN, headers=[origin])),
            (413, await ask("POST", LOGIN, body=b"x" * 70_000, headers=[origin])),
            (413, await ask("POST", TOKEN, body=b"x" * 70_000, headers=[origin])),
            (400, await ask("POST", TOKEN, body=b"x=1", headers=[origin, ("Content-Type", FORM)])),
        ]
    assert [answer.status for _, answer in answers] == [status for status, _ in answers]
    for _, answer in answers:
        assert _allowed(answer) == {
            "access-control-allow-origin": APP,
            "access-control-expose-headers": "X-Request-ID, Retry-After, WWW-Authenticate",
        }
        assert answer.headers["vary"] == "Origin"


async def test_a_listed_origin_reads_refusals_of_the_guard(sqlite_url: str) -> None:
    """Why nothing works over plain HTTP can be read, too; the preflight itself carries no secret and is answered."""
    async with running_house(sqlite_url, server__public_url="https://id.example.com", **LISTED) as house:
        refused = await house.caller.login("x", headers=[("Origin", APP)])
        preflight = await _preflight(house, LOGIN, APP)
    assert (refused.status, refused.code) == (403, "https_required")
    assert _allowed(refused)["access-control-allow-origin"] == APP
    assert preflight.status == 204


async def test_by_default_nobody_is_allowed(sqlite_url: str) -> None:
    """Without origins in the settings no answer speaks of CORS, and a preflight is a wrong method."""
    async with running_house(sqlite_url) as house:
        preflight = await _preflight(house, LOGIN, APP)
        answer = await house.caller.login(house.mint(), headers=[("Origin", APP)])
    assert (preflight.status, preflight.code, answer.status) == (405, "method_not_allowed", 200)
    assert _allowed(preflight) == _allowed(answer) == {}
    assert "vary" not in answer.headers


async def test_the_app_outside_the_service_is_untouched(sqlite_url: str) -> None:
    """Other paths of the listener get nothing of it."""
    async with running_house(sqlite_url, register=False, **LISTED) as house:
        answer = await house.caller.ask("GET", "/elsewhere", headers=[("Origin", APP)])
    assert _allowed(answer) == {}


@pytest.mark.parametrize(
    "origin", ["*", "null", "https://*.example.com", "app.example.com", "https://app.example.com/x"]
)
def test_only_whole_origins_may_be_listed(origin: str) -> None:
    """A wildcard, `null`, a bare host or a path is refused when the settings are read."""
    with pytest.raises(DoorwardError):
        settings_for("sqlite:///x.db", "http://127.0.0.1:1", 1, token_service__cors_origins=[origin])
