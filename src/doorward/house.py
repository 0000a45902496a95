"""The house: settings in, running parts out. The only module that knows all rooms.

`open_back_office` opens what every command needs: the database and the parts that work on it. `Front` puts the rooms'
routes on top of it. Nothing here decides anything; what is wired to what stands in one place.
"""

import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from doorward import __version__
from doorward.accounts.audit import FailureRecords
from doorward.accounts.refresh import RefreshDesk
from doorward.accounts.registrations import Registrations
from doorward.accounts.sign_in import SignInDesk, SignInRules
from doorward.accounts.tokens import TokenOffice, TokenRules
from doorward.base.clock import Clock, SystemClock
from doorward.base.entropy import Entropy, SystemEntropy
from doorward.base.errors import DoorwardError
from doorward.base.faults import DEFAULT_ORGANIZATION_UNUSABLE
from doorward.config.settings import Settings
from doorward.exchange import api, envelope
from doorward.exchange.clouds import CloudsInUse
from doorward.exchange.cors import Cors
from doorward.exchange.guard import Guard
from doorward.exchange.limits import ExchangeLimits, LimitRules
from doorward.exchange.login import Login
from doorward.exchange.oauth import OAuth
from doorward.exchange.verification import Verification
from doorward.gateway import other
from doorward.identity.visit import Trust
from doorward.inbound.door import Door
from doorward.keys import master
from doorward.keys.kept import ReadDocuments, StoredDocuments
from doorward.keys.key_set_news import KeySetEvent
from doorward.keys.master import MasterSecrets, read_or_make
from doorward.keys.provider_keys import ProviderKeys
from doorward.keys.ring import KeyRing
from doorward.operations import logs
from doorward.operations.metrics import Metrics
from doorward.outbound import Outbound
from doorward.store import Store, open_store, organizations, read_url, signing_keys
from doorward.store.common_time import CommonTime
from doorward.store.opening import SqliteAddress, inspect

_log = logging.getLogger("doorward.house")


class BackOffice:
    """What works on the database, made from the settings; the key ring is read when it is first needed."""

    def __init__(
        self, settings: Settings, store: Store, clock: Clock, entropy: Entropy, *, keeps_key_sets: bool = True
    ) -> None:
        """Make the parts; nothing is read and nothing is fetched yet.

        Without `keeps_key_sets` what is fetched from the providers is not stored.
        """
        self.settings = settings
        self.store = store
        self.clock = clock
        self.entropy = entropy
        self.common_time = CommonTime(store, clock)
        self.registrations = Registrations(store)
        self.clouds = CloudsInUse(settings.clouds, settings.configured_clouds, self.registrations)
        self.key_events: list[KeySetEvent] = []
        self.provider_keys = ProviderKeys(
            Outbound(settings.outbound.ca_file or None, os.environ),
            (StoredDocuments if keeps_key_sets else ReadDocuments)(store, clock),
            clock,
            entropy,
            on_event=self.key_events.append,
        )
        self.verification = _verification(settings, self)
        self._ring: KeyRing | None = None

    def apply(self, settings: Settings) -> None:
        """Take over settings that were read again: clouds, and the rules of verification."""
        self.settings = settings
        self.clouds = CloudsInUse(settings.clouds, settings.configured_clouds, self.registrations)
        self.provider_keys.watch(self.clouds.key_urls())
        self.verification = _verification(settings, self)

    @property
    def ring(self) -> KeyRing:
        """Give the key ring; `load_ring` must have been called."""
        if self._ring is None:
            raise RuntimeError("the key ring has not been loaded")
        return self._ring

    @property
    def office(self) -> TokenOffice:
        """Give what issues and reads platform tokens; `load_ring` must have been called."""
        rules = token_rules(self.settings)
        return TokenOffice(self.store, self.ring, self.clock, self.entropy, rules, self.common_time)

    async def load_registrations(self) -> None:
        """Read the registrations, and take note of the clouds that they bring into use."""
        await self.registrations.reload()
        self.clouds.update()
        self.provider_keys.watch(self.clouds.key_urls())

    async def load_ring(self, *, discard_unreadable: bool = False) -> None:
        """Read the key ring, and begin it in a fresh database.

        With `discard_unreadable` keys that cannot be opened are deleted and replaced. Raises `DoorwardError`:
        `key_file_missing`, `key_file_unusable`, `keys_not_opened`.
        """
        secrets = await self._secrets(discard_unreadable=discard_unreadable)
        rules = self.settings.token_service
        ring = KeyRing(
            self.store,
            secrets.sealer(),
            self.clock,
            self.entropy,
            algorithm=rules.signing_algorithm,
            retirement=max(rules.access_token_lifetime, rules.family_lifetime),
        )
        if discard_unreadable:
            await ring.discard_unreadable()
        await ring.load()
        self._ring = ring

    async def _secrets(self, *, discard_unreadable: bool) -> MasterSecrets:
        given = self.settings.secrets
        address = read_url(self.settings.database.url)
        path = address.path if isinstance(address, SqliteAddress) else None
        holds_keys = await self.store.read(lambda cursor: cursor.one(signing_keys.ANY)) is not None
        return read_or_make(
            MasterSecrets(encryption_key=given.encryption_key, signing_key=given.signing_key),
            path,
            self.entropy,
            may_make=discard_unreadable or not holds_keys,
        )


