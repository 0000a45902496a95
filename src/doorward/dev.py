"""Development mode: everything on this machine, offline, with a pretend Entra (interface sections 1 and 7).

Owns what makes `doorward dev` work without set-up: addresses, known keys, a registration for the pretend platform's
application, a client that may introspect, and the box with commands to paste. Listens on loopback alone, whatever the
settings say, because its keys stand in public source and its provider signs in whoever asks.
"""

import asyncio
import logging
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from doorward.accounts.clients import add_known_client
from doorward.accounts.nouns import Origin, TokenPair
from doorward.accounts.registrations import NewRegistration, add_registration
from doorward.accounts.resolve import SignIn
from doorward.accounts.sign_in import SignInDesk, SignInRules
from doorward.accounts.tokens import digest_of
from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.base.errors import DoorwardError
from doorward.base.faults import ALREADY_THERE, DEV_DATA_UNUSABLE, DEV_OFF_LOOPBACK, SETTING_NOT_IN_RELEASE
from doorward.base.loopback import is_loopback_host
from doorward.config.dev_keys import DEV_CLIENT, DEV_CLIENT_SECRET, DEV_ENCRYPTION_KEY, DEV_SIGNING_KEY
from doorward.config.loading import Options, load
from doorward.config.settings import Settings
from doorward.config.sources import Override
from doorward.emulator.aad import cloud_settings
from doorward.emulator.app import EmulatorApp
from doorward.emulator.client import mint
from doorward.emulator.messages import MINT_PATH, MintRequest
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, FABRIKAM, PEOPLE, Person, tenant_of
from doorward.exchange import api
from doorward.exchange.envelope import PREFIX
from doorward.house import BackOffice
from doorward.inbound.listen import Listener, bind
from doorward.inbound.serve import run_loop
from doorward.running import Service, bind_all, configure_logs

DATA = Path(".doorward") / "dev"
EMULATOR_FILE = "emulator.json"
SETTINGS_FILE = "doorward.toml"
DATABASE_FILE = "doorward.db"
CLIENT_NAME = "Development"
DEFAULT_PORT = 8080
FIRST_PERSON = PEOPLE[0]
_ORIGIN = Origin(user_agent="doorward dev")
_log = logging.getLogger("doorward.dev")


@dataclass(frozen=True, slots=True, kw_only=True)
class DevOptions:
    """What `doorward dev` is given on the command line."""

    port: int | None = None
    config: str | None = None
    app: str | None = None
    fresh: bool = False

    def listening(self, offset: int) -> str:
        """Give the address of one of the listeners, which stand side by side."""
        return f"127.0.0.1:{(self.port or DEFAULT_PORT) + offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What the box shows: a fresh id_token and a pair of platform tokens."""

    id_token: str
    pair: TokenPair


def run(given: DevOptions) -> int:
    """Serve everything on loopback until told to stop; gives the exit status. Raises `DoorwardError`."""
    if given.app is not None:
        raise DoorwardError(SETTING_NOT_IN_RELEASE, setting="--app")
    options = options_of(given)
    settings = load(options)
    for address in (settings.server.listen, settings.server.admin_listen):
        if not is_loopback_host(address.host):
            raise DoorwardError(DEV_OFF_LOOPBACK, address=str(address))
    configure_logs(settings)
    sockets = bind_all(settings)
    emulator = bind(given.listening(2))
    _prepare_data(settings, given)
    return run_loop(_serve(Service(options, settings, sockets), settings, given, emulator))


