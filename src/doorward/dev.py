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

from doorward.accounts.clients import add_client, list_clients, remove_client
from doorward.accounts.nouns import Origin, TokenPair
from doorward.accounts.registrations import NewRegistration, add_registration
from doorward.accounts.resolve import SignIn
from doorward.accounts.sign_in import SignInDesk, SignInRules
from doorward.accounts.tokens import digest_of
from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.base.errors import DoorwardError
from doorward.base.faults import ALREADY_THERE, DEV_OFF_LOOPBACK, SETTING_NOT_IN_RELEASE
from doorward.base.loopback import is_loopback_host
from doorward.config.dev_keys import DEV_ENCRYPTION_KEY, DEV_SIGNING_KEY
from doorward.config.loading import Options, load
from doorward.config.settings import Settings
from doorward.emulator.aad import cloud_settings
from doorward.emulator.app import EmulatorApp
from doorward.emulator.client import mint
from doorward.emulator.messages import MintRequest
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
CLIENT_NAME = "dev"
FIRST_PERSON = PEOPLE[0]
_ORIGIN = Origin(user_agent="doorward dev")
_log = logging.getLogger("doorward.dev")


@dataclass(frozen=True, slots=True, kw_only=True)
class DevOptions:
    """What `doorward dev` is given on the command line."""

    port: int = 8080
    config: str | None = None
    app: str | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What the box shows: a fresh id_token, a pair of platform tokens, and a client that may introspect."""

    id_token: str
    pair: TokenPair
    client_id: str
    client_secret: str


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
    emulator = bind(_emulator_address(given))
    _prepare_data(fresh=given.fresh)
    return run_loop(_serve(Service(options, settings, sockets), settings, given, emulator))


def options_of(given: DevOptions) -> Options:
    """Give the settings of development mode; a file and the environment may change what is not about addresses."""
    cloud = cloud_settings(_emulator_url(given))
    return Options(
        config=given.config,
        purpose="dev",
        presets={
            "server.listen": f"127.0.0.1:{given.port}",
            "server.admin_listen": f"127.0.0.1:{given.port + 1}",
            "database.url": _database_url(),
            "secrets.encryption_key": DEV_ENCRYPTION_KEY,
            "secrets.signing_key": DEV_SIGNING_KEY,
            "rate_limits.enabled": False,
            "server.access_log": True,
            **{f"clouds.global.{name}": value for name, value in cloud.items()},
        },
    )


async def _serve(service: Service, settings: Settings, given: DevOptions, listening: socket.socket) -> int:
    clock, entropy = SystemClock(), SystemEntropy()
    app = EmulatorApp(_emulator_url(given), clock, entropy, keys=DATA / "emulator-keys")
    greeting: set[asyncio.Task[None]] = set()

    def greet(back: BackOffice) -> None:
        greeting.add(asyncio.create_task(_greet(back, settings, given)))

    (DATA / EMULATOR_FILE).write_bytes(msgspec.json.encode({"url": _emulator_url(given)}))
    (DATA / SETTINGS_FILE).write_text(settings_file(settings, given))
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
    client_id, secret = await _make_client(back)
    return Samples(id_token=id_token, pair=await _sign_in(back, id_token), client_id=client_id, client_secret=secret)


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


async def _make_client(back: BackOffice) -> tuple[str, str]:
    """Make the client anew at every start: its secret is printed, and kept nowhere."""
    for client in await list_clients(back.store):
        if client["name"] == CLIENT_NAME:
            await remove_client(back.store, str(client["id"]), back.clock.now(), _ORIGIN)
    return await add_client(back.store, CLIENT_NAME, back.entropy, back.clock.now(), _ORIGIN)


async def _sign_in(back: BackOffice, id_token: str) -> TokenPair:
    """Exchange the token as the endpoint does, so that every command of the box works in any order."""
    now = back.clock.now()
    identity, registration = await back.verification.verify(id_token, now, None)
    rules = SignInRules(replay="off", leeway=back.settings.token_service.leeway, default_organization=1)
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
    site = settings.server.public_url
    login = msgspec.json.encode({"email": FIRST_PERSON.email, "azure_ad_token": samples.id_token}).decode()
    bearer = f"-H 'Authorization: Bearer {samples.pair.access_token}'"
    people = ", ".join(f"{person.name} <{person.email}>" for person in PEOPLE if _may_sign_in(person))
    rule = "-" * 100
    return f"""
{rule}
Doorward in development mode: nothing leaves this machine. Stop it with Ctrl-C.

  token service   {site}{PREFIX}
  probes, metrics http://{settings.server.admin_listen}/readyz  /livez  /metrics
  pretend Entra   {_emulator_url(given)}   client {DEV_CLIENT_ID}
  people          {people}
  data            {DATA}/   (empty it with --fresh)

Exchange an id_token for both platform tokens:
curl -sS -X POST {site}{api.LOGIN} -H 'Content-Type: application/json' -d '{login}'

Refresh the pair:
curl -sS -X POST {site}{api.REFRESH} {bearer}

Ask who the token belongs to:
curl -sS {site}{api.ME} {bearer}

Introspect the opaque platform token:
curl -sS -X POST {site}{PREFIX}/oauth2/introspect -u '{samples.client_id}:{samples.client_secret}' -d 'token={samples.pair.platform_token}'

A fresh id_token for anybody:   doorward emulator token --email you@contoso.com
Commands on this data:          doorward --config {DATA / SETTINGS_FILE} users list
{rule}
"""  # noqa: E501 - a command is one line, however long


def _may_sign_in(person: Person) -> bool:
    return not person.guest and tenant_of(person.email) in (CONTOSO, FABRIKAM)


def settings_file(settings: Settings, given: DevOptions) -> str:
    """Give settings with which the other commands work on what `dev` serves: `doorward --config FILE users list`."""
    database = settings.database.url
    if database == _database_url():
        database = f"sqlite:///{(DATA / DATABASE_FILE).resolve()}"
    cloud = "\n".join(f'{name} = "{value}"' for name, value in cloud_settings(_emulator_url(given)).items())
    return f"""\
# Written by doorward dev at each start, for commands beside it. The keys are public: serve refuses them.
[server]
listen = "{settings.server.listen}"
admin_listen = "{settings.server.admin_listen}"

[database]
url = "{database}"

[secrets]
encryption_key = "{DEV_ENCRYPTION_KEY}"
signing_key = "{DEV_SIGNING_KEY}"

[clouds.global]
{cloud}
"""


def _database_url() -> str:
    return f"sqlite:///{DATA / DATABASE_FILE}"


def _prepare_data(*, fresh: bool) -> None:
    if fresh:
        shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True, exist_ok=True)


def _emulator_address(given: DevOptions) -> str:
    return f"127.0.0.1:{given.port + 2}"


def _emulator_url(given: DevOptions) -> str:
    return f"http://{_emulator_address(given)}"
