"""Providers' own descriptions of themselves: OpenID Connect Discovery 1.0.

Owns when a provider's configuration document is fetched, and what of it is believed. A document that is cached is given
without waiting for anybody; everybody else waits for one fetch together. A fetch that fails leaves the last good
document as it was, and every good one is kept beside the key sets, so that a restart during a provider's outage does
not stop sign-ins. What the settings say wins over what is discovered. Addresses come from the settings, and from
documents that were found at them.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import final
from urllib.parse import urlsplit

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.base.errors import DoorwardError
from doorward.base.loopback import is_loopback_host
from doorward.base.refusals_sign_in import DISCOVERY_FAILED
from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.config.auth_plan import ProviderPlan
from doorward.keys.fetching import CLOCK_ALLOWANCE, DocumentSource, NotFetched, Saves, fetch, later
from doorward.keys.kept import KeptDocument, KeptDocuments
from doorward.providers.spec import Endpoints

LIFETIME = 6 * 3600.0
RETRY = 60.0
RETRY_WITHOUT = 4.0
TICK = 1.0
PATH = "/.well-known/openid-configuration"

_MEMBERS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint")
_log = logging.getLogger("doorward.keys")


@dataclass(slots=True)
class _Entry:
    """The document of one address. `due` is of the monotonic clock, `fetched_at` of the other."""

    url: str
    due: float
    found: Endpoints | None = None
    fetched_at: float = -math.inf
    error: str | None = None
    flight: "asyncio.Task[None] | None" = None


@final
class Discovery:
    """The endpoints of providers, by the address of their document."""

    def __init__(
        self,
        source: DocumentSource,
        kept: KeptDocuments,
        clock: Clock,
        entropy: Entropy,
        *,
        on_keys: Callable[[frozenset[str]], None] = lambda _: None,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Fetch from `source`, keep in `kept`.

        `on_keys` hears which key addresses sign-in needs, whenever that changes; `wait` paces `run`.
        """
        self._source = source
        self._kept = kept
        self._clock = clock
        self._entropy = entropy
        self._on_keys = on_keys
        self._wait = wait
        self._plans: tuple[ProviderPlan, ...] = ()
        self._entries: dict[str, _Entry] = {}
        self._told: frozenset[str] = frozenset()
        self._saves = Saves(kept, failed="discovery.not_kept")

    # --- what is known now -------------------------------------------------------------------------------------

    def watch(self, plans: Mapping[str, ProviderPlan]) -> None:
        """Keep the documents of exactly these providers from now on; may be called again when the settings change."""
        self._plans = tuple(plans.values())
        wanted = {url for plan in self._plans if (url := address_of(plan))}
        for url in self._entries.keys() - wanted:
            self._let_go(self._entries.pop(url))
        for url in wanted:
            self._entry(url)
        self._tell_keys()

    def known(self, plan: ProviderPlan) -> Endpoints | None:
        """Give the endpoints of a provider, or None where they are still to be discovered; waits for nothing."""
        url = address_of(plan)
        if not url:
            return plan.endpoints
        found = entry.found if (entry := self._entries.get(url)) is not None else None
        return None if found is None or not speaks_for(plan, found.issuer) else _over(plan.endpoints, found)

    async def endpoints(self, plan: ProviderPlan) -> Endpoints:
        """Give the endpoints of a provider: what the settings say, completed by what is discovered.

        Raises `DoorwardError` (`discovery_failed`) when the document was never had and cannot be had now.
        """
        if (known := self.known(plan)) is not None:
            return known
        entry = self._entry(address_of(plan))
        if plan not in self._plans:
            self._plans = (*self._plans, plan)
        if entry.flight is None and self._clock.monotonic() >= entry.due:
            self._depart(entry)
        if entry.flight is not None:
            await asyncio.wait({entry.flight})
        if (known := self.known(plan)) is not None:
            return known
        raise DoorwardError(
            DISCOVERY_FAILED,
            retry_after=max(1, math.ceil(entry.due - self._clock.monotonic())),
            provider=plan.name,
            url=entry.url,
            reason=entry.error or "not yet asked",
        )

    def key_urls(self) -> frozenset[str]:
        """Give the addresses of the key sets that sign-in needs, as far as they are known."""
        return frozenset(url for plan in self._plans for url in _keys_of(plan, self.known(plan)) if url)

    # --- in the background -------------------------------------------------------------------------------------

    async def adopt_kept(self) -> None:
        """Take over what is kept and younger than ours: at the start, and when another process fetched."""
        try:
            documents = {kept.url: kept for kept in await self._kept.load()}
        except Exception as error:  # noqa: BLE001 - whoever waits for a sign-in must hear of the provider, not of this
            _log.warning("discovery.not_read", extra={"facts": {"reason": type(error).__name__}})
            return
        for entry in self._entries.values():
            kept = documents.get(entry.url)
            if kept is not None and entry.fetched_at < kept.fetched_at <= self._clock.now() + CLOCK_ALLOWANCE:
                with suppress(ValueError):  # a damaged row is as good as none
                    self._install(entry, self._read(entry.url, kept.document), kept.fetched_at)

    async def run(self) -> None:
        """Keep every document fresh until cancelled."""
        try:
            while True:
                self.tick()
                await self._wait(TICK)
        finally:
            for entry in self._entries.values():
                self._let_go(entry)
            await self._saves.finish()

    def tick(self) -> None:
        """Begin to fetch every document whose time has come; waits for nothing."""
        for entry in self._entries.values():
            if self._clock.monotonic() >= entry.due:
                self._depart(entry)

    def _entry(self, url: str) -> _Entry:
        entry = self._entries.get(url)
        if entry is None:
            entry = self._entries[url] = _Entry(url=url, due=self._clock.monotonic())
        return entry

    def _depart(self, entry: _Entry) -> None:
        if entry.flight is None:
            entry.due = self._later(RETRY if entry.found is not None else RETRY_WITHOUT)
            entry.flight = asyncio.create_task(self._fetch(entry), name="doorward-discovery")

    async def _fetch(self, entry: _Entry) -> None:
        try:
            found, document = await fetch(self._source, entry.url, lambda read: self._read(entry.url, read))
        except NotFetched as error:
            await self._note_failure(entry, str(error))
        else:
            self._note_success(entry, found, document)
        finally:
            entry.flight = None

    def _note_success(self, entry: _Entry, found: Endpoints, document: bytes) -> None:
        now = self._clock.now()
        entry.error, entry.due = None, self._later(LIFETIME)
        self._install(entry, found, now)
        self._saves.begin(KeptDocument(url=entry.url, document=document, fetched_at=now))

    async def _note_failure(self, entry: _Entry, reason: str) -> None:
        """Keep what is there; tell of a new kind of failure, not of every repetition during an outage."""
        if reason != entry.error:
            facts = {"url": entry.url, "reason": reason, "loaded": entry.found is not None}
            _log.warning("discovery.failed", extra={"facts": facts})
        entry.error = reason
        if entry.found is None:
            await self.adopt_kept()

    def _install(self, entry: _Entry, found: Endpoints, fetched_at: float) -> None:
        entry.found, entry.fetched_at = found, fetched_at
        self._tell_keys()

    def _tell_keys(self) -> None:
        urls = self.key_urls()
        if urls != self._told:
            self._told = urls
            self._on_keys(urls)

    def _read(self, url: str, document: bytes) -> Endpoints:
        """Read a document as all providers that name its address take it; raises `ValueError`."""
        found = read_configuration(document)
        for plan in self._plans:
            if address_of(plan) == url and not speaks_for(plan, found.issuer):
                raise ValueError("the configuration document is another issuer's")
        return found

    def _let_go(self, entry: _Entry) -> None:
        if entry.flight is not None:
            entry.flight.cancel()

    def _later(self, seconds: float) -> float:
        return later(self._clock, self._entropy, seconds)


