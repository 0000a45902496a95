"""Which addresses are ours, as the settings say."""

from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.config.loading import Options, load
from doorward.house import build_front, new_metrics, open_back_office
from tests.support.canaries import canary
from tests.support.houses import prepare_database


async def test_a_sign_out_address_covers_itself_alone(sqlite_url: str) -> None:
    """`login.routes.logoutEndpoint` takes one address from the application, and nothing that lies below it."""
    presets: dict[str, object] = {
        "server.public_url": "https://app.example.com",
        "database.url": sqlite_url,
        "secrets.encryption_key": "e1" * 32,
        "secrets.signing_key": "51" * 32,
        "app.upstream": "http://127.0.0.1:9",
    }
    registration = {"clientId": "a", "clientSecretSettingName": "S"}
    tree = {
        "login": {"routes": {"logoutEndpoint": "/bye"}},
        "identityProviders": {"gitHub": {"registration": registration}},
    }
    settings = load(Options(presets=presets, auth_tree=tree, environment={"S": canary("front")}))
    await prepare_database(sqlite_url)
    async with open_back_office(settings, SystemClock(), SystemEntropy()) as back:
        await back.load_ring()
        await back.load_registrations()
        front = build_front(back, settings, new_metrics(back.clock))
        owned = [path for path in ("/bye", "/bye/", "/bye/x", "/.auth/me", "/") if front.site.is_own(path)]
        await front.finish()
    assert owned == ["/bye", "/.auth/me"]