def options_of(given: DevOptions) -> Options:
    """Give the settings of development mode.

    A file and the environment may change what concerns tokens, limits and logs, and the addresses where there is no
    `--port`. What makes the mode what it is stands above them: its own data, keys and provider, and plain HTTP.
    """
    addresses = {"server.listen": given.listening(0), "server.admin_listen": given.listening(1)}
    fixed = {
        "server.public_url": "",
        "server.tls_certificate": "",
        "server.tls_key": "",
        "database.url": _database_url(),
        "secrets.encryption_key": DEV_ENCRYPTION_KEY,
        "secrets.signing_key": DEV_SIGNING_KEY,
        **{f"clouds.global.{name}": value for name, value in cloud_settings(_emulator_url(given)).items()},
    }
    overrides = [Override(setting=name, value=value, option="doorward dev") for name, value in fixed.items()]
    if given.port is not None:
        overrides += [Override(setting=name, value=value, option="--port") for name, value in addresses.items()]
    presets = {**addresses, "rate_limits.enabled": False}
    return Options(config=given.config, purpose="dev", presets=presets, overrides=overrides)


async def _serve(service: Service, settings: Settings, given: DevOptions, listening: socket.socket) -> int:
    clock, entropy = SystemClock(), SystemEntropy()
    app = EmulatorApp(_emulator_url(given), clock, entropy, keys=DATA / "emulator-keys")
    greeting: set[asyncio.Task[None]] = set()

    def greet(back: BackOffice) -> None:
        greeting.add(asyncio.create_task(_greet(back, settings, given)))

    return await service.run([Listener(name="emulator", socket=listening, app=app)], greet)


async def _greet(back: BackOffice, settings: Settings, given: DevOptions) -> None:
    """Make what the box shows, and print it."""
    try:
        samples = await _make_samples(back, _emulator_url(given))
    except DoorwardError as error:
        _log.error("dev.no_box", extra={"facts": {"code": error.code, **error.facts}})
        return
    sys.stdout.write(box(settings, given, samples))
    sys.stdout.flush()


async def _make_samples(back: BackOffice, emulator: str) -> Samples:
    await _register(back)
    await back.provider_keys.refresh_all()
    id_token = await asyncio.to_thread(mint, emulator, MintRequest(email=FIRST_PERSON.email))
    await _make_client(back)
    return Samples(id_token=id_token, pair=await _sign_in(back, id_token))


async def _register(back: BackOffice) -> None:
    """Register the pretend platform's application for the people of both pretend tenants."""
    new = NewRegistration(
        client_id=DEV_CLIENT_ID,
        name="Development",
        cloud="global",
        tenants=(CONTOSO, FABRIKAM),
        organizations=((1, CONTOSO), (1, FABRIKAM)),
        default_organization=1,
        domains=(("contoso.com", CONTOSO), ("fabrikam.com", FABRIKAM)),
        auto_create=True,
        allow_guests=False,
        refresh=True,
    )
    try:
        await add_registration(back.store, new, back.settings.clouds, back.clock.now(), _ORIGIN)
    except DoorwardError as error:
        if error.row is not ALREADY_THERE:
            raise
    await back.load_registrations()


async def _make_client(back: BackOffice) -> None:
    """Let a client introspect whose secret is always the same, so that boxes of earlier starts go on working."""
    try:
        now = back.clock.now()
        await add_known_client(back.store, CLIENT_NAME, DEV_CLIENT, DEV_CLIENT_SECRET, now, _ORIGIN)
    except DoorwardError as error:
        if error.row is not ALREADY_THERE:
            raise


async def _sign_in(back: BackOffice, id_token: str) -> TokenPair:
    """Exchange the token as the endpoint does, so that every command of the box works in any order."""
    now = back.clock.now()
    identity, registration = await back.verification.verify(id_token, now, None)
    rules = SignInRules(replay="off", default_organization=1)
    wish = SignIn(
        identity=identity,
        registration=registration,
        email=FIRST_PERSON.email,
        full_name=None,
        auto_create=True,
        organization_id=None,
        origin=_ORIGIN,
        token_digest=digest_of(id_token),
    )
    _, pair = await SignInDesk(back.store, back.office, rules).sign_in(wish, now)
    return pair


