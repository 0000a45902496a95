"""The settings of development mode: what a file and the environment may change, and what makes the mode what it is.

Whatever auth tree is served, the repository's own or an `auth.json` that runs on App Service, its providers sign in at
the emulator: their addresses point there, and a client secret that the environment lacks is made up.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import cast

import msgspec

from doorward.base.frozen import frozen
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.config.dev_keys import DEV_ENCRYPTION_KEY, DEV_SECRET_MARK, DEV_SIGNING_KEY
from doorward.config.findings import SettingsRejected
from doorward.config.loading import Options, load
from doorward.config.settings import Settings
from doorward.config.sources import Override, gather
from doorward.config.tree_endpoints import WELL_KNOWN
from doorward.config.tree_reading import unwrapped
from doorward.config.website_auth import PREFIX
from doorward.emulator.aad import cloud_settings
from doorward.emulator.clients import Client
from doorward.emulator.settings import SECRETS, addresses_at, auth_tree
from doorward.protocol.client_proof import CertificateProof, SignedSecret
from doorward.providers import by_alias
from doorward.providers.spec import Endpoints

DATA = Path(".doorward") / "dev"
SETTINGS_FILE = "doorward.toml"
AUTH_FILE = "auth.json"
DATABASE_FILE = "doorward.db"
DEFAULT_PORT = 8080
SAMPLE = 3
"""How far behind the public listener the sample application stands."""
_SECRET_KEY = "settingname"
_ENDPOINTS = tuple(field.name for field in fields(Endpoints) if field.name != "discovery")
_KEY_SETTINGS = {
    "client_certificate_file": "certificate_file",
    "client_key_file": "key_file",
    "team_id": "team_id",
    "key_id": "key_id",
    "private_key_file": "private_key_file",
}
"""The settings of `[providers.NAME]` that name a key in place of a secret, and where the plan has them."""
_HTTP, _REQUIRE_HTTPS = "httpSettings", "requireHttps"


@frozen
class DevOptions:
    """What `doorward dev` is given on the command line."""

    port: int | None = None
    config: str | None = None
    app: str | None = None
    fresh: bool = False

    def listening(self, offset: int) -> str:
        """Give the address of one of the listeners, which stand side by side."""
        return f"127.0.0.1:{(self.port or DEFAULT_PORT) + offset}"


def options_of(given: DevOptions) -> Options:
    """Give the settings of development mode.

    A file and the environment may change what concerns sign-in, tokens, limits and logs, the application behind the
    gateway, and the addresses where there is no `--port`. What makes the mode what it is stands above them: its own
    data, keys and providers, and plain HTTP.
    """
    url = emulator_url(given)
    addresses = {"server.listen": given.listening(0), "server.admin_listen": given.listening(1)}
    fixed = {
        "server.public_url": "",
        "server.tls_certificate": "",
        "server.tls_key": "",
        "database.url": _database_url(),
        "secrets.encryption_key": DEV_ENCRYPTION_KEY,
        "secrets.signing_key": DEV_SIGNING_KEY,
        **{f"clouds.global.{name}": value for name, value in cloud_settings(url).items()},
    }
    overrides = [Override(setting=name, value=value, option="doorward dev") for name, value in fixed.items()]
    if given.port is not None:
        overrides += [Override(setting=name, value=value, option="--port") for name, value in addresses.items()]
    if given.app is not None:
        overrides.append(Override(setting="app.upstream", value=given.app, option="--app"))
    sample = {"app.upstream": f"http://{given.listening(SAMPLE)}"}
    options = Options(
        config=given.config,
        purpose="dev",
        presets={**addresses, **sample, "rate_limits.enabled": False},
        overrides=overrides,
        auth_tree=auth_tree(url),
    )
    return _with_hosts(with_pretence(options, url, os.environ))


def with_pretence(options: Options, url: str, environment: Mapping[str, str]) -> Options:
    """Have every provider of the auth tree sign in at the emulator at `url`.

    `environment` is what is read of the surroundings; secrets that the tree names and it lacks are made up.
    """
    options = replace(options, environment=_with_secrets(options, environment))
    pretending = [
        Override(setting=f"providers.{name}.{key}", value=value, option="doorward dev")
        for name, addresses_there in _pretended(options, url).items()
        for key, value in addresses_there.items()
    ]
    return replace(options, overrides=[*options.overrides, *pretending])


def clients_of(settings: Settings) -> list[Client]:
    """Give the applications that the auth tree speaks of, as the pretend providers know them.

    GitHub's tokens end, so that there is something to refresh.
    """
    plan = settings.auth.plan
    origins = (settings.server.public_url, *(f"http://{host}" for host in settings.server.additional_hosts))
    return [] if plan is None else [_client(plan, provider, origins) for provider in plan.providers.values()]


def custom_names(settings: Settings) -> list[str]:
    """Give the names of the custom OpenID Connect providers that the auth tree speaks of."""
    plan = settings.auth.plan
    return [] if plan is None else [name for name in plan.providers if by_alias(name) is None]


def _client(plan: AuthPlan, provider: ProviderPlan, origins: tuple[str, ...]) -> Client:
    return Client(
        provider=provider.name,
        client_id=provider.client_id,
        client_secret=provider.client_secret.reveal(),
        redirect_uris=tuple(f"{origin}{plan.api_prefix}/login/{provider.name}/callback" for origin in origins),
        post_logout_redirect_uris=tuple(f"{origin}/*" for origin in origins),
        jwk=_public_key(provider),
        team_id=provider.team_id,
        expiring=provider.name == "github",
    )


def _public_key(provider: ProviderPlan) -> dict[str, str] | None:
    """Give the key by which a provider knows the service in place of a secret: of a certificate, or of Apple's team.

    A file that is no key is left to the sign-in, which says so.
    """
    try:
        if provider.certificate_file:
            certificate, key = (Path(file).read_bytes() for file in (provider.certificate_file, provider.key_file))
            return CertificateProof.from_pem(certificate, key).jwk()
        if provider.private_key_file:
            pem = Path(provider.private_key_file).read_bytes()
            return SignedSecret.from_pem(pem, team_id=provider.team_id, key_id=provider.key_id).jwk()
    except (OSError, ValueError):
        return None
    return None


def _with_hosts(options: Options) -> Options:
    """Know the service by both names of this machine, whichever a browser uses."""
    listen = load_leniently(options)
    port = DEFAULT_PORT if listen is None else listen.server.listen.port
    hosts = Override(setting="server.additional_hosts", value=[f"localhost:{port}"], option="doorward dev")
    return replace(options, overrides=[*options.overrides, hosts])


def load_leniently(options: Options) -> Settings | None:
    """Give the settings, or None where they are wrong, which whoever loads them in the end is told."""
    try:
        return load(options)
    except SettingsRejected:
        return None


def _with_secrets(options: Options, environment: Mapping[str, str]) -> dict[str, str]:
    """Give the environment, with a secret made up for each name in the auth tree that it lacks.

    They open nothing but the pretend providers of this machine.
    """
    tree = gather(options).tree
    names = set(SECRETS) if tree is None else set(_secret_names(tree.content))
    made = {name: SECRETS.get(name, f"{DEV_SECRET_MARK}{name}") for name in names}
    given = {name: value for name, value in environment.items() if value or name not in made}
    # A tree from App Service demands HTTPS, and here there is none.
    return made | given | {f"{PREFIX}REQUIRE_HTTPS": "false"}


def tree_in_plain_http(tree: Mapping[str, object]) -> dict[str, object]:
    """Give an auth tree as it is served here, for commands beside the service: it demands no HTTPS."""
    tree, _ = unwrapped(tree)
    name = next((key for key in tree if key.lower() == _HTTP.lower()), _HTTP)
    inner = tree.get(name)
    kept: dict[str, object] = {}
    if isinstance(inner, Mapping):
        kept |= cast("Mapping[str, object]", inner)
    named = [key for key in kept if key.lower() == _REQUIRE_HTTPS.lower()]
    return {**tree, name: {**kept, **dict.fromkeys(named or [_REQUIRE_HTTPS], False)}}


def _secret_names(node: object) -> Iterator[str]:
    """Find every variable that holds a secret, wherever the tree names it."""
    if isinstance(node, Mapping):
        for key, value in cast("Mapping[str, object]", node).items():
            if key.lower().endswith(_SECRET_KEY) and isinstance(value, str) and value:
                yield value
            yield from _secret_names(value)


def _pretended(options: Options, url: str) -> Mapping[str, Mapping[str, str]]:
    """Give for each provider of the auth tree where it is pretended; no real address of a file is left beside it."""
    settings = load_leniently(options)
    if settings is None or settings.auth.plan is None:
        return {}
    providers = settings.auth.plan.providers
    return {
        name: {key: "" for key in _ENDPOINTS if f"providers.{name}.{key}" in settings.origins}
        | addresses_at(url, name, _issuer_of(provider))
        for name, provider in providers.items()
    }


def _issuer_of(provider: ProviderPlan) -> str:
    """Give the issuer that the auth tree names; the one that tokens will name is another for many tenants at once."""
    return provider.endpoints.discovery.removesuffix(WELL_KNOWN) or provider.endpoints.issuer


def settings_file(settings: Settings, given: DevOptions) -> str:
    """Give settings with which the other commands work on what `dev` serves: `doorward --config FILE users list`."""
    url, plan = emulator_url(given), settings.auth.plan
    tables = {"clouds.global": cloud_settings(url)}
    for name, provider in () if plan is None else plan.providers.items():
        tables[f"providers.{name}"] = addresses_at(url, name, _issuer_of(provider)) | _key_settings(provider)
    pretended = "\n".join(_table(name, members) for name, members in tables.items())
    return f"""\
