"""A running Doorward for tests: the real service over real HTTP, with pretend providers, in a thread of the process.

Everything is on free ports of 127.0.0.1 and in a temporary directory; nothing of the caller's environment or working
directory is read. The service is the one that `doorward serve` runs, with every check; only its providers are pretend.
"""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Coroutine, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar, final
from urllib.parse import urlencode

from doorward.accounts.clients import add_client
from doorward.accounts.nouns import Origin
from doorward.accounts.registrations import NewRegistration, add_registration
from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.config.loading import Options, load
from doorward.dev.options import clients_of, custom_names, with_pretence
from doorward.emulator.aad import cloud_settings
from doorward.emulator.app import EmulatorApp
from doorward.emulator.client import mint
from doorward.emulator.messages import MintRequest
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, FABRIKAM
from doorward.emulator.settings import auth_tree
from doorward.exchange import api
from doorward.exchange.envelope import PREFIX
from doorward.house import BackOffice
from doorward.inbound.listen import Listener, address_of, bind
from doorward.inbound.serve import Run, run_loop
from doorward.protocol.easyauth import SESSION_COOKIE
from doorward.running import Service, Sockets
from doorward.testing.caller import Client, Response, SignedInClient, TokenPair, call, encode
from doorward.testing.signing_in import SignInRefused, sign_in

T = TypeVar("T")
PATIENCE = 30.0
_ORIGIN = Origin(user_agent="doorward.testing")
_DOMAINS = (("contoso.com", CONTOSO), ("fabrikam.com", FABRIKAM))


class ClientCredentials(NamedTuple):
    """A resource server's id and secret, with which it may introspect and revoke."""

    client_id: str
    client_secret: str


class ExchangeRefused(AssertionError):
    """The exchange refused a token; `response` is its answer."""

    def __init__(self, response: Response) -> None:
        """Fail with the answer."""
        super().__init__(f"the exchange answered {response.status_code}: {response.text}")
        self.response = response


@final
class DoorwardServer:
    """A service: `base_url` is its public address, `admin_url` has the probes, `emulator_url` the pretend providers.

    `client_credentials` are those of a resource server; `client_id` is the application for which tokens are minted.
    `stranger` is an HTTP client that has not signed in.
    """

    def __init__(self, thread: "_Thread") -> None:
        """Speak to the service in `thread`, which is ready."""
        self._thread = thread
        self._token_name = thread.settings.token_service.platform_token_name
        plan = thread.settings.auth.plan
        self._prefix = "/.auth" if plan is None else plan.api_prefix
        self.base_url, self.admin_url, self.emulator_url = thread.urls
        self.stranger = Client(self.base_url)
        self.client_id = self.register(DEV_CLIENT_ID)
        self.client_credentials = ClientCredentials(*thread.run_there(_add_client(thread.back)))

    def client_for(self, email: str, provider: str = "aad") -> SignedInClient:
        """Give an HTTP client that sends requests as a person; at the gateway they sign in with `provider`."""
        return SignedInClient(
            self.base_url,
            lambda: self.exchange(email),
            lambda: self.sign_in(email, provider),
            self.identity_headers,
        )

    def sign_in(self, email: str, provider: str = "aad", *, faults: Sequence[str] = ()) -> str:
        """Sign a person in at the gateway without a browser; gives the value of the cookie `AppServiceAuthSession`.

        `faults` are what the pretend provider is to do wrong, such as `("expired_token",)`. Raises `SignInRefused`.
        """
        return sign_in(f"{self.base_url}{self._prefix}", self.emulator_url, provider, email, faults)

    def identity_headers(self, session_cookie: str) -> dict[str, str]:
        """Give the `X-MS-*` headers that the gateway hands the app for a session; raises `SignInRefused`."""
        asked = {"X-Original-Method": "GET", "X-Original-URL": "/", "Cookie": f"{SESSION_COOKIE}={session_cookie}"}
        answer = call("GET", f"{self.base_url}{self._prefix}/check", asked)
        if answer.status_code != 200:
            raise SignInRefused("the gateway", answer)
        return {name.upper(): value for name, value in answer.headers.items() if name.startswith("x-ms-")}

    def token_for(self, email: str, *, expired: bool = False, **claims: object) -> str:
        """Give an id_token of the pretend Entra for a person; `claims` replace or add claims of the token."""
        return mint(self.emulator_url, MintRequest(email=email, expired=expired, claims=claims))

    def exchange(self, email: str, *, expired: bool = False, **claims: object) -> TokenPair:
        """Sign a person in: exchange a fresh id_token for both platform tokens.

        The account is created at the first time. Raises `ExchangeRefused`.
        """
        return self.exchange_token(email, self.token_for(email, expired=expired, **claims))

    def exchange_token(self, email: str, id_token: str) -> TokenPair:
        """Exchange an id_token that you have; raises `ExchangeRefused`."""
        body = encode({"email": email, "azure_ad_token": id_token})
        answer = call("POST", self.base_url + api.LOGIN, {"Content-Type": "application/json"}, body)
        if answer.status_code != 200:
            raise ExchangeRefused(answer)
        data = answer.json()["data"]
        return TokenPair(data["access_token"], data[self._token_name])

    def revoke(self, token: str) -> None:
        """Revoke a token, and with it the other one of its pair (RFC 7009)."""
        basic = b64encode(":".join(self.client_credentials).encode()).decode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {basic}"}
        answer = call("POST", f"{self.base_url}{PREFIX}/oauth2/revoke", headers, urlencode({"token": token}).encode())
        if answer.status_code != 200:
            raise AssertionError(f"revocation answered {answer.status_code}: {answer.text}")

    def register(
        self,
        client_id: str,
        *,
        tenants: tuple[str, ...] = (CONTOSO, FABRIKAM),
        auto_create: bool = True,
        allow_guests: bool = False,
        refresh: bool = True,
    ) -> str:
        """Register an Entra application (a GUID) for organization 1; gives its client ID in canonical form.

        Mint tokens for it with `token_for(email, aud=client_id)`. Raises `DoorwardError`.
        """
        new = NewRegistration(
            client_id=client_id,
            name=f"Test {client_id}",
            cloud="global",
            tenants=tenants,
            organizations=tuple((1, tenant) for tenant in tenants),
            default_organization=1,
            domains=tuple(pair for pair in _DOMAINS if pair[1] in tenants),
            auto_create=auto_create,
            allow_guests=allow_guests,
            refresh=refresh,
        )
        return self._thread.run_there(_register(self._thread.back, new))