def address_of(plan: ProviderPlan) -> str:
    """Give the address of a provider's document; empty where there is none to ask, as where nothing is missing."""
    endpoints = plan.endpoints
    if endpoints.discovery:
        return endpoints.discovery
    if plan.spec.kind != "oidc" or not endpoints.issuer:
        return ""
    complete = endpoints.authorization_endpoint and endpoints.token_endpoint and endpoints.jwks_uri
    return "" if complete else endpoints.issuer.rstrip("/") + PATH


def read_configuration(document: bytes) -> Endpoints:
    """Read a configuration document (OpenID Connect Discovery 1.0 section 3).

    Raises `ValueError` when it is none, lacks what it must have, or names an address that we would not ask.
    """
    try:
        members = decode_object(document)
    except NotStrictJson as error:
        raise ValueError(f"the configuration document is {error}") from error
    issuer = members.get("issuer")
    if not isinstance(issuer, str) or not issuer:
        raise ValueError("the configuration document names no issuer")
    found = {name: _address(name, members.get(name)) for name in _MEMBERS}
    missing = [name for name in ("authorization_endpoint", "jwks_uri") if not found[name]]
    if missing:
        raise ValueError(f"the configuration document has no {missing[0]}")
    return Endpoints(issuer=issuer, **found)


def speaks_for(plan: ProviderPlan, published: str) -> bool:
    """Say whether a document is of the issuer that was configured (OpenID Connect Discovery 1.0 section 4.3).

    A slash at the end does not count here, since people write the address as they like: tokens are held to the
    document's own spelling.
    """
    configured = plan.endpoints.issuer
    return not configured or plan.spec.issuer_from_document or published.rstrip("/") == configured.rstrip("/")


def _keys_of(plan: ProviderPlan, found: Endpoints | None) -> tuple[str, ...]:
    """Give where a provider's keys are published, and where more is said of them."""
    if found is None:
        return ()
    return found.jwks_uri, plan.spec.twin_keys(found.issuer, found.jwks_uri)


def _address(name: str, value: object) -> str:
    """Give an address of the document; raises `ValueError` for one that is neither https: nor on this machine."""
    if value is None:
        return ""
    if isinstance(value, str) and value.isascii() and value.isprintable():
        parts = urlsplit(value)
        if (
            parts.hostname
            and parts.username is None
            and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(parts.hostname or "")))
        ):
            return value
    raise ValueError(f"{name} in the configuration document is no https: address")


def _over(configured: Endpoints, found: Endpoints) -> Endpoints:
    """Lay what the settings say over what was discovered; the issuer is the document's."""
    said = {one.name: value for one in fields(Endpoints) if (value := getattr(configured, one.name))}
    return replace(found, **{**said, "issuer": found.issuer})
