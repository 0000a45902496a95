"""The run of development mode: the service, the pretend providers and the sample application in one process."""

import asyncio
import logging
import shutil
import socket
import sys

import msgspec

from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.base.errors import DoorwardError
from doorward.base.faults import DEV_DATA_UNUSABLE, DEV_OFF_LOOPBACK
from doorward.base.loopback import is_loopback_host
from doorward.config.loading import load
from doorward.config.settings import Settings
from doorward.dev.box import box
from doorward.dev.options import (
    AUTH_FILE,
    DATA,
    SAMPLE,
    SETTINGS_FILE,
    DevOptions,
    clients_of,
    custom_names,
    emulator_url,
    options_of,
    settings_file,
    tree_in_plain_http,
)
from doorward.dev.samples import make_samples
from doorward.emulator.app import EmulatorApp
from doorward.emulator.sample import SampleApp
from doorward.house import BackOffice
from doorward.inbound.listen import Listener, bind
from doorward.inbound.serve import run_loop
from doorward.running import Service, bind_all, configure_logs

EMULATOR_FILE = "emulator.json"
_NO_SIGN_IN = {"platform": {"enabled": False}}
_log = logging.getLogger("doorward.dev")


def run(given: DevOptions) -> int:
    """Serve everything on loopback until told to stop; gives the exit status. Raises `DoorwardError`."""
    options = options_of(given)
    settings = load(options)
    for address in (settings.server.listen, settings.server.admin_listen):
        if not is_loopback_host(address.host):
            raise DoorwardError(DEV_OFF_LOOPBACK, address=str(address))
    configure_logs(settings)
    sockets = bind_all(settings)
    extra = [bind(given.listening(2)), *([bind(given.listening(SAMPLE))] if shows_sample(settings, given) else [])]
    _prepare_data(settings, given)
    return run_loop(_serve(Service(options, settings, sockets), settings, given, extra))


def shows_sample(settings: Settings, given: DevOptions) -> bool:
    """Say whether the sample application stands behind the gateway, as it does where nobody names another."""
    return settings.app.upstream == (f"http://{given.listening(SAMPLE)}",)


async def _serve(service: Service, settings: Settings, given: DevOptions, extra: list[socket.socket]) -> int:
    greeting: set[asyncio.Task[None]] = set()

    def greet(back: BackOffice) -> None:
        greeting.add(asyncio.create_task(_greet(back, settings, given)))

    emulator, *sample = extra
    listeners = [Listener(name="emulator", socket=emulator, app=_emulator(settings, given))]
    listeners += [Listener(name="sample", socket=one, app=_sample(settings)) for one in sample]
    return await service.run(listeners, greet)


def _emulator(settings: Settings, given: DevOptions) -> EmulatorApp:
    return EmulatorApp(
        emulator_url(given),
        SystemClock(),
        SystemEntropy(),
        keys=DATA / "emulator-keys",
        people_file=DATA / "people.json",
        clients=clients_of(settings),
        custom=custom_names(settings),
    )


def _sample(settings: Settings) -> SampleApp:
    plan = settings.auth.plan
    if plan is None:
        return SampleApp()
    offline = {"google": "&access_type=offline"}
    providers = tuple((name, one.spec.label, offline.get(name, "")) for name, one in plan.providers.items())
    return SampleApp(plan.api_prefix, providers)


async def _greet(back: BackOffice, settings: Settings, given: DevOptions) -> None:
    """Make what the box shows, and print it."""
    try:
        samples = await make_samples(back, emulator_url(given))
    except DoorwardError as error:
        _log.error("dev.no_box", extra={"facts": {"code": error.code, **error.facts}})
        return
    sys.stdout.write(box(settings, given, samples))
    sys.stdout.flush()


def _prepare_data(settings: Settings, given: DevOptions) -> None:
    """Make the directory of the data; raises `DoorwardError` (`dev_data_unusable`) where that is not allowed."""
    try:
        if given.fresh:
            shutil.rmtree(DATA, ignore_errors=True)
        DATA.mkdir(parents=True, exist_ok=True)
        (DATA / EMULATOR_FILE).write_bytes(msgspec.json.encode({"url": emulator_url(given)}))
        (DATA / SETTINGS_FILE).write_text(settings_file(settings, given))
        (DATA / AUTH_FILE).write_bytes(msgspec.json.encode(tree_in_plain_http(settings.auth.tree or _NO_SIGN_IN)))
    except OSError as error:
        raise DoorwardError(DEV_DATA_UNUSABLE, path=DATA.resolve(), reason=error.strerror) from error