def inspect_database(settings: Settings) -> None:
    """Refuse a database and its key file as `serve` would, and create nothing; a server is not asked.

    Raises `DoorwardError`: as `open_store` does, `key_file_missing`, `key_file_unusable`.
    """
    holds_keys = inspect(settings.database.url)
    address, given = read_url(settings.database.url), settings.secrets
    master.inspect(
        MasterSecrets(encryption_key=given.encryption_key, signing_key=given.signing_key),
        address.path if isinstance(address, SqliteAddress) else None,
        holds_keys=holds_keys,
    )


@asynccontextmanager
async def open_back_office(
    settings: Settings, clock: Clock | None = None, entropy: Entropy | None = None, *, keeps_key_sets: bool = True
) -> AsyncGenerator[BackOffice]:
    """Open the database by serve's rule, give the parts that work on it, and close it afterwards.

    A command that must store nothing asks for it without `keeps_key_sets`.

    Raises `DoorwardError` as `open_store` does.
    """
    store = await open_store(settings.database.url, auto_migrate=settings.database.auto_migrate)
    try:
        yield BackOffice(
            settings, store, clock or SystemClock(), entropy or SystemEntropy(), keeps_key_sets=keeps_key_sets
        )
    finally:
        await store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What answers on the public listener, and the exchange behind it, which is finished before the database closes."""

    door: Door
    login: Login
    failures: FailureRecords


def build_front(back: BackOffice, settings: Settings, metrics: Metrics) -> Front:
    """Put the rooms' routes on a back office whose key ring and registrations have been loaded."""
    rules, find = settings.token_service, back.registrations.find_enabled
    office = TokenOffice(back.store, back.ring, back.clock, back.entropy, token_rules(settings), back.common_time)
    failures = FailureRecords(back.store, back.clock, metrics.audit_dropped)
    login = Login(
        verification=back.verification,
        desk=SignInDesk(back.store, office, _sign_in_rules(settings)),
        limits=ExchangeLimits(back.clock, _limit_rules(settings)),
        failures=failures,
        observer=metrics,
        clock=back.clock,
    )
    parts = api.Parts(
        login=login,
        office=office,
        refresh=RefreshDesk(back.store, office, find),
        store=back.store,
        clock=back.clock,
        find_registration=find,
        platform_token_name=rules.platform_token_name,
    )
    oauth = OAuth(back.store, office, back.ring, back.clock, find)
    guard = Guard(requires_https=requires_https(settings), subscription_key=rules.subscription_key)
    cors = Cors(rules.cors_origins)
    door = Door(
        cors.routes(api.routes(parts, oauth, guard, rules.max_body_bytes)) if rules.enabled else [],
        trust=trust_of(settings, back.entropy),
        clock=back.clock,
        observe=logs.observing(metrics.request, write_access_log=settings.server.access_log),
        envelopes={
            "": other.Outside(_https_site(settings)).refuse,
            **(api.envelopes(cors, guard) if rules.enabled else {}),
        },
    )
    return Front(door=door, login=login, failures=failures)


def new_metrics(clock: Clock) -> Metrics:
    """Give empty counters."""
    return Metrics(clock=clock, version=__version__)


def trust_of(settings: Settings, entropy: Entropy) -> Trust:
    """Give whom to believe about clients, by the settings."""
    server = settings.server
    return Trust(
        entropy=entropy,
        public_url=server.public_url,
        trusted_proxies=[str(network) for network in server.trusted_proxies],
        additional_hosts=server.additional_hosts,
    )


def token_rules(settings: Settings) -> TokenRules:
    """Give what the settings say of platform tokens."""
    rules = settings.token_service
    return TokenRules(
        issuer=f"{settings.server.public_url}{envelope.PREFIX}",
        access_lifetime=rules.access_token_lifetime,
        platform_lifetime=rules.platform_token_lifetime,
        family_lifetime=rules.family_lifetime,
        strict_rotation=rules.refresh_rotation == "strict",
        refresh_grace=rules.refresh_grace,
    )


def requires_https(settings: Settings) -> bool:
    """Say whether plain requests are refused: by `httpSettings.requireHttps`, else if the public address is https:."""
    tree = settings.auth.tree or {}
    http = tree.get("httpSettings")
    wish = cast("dict[str, object]", http).get("requireHttps") if isinstance(http, dict) else None
    return wish if isinstance(wish, bool) else settings.server.public_url.startswith("https:")


def _https_site(settings: Settings) -> str | None:
    """Give the origin that plain requests are sent to, "" where they are refused alone, None where they are served."""
    if not requires_https(settings):
        return None
    site = settings.server.public_url.rstrip("/")
    return site if site.startswith("https:") else ""


async def refuse_unusable_default(back: BackOffice) -> None:
    """Hold the default organization to the rule that it exists and is enabled (reference 1.8).

    Raises `DoorwardError` (`default_organization_unusable`).
    """
    number = back.settings.token_service.default_organization
    row = await back.store.read(lambda cursor: cursor.one(organizations.BY_ID, number))
    if row is None or not row[2]:
        raise DoorwardError(DEFAULT_ORGANIZATION_UNUSABLE, organization=number)


def _verification(settings: Settings, back: BackOffice) -> Verification:
    rules = settings.token_service
    return Verification(
        back.provider_keys,
        back.clouds,
        back.registrations,
        leeway=rules.leeway,
        max_token_age=rules.max_token_age,
    )


def _sign_in_rules(settings: Settings) -> SignInRules:
    rules = settings.token_service
    return SignInRules(replay=rules.replay, default_organization=rules.default_organization)


def _limit_rules(settings: Settings) -> LimitRules:
    limits = settings.rate_limits
    return LimitRules(
        enabled=limits.enabled, failures=limits.failures, per_identity=limits.per_identity, window=limits.window
    )