# Written by doorward dev at each start, for commands beside it. The keys are public: serve refuses them.
[server]
listen = "{settings.server.listen}"
admin_listen = "{settings.server.admin_listen}"
additional_hosts = {msgspec.json.encode(settings.server.additional_hosts).decode()}

[app]
upstream = {msgspec.json.encode(settings.app.upstream).decode()}

[auth]
file = "{(DATA / AUTH_FILE).resolve()}"

[database]
url = "sqlite:///{(DATA / DATABASE_FILE).resolve()}"

[secrets]
encryption_key = "{DEV_ENCRYPTION_KEY}"
signing_key = "{DEV_SIGNING_KEY}"

{pretended}"""


def _key_settings(provider: ProviderPlan) -> dict[str, str]:
    """Give the settings of a key in place of a secret, where there is one; files by their whole path."""
    given = {setting: str(getattr(provider, member)) for setting, member in _KEY_SETTINGS.items()}
    return {
        setting: str(Path(value).resolve()) if setting.endswith("_file") else value
        for setting, value in given.items()
        if value
    }


def _table(name: str, members: Mapping[str, str]) -> str:
    lines = "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in members.items())
    return f"[{name}]\n{lines}"


def _database_url() -> str:
    return f"sqlite:///{DATA / DATABASE_FILE}"


def emulator_url(given: DevOptions) -> str:
    """Give the address of the pretend providers."""
    return f"http://{given.listening(2)}"