def box(settings: Settings, given: DevOptions, samples: Samples) -> str:
    """Give the text that `dev` prints: what runs where, who can sign in, and commands to paste."""
    people = ", ".join(f"{person.name} <{person.email}>" for person in PEOPLE if _may_sign_in(person))
    rule = "-" * 100
    commands = "\n\n".join(f"{says}:\n{command}" for says, command in _commands(settings, given, samples))
    return f"""
{rule}
Doorward in development mode: nothing leaves this machine. Stop it with Ctrl-C.

  token service   {settings.server.public_url}{PREFIX}
  probes, metrics http://{settings.server.admin_listen}/readyz  /livez  /metrics
  pretend Entra   {_emulator_url(given)}   client {DEV_CLIENT_ID}
  people          {people}
  data            {DATA}/   (empty it with --fresh; other commands work on it with --config {DATA / SETTINGS_FILE})

{commands}
{rule}
"""


def _commands(settings: Settings, given: DevOptions, samples: Samples) -> list[tuple[str, str]]:
    """Give each command as one line to paste, and what it does; none of them needs another to run first."""
    site, key = settings.server.public_url, settings.token_service.subscription_key.reveal()
    login = msgspec.json.encode({"email": FIRST_PERSON.email, "azure_ad_token": samples.id_token}).decode()
    json, bearer = "-H 'Content-Type: application/json'", f"-H 'Authorization: Bearer {samples.pair.access_token}'"
    subscribed = f" -H 'Ocp-Apim-Subscription-Key: {key}'" if key else ""
    client, token = f"-u '{DEV_CLIENT}:{DEV_CLIENT_SECRET}'", f"-d 'token={samples.pair.platform_token}'"
    mint = f'curl -sS -X POST {_emulator_url(given)}{MINT_PATH} {json} -d \'{{"email":"you@contoso.com"}}\''
    ours = [
        ("Exchange an id_token for both platform tokens", f"-X POST {site}{api.LOGIN} {json} -d '{login}'"),
        ("Refresh the pair", f"-X POST {site}{api.REFRESH} {bearer}"),
        ("Ask who the token belongs to", f"{site}{api.ME} {bearer}"),
        ("Introspect the opaque platform token", f"-X POST {site}{api.OAUTH}/introspect {client} {token}"),
    ]
    served = [(says, f"curl -sS{subscribed} {rest}") for says, rest in ours] if settings.token_service.enabled else []
    return [*served, ("Have the pretend Entra make an id_token for anybody", mint)]


def _may_sign_in(person: Person) -> bool:
    return not person.guest and tenant_of(person.email) in (CONTOSO, FABRIKAM)


def settings_file(settings: Settings, given: DevOptions) -> str:
    """Give settings with which the other commands work on what `dev` serves: `doorward --config FILE users list`."""
    cloud = "\n".join(f'{name} = "{value}"' for name, value in cloud_settings(_emulator_url(given)).items())
    return f"""\
# Written by doorward dev at each start, for commands beside it. The keys are public: serve refuses them.
[server]
listen = "{settings.server.listen}"
admin_listen = "{settings.server.admin_listen}"

[database]
url = "sqlite:///{(DATA / DATABASE_FILE).resolve()}"

[secrets]
encryption_key = "{DEV_ENCRYPTION_KEY}"
signing_key = "{DEV_SIGNING_KEY}"

[clouds.global]
{cloud}
"""


def _database_url() -> str:
    return f"sqlite:///{DATA / DATABASE_FILE}"


def _prepare_data(settings: Settings, given: DevOptions) -> None:
    """Make the directory of the data; raises `DoorwardError` (`dev_data_unusable`) where that is not allowed."""
    try:
        if given.fresh:
            shutil.rmtree(DATA, ignore_errors=True)
        DATA.mkdir(parents=True, exist_ok=True)
        (DATA / EMULATOR_FILE).write_bytes(msgspec.json.encode({"url": _emulator_url(given)}))
        (DATA / SETTINGS_FILE).write_text(settings_file(settings, given))
    except OSError as error:
        raise DoorwardError(DEV_DATA_UNUSABLE, path=DATA.resolve(), reason=error.strerror) from error


def _emulator_url(given: DevOptions) -> str:
    return f"http://{given.listening(2)}"
