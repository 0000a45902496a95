"""The back office: what every command needs, opened from the settings: the database and the parts that work on it."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from doorward.accounts.memory import TokenMemory
from doorward.accounts.registrations import Registrations
from doorward.accounts.tokens import TokenOffice
from doorward.base.clock import Clock, SystemClock
from doorward.base.entropy import Entropy, SystemEntropy
from doorward.base.errors import DoorwardError
from doorward.base.faults import DEFAULT_ORGANIZATION_UNUSABLE
from doorward.config.settings import Settings
from doorward.exchange.clouds import CloudsInUse
from doorward.exchange.verification import Verification
from doorward.house.rules import token_rules
from doorward.keys import master
from doorward.keys.discovery import Discovery
from doorward.keys.kept import ReadDocuments, StoredDocuments
from doorward.keys.key_set_news import KeySetEvent
from doorward.keys.master import MasterSecrets, read_or_make
from doorward.keys.provider_keys import ProviderKeys
from doorward.keys.ring import KeyRing
from doorward.outbound import Outbound
from doorward.store import Store, open_store, organizations, read_url, signing_keys
from doorward.store.common_time import CommonTime
from doorward.store.opening import SqliteAddress, inspect


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
        self.token_memory = TokenMemory(store, clock)
        self.registrations = Registrations(store)
        self.clouds = CloudsInUse(settings.clouds, settings.configured_clouds, self.registrations)
        self.key_events: list[KeySetEvent] = []
        self.outbound = Outbound(settings.outbound.ca_file or None, os.environ)
        kept = (StoredDocuments if keeps_key_sets else ReadDocuments)(store, clock)
        self.provider_keys = ProviderKeys(self.outbound, kept, clock, entropy, on_event=self.key_events.append)
        self.discovery = Discovery(
            self.outbound,
            kept,
            clock,
            entropy,
            on_keys=lambda urls: self.provider_keys.watch(urls, "sign-in"),
        )
        self._watch_providers(settings)
        self.verification = _verification(settings, self)
        self._ring: KeyRing | None = None
        self._master: MasterSecrets | None = None

    def apply(self, settings: Settings) -> None:
        """Take over settings that were read again: clouds, and the rules of verification."""
        self.settings = settings
        self.clouds = CloudsInUse(settings.clouds, settings.configured_clouds, self.registrations)
        self.provider_keys.watch(self.clouds.key_urls())
        self.verification = _verification(settings, self)
        self._watch_providers(settings)

    def _watch_providers(self, settings: Settings) -> None:
        """Keep the documents of exactly those providers that people may sign in with."""
        plan = settings.auth.plan
        self.discovery.watch({} if plan is None or not plan.enabled else plan.providers)

    @property
    def secrets(self) -> MasterSecrets:
        """Give the master secrets; `load_ring` must have been called."""
        if self._master is None:
            raise RuntimeError("the key ring has not been loaded")
        return self._master

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
        return TokenOffice(self.store, self.ring, self.clock, self.entropy, rules, self.common_time, self.token_memory)

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
        self._master = secrets

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
