import pytest

from doorward.exchange.metadata import PATH, metadata
from doorward.exchange.token_exchange import GRANT, SUBJECT_TYPES
from tests.support.asking import FORM, basic
from tests.support.houses import running_house

ISSUER = "https://id.example.com/auth-service"


def test_the_document() -> None:
    """Every member, with the addresses of the public URL (RFC 8414 section 2)."""
    assert metadata(ISSUER) == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/oauth2/token",
        "introspection_endpoint": f"{ISSUER}/oauth2/introspect",
        "revocation_endpoint": f"{ISSUER}/oauth2/revoke",
        "jwks_uri": f"{ISSUER}/oauth2/jwks",
        "grant_types_supported": [GRANT],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic"],
        "service_documentation": f"{ISSUER}/docs",
    }


async def test_a_client_finds_its_way_by_it(sqlite_url: str) -> None:
    """From the issuer alone: the well-known path goes between host and path, and every address in it answers."""
    async with running_house(sqlite_url) as house:
        base = house.settings.server.public_url
        answer = await house.caller.ask("GET", PATH)
        document = answer.json()
        kind, client = ("Content-Type", FORM), basic(*await house.resource_server())

        async def post(name: str, **form: str) -> int:
            path = document[name].removeprefix(base)
            return (await house.caller.form(path, client, **form)).status

        token = house.mint()
        fields = {"grant_type": GRANT, "subject_token_type": SUBJECT_TYPES[0], "subject_token": token}
        statuses = [
            await post("token_endpoint", **fields),
            await post("introspection_endpoint", token="x"),
            await post("revocation_endpoint", token="x"),
            *[
                (await house.caller.ask("GET", document[name].removeprefix(base), headers=[kind])).status
                for name in ("jwks_uri", "service_documentation")
            ],
        ]
        access, _ = await house.pair()
        introspected = await house.caller.introspect(await house.resource_server(), access)
    assert PATH == "/.well-known/oauth-authorization-server/auth-service"
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert statuses == [200] * 5
    assert document["issuer"] == introspected["iss"] == f"{base}/auth-service"


async def test_the_issuer_is_the_public_url_and_never_the_host_header(sqlite_url: str) -> None:
    """Whatever name the client used, the document speaks of the public address."""
    async with running_house(
        sqlite_url,
        register=False,
        server__public_url="https://id.example.com",
        server__trusted_proxies=["127.0.0.1"],
    ) as house:
        headers = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example")]
        answer = await house.caller.ask("GET", PATH, headers=headers)
    assert answer.json() == metadata(ISSUER)


@pytest.mark.parametrize(("method", "path", "status"), [
    ("POST", PATH, 405),
    ("GET", f"{PATH}/", 404),
    ("GET", "/.well-known/oauth-authorization-server", 404),
    ("GET", "/auth-service/.well-known/oauth-authorization-server", 404),
])  # fmt: skip
async def test_only_there(sqlite_url: str, method: str, path: str, status: int) -> None:
    """The document stands at one address and is read there."""
    async with running_house(sqlite_url, register=False) as house:
        assert (await house.caller.ask(method, path)).status == status