@contextmanager
def running_server(settings: Mapping[str, object] | None = None, *, app: str = "") -> Generator[DoorwardServer]:
    """Run a service of its own for as long as the `with` statement lasts, in front of the app at the address `app`.

    `settings` change its settings, by whole name and written as in `doorward.toml`. Raises `DoorwardError` when they
    are refused or the service cannot start.
    """
    given = {**({"app.upstream": app} if app else {}), **(settings or {})}
    with TemporaryDirectory(prefix="doorward-testing-") as directory:
        thread = _Thread(Path(directory), given)
        thread.start()
        try:
            thread.wait_until_ready()
            yield DoorwardServer(thread)
        finally:
            thread.stop()


@final
class _Thread(threading.Thread):
    """The service at work: binds at once, serves in an event loop of its own, ends when it is told to."""

    def __init__(self, directory: Path, given: dict[str, object]) -> None:
        super().__init__(name="doorward", daemon=True)
        self._public, self._admin, self._emulator = (bind("127.0.0.1:0") for _ in range(3))
        try:
            options = self._options(directory, given)
            self.settings = load(options)
        except BaseException:
            self._close_sockets()
            raise
        self._service = Service(options, self.settings, Sockets(public=self._public, admin=self._admin))
        self._run = Run()
        self._ready: Future[BackOffice] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def urls(self) -> tuple[str, str, str]:
        """Give the addresses: public, admin, emulator."""
        public, admin, emulator = (f"http://{address_of(s)}" for s in (self._public, self._admin, self._emulator))
        return public, admin, emulator

    @property
    def back(self) -> BackOffice:
        """Give what works on the database; it may be touched in the service's own loop only."""
        return self._ready.result(timeout=PATIENCE)

    def wait_until_ready(self) -> None:
        """Wait until everything answers; raises what kept it from starting."""
        self._ready.result(timeout=PATIENCE)

    def run_there(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the service's loop and give its result."""
        if self._loop is None:
            raise RuntimeError("the service has not started")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=PATIENCE)

    def run(self) -> None:
        """Serve until `stop`."""
        try:
            run_loop(self._serve())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    def stop(self) -> None:
        """End it, at once for whoever is still connected."""
        if self._loop is not None:
            with suppress(RuntimeError):  # its loop has ended by itself
                for _ in range(2):
                    self._loop.call_soon_threadsafe(self._run.stop)
        self.join(timeout=PATIENCE)
        self._close_sockets()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        app = EmulatorApp(
            self.urls[2],
            SystemClock(),
            SystemEntropy(),
            clients=clients_of(self.settings),
            custom=custom_names(self.settings) or ("contoso",),
        )
        emulator = Listener(name="emulator", socket=self._emulator, app=app)
        await self._service.run([emulator], self._ready.set_result, self._run)

    def _options(self, directory: Path, given: dict[str, object]) -> Options:
        cloud = cloud_settings(self.urls[2])
        presets: dict[str, object] = {
            "server.listen": address_of(self._public),
            "server.admin_listen": address_of(self._admin),
            "database.url": f"sqlite:///{directory / 'doorward.db'}",
            "rate_limits.enabled": False,
            # This process may ask /.auth/check, which answers proxies alone.
            "server.trusted_proxies": ["127.0.0.1/32"],
            **{f"clouds.global.{name}": value for name, value in cloud.items()},
        }
        tree = auth_tree(self.urls[2])
        options = Options(presets=presets | given, environment={}, purpose="dev", auth_tree=tree)
        return with_pretence(options, self.urls[2], {})

    def _close_sockets(self) -> None:
        for listening in (self._public, self._admin, self._emulator):
            listening.close()


async def _register(back: BackOffice, new: NewRegistration) -> str:
    registration = await add_registration(back.store, new, back.settings.clouds, back.clock.now(), _ORIGIN)
    await back.load_registrations()
    await back.provider_keys.refresh_all()
    return registration.client_id


async def _add_client(back: BackOffice) -> tuple[str, str]:
    return await add_client(back.store, "tests", back.entropy, back.clock.now(), _ORIGIN)
