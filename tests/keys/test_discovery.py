import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.base.errors import DoorwardError
from doorward.base.secret import Secret
from doorward.config.auth_plan import ProviderPlan
from doorward.keys.discovery import LIFETIME, Discovery, address_of, read_configuration
from doorward.keys.kept import ForgottenDocuments, KeptDocument, KeptDocuments, StoredDocuments
from doorward.outbound import Outbound
from doorward.providers import ALL, custom
from doorward.providers.spec import Endpoints
from doorward.store import open_store
from tests.support import peers

NOW = 1_800_000_000.0
DOWN = peers.answer(b"", status="500 Oops")


def document(issuer: str, **changes: object) -> dict[str, object]:
    """Write a configuration document."""
    base = issuer.rstrip("/")
    whole: dict[str, object] = {
        "issuer": issuer,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "jwks_uri": f"{base}/keys",
        "end_session_endpoint": f"{base}/logout",
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def published(issuer: str, **changes: object) -> bytes:
    """Write the answer that publishes a document."""
    return peers.answer(json.dumps(document(issuer, **changes)).encode())


def plan(name: str = "contoso", **endpoints: str) -> ProviderPlan:
    """Give the plan of a provider with these endpoints."""
    spec = ALL[name] if name in ALL else custom(name)
    return ProviderPlan(
        name=name, spec=spec, client_id="app", client_secret=Secret(""), endpoints=Endpoints(**endpoints)
    )


@dataclass
class Bench:
    """A discovery that asks a real server, whose issuer is its own address."""

    discovery: Discovery
    server: peers.Publisher
    clock: FrozenClock
    issuer: str
    told: list[frozenset[str]] = field(default_factory=list[frozenset[str]])

    @property
    def asked(self) -> int:
        """Count the fetches."""
        return len(self.server.heads)

    def plan(self, name: str = "contoso", **endpoints: str) -> ProviderPlan:
        """Give a plan with the server as its issuer."""
        return plan(name, **{"issuer": self.issuer, **endpoints})

    async def tick(self, seconds: float = 0) -> None:
        """Let `seconds` pass, tick, and wait for what that began."""
        self.clock.advance(seconds)
        self.discovery.tick()
        await asyncio.gather(*(t for t in asyncio.all_tasks() if t.get_name() == "doorward-discovery"))


@asynccontextmanager
async def bench(kept: KeptDocuments | None = None, clock: FrozenClock | None = None) -> AsyncGenerator[Bench]:
    """Ask one server that publishes a document of its own."""
    clock = clock or FrozenClock(NOW)
    async with peers.publisher() as server:
        issuer = f"http://127.0.0.1:{server.port}"
        server.reply = published(issuer)
        told: list[frozenset[str]] = []
        discovery = Discovery(
            Outbound(None, {}), kept or ForgottenDocuments(), clock, SeededEntropy(), on_keys=told.append
        )
        yield Bench(discovery, server, clock, issuer, told)


# --- the ordinary course -------------------------------------------------------------------------------------------


async def test_a_document_is_fetched_once_for_all_who_wait() -> None:
    """Twenty sign-ins at the same moment share one fetch, and later ones need none."""
    async with bench() as it:
        found = await asyncio.gather(*(it.discovery.endpoints(it.plan()) for _ in range(20)))
        assert {one.token_endpoint for one in found} == {f"{it.issuer}/token"}
        assert (await it.discovery.endpoints(it.plan())).end_session_endpoint == f"{it.issuer}/logout"
        assert it.asked == 1
        assert it.server.heads[0].startswith("GET /.well-known/openid-configuration ")


async def test_what_the_settings_say_wins() -> None:
    """An endpoint of the settings stays; what they do not say is discovered, and the issuer is the document's."""
    async with bench() as it:
        found = await it.discovery.endpoints(it.plan(token_endpoint="http://127.0.0.1:1/mine"))
        assert found == Endpoints(
            issuer=it.issuer,
            authorization_endpoint=f"{it.issuer}/authorize",
            token_endpoint="http://127.0.0.1:1/mine",
            jwks_uri=f"{it.issuer}/keys",
            end_session_endpoint=f"{it.issuer}/logout",
        )


def test_nobody_is_asked_where_nothing_is_missing() -> None:
    """A provider whose endpoints all stand in the settings, or that has no issuer, is not discovered."""
    whole = {"authorization_endpoint": "https://a/a", "token_endpoint": "https://a/t", "jwks_uri": "https://a/k"}
    assert address_of(plan(issuer="https://a", **whole)) == ""
    assert address_of(plan(**whole)) == ""
    assert address_of(plan("github", issuer="https://a")) == ""
    assert address_of(plan(issuer="https://a/b/")) == "https://a/b/.well-known/openid-configuration"
    assert address_of(plan(issuer="https://a", discovery="https://b/doc", **whole)) == "https://b/doc"


async def test_a_document_grows_old_in_the_background() -> None:
    """After its lifetime it is fetched again by a tick, and nobody waits for that."""
    async with bench() as it:
        it.discovery.watch({"contoso": it.plan()})
        await it.tick()
        it.server.reply = published(it.issuer, token_endpoint=f"{it.issuer}/new")
        await it.tick(LIFETIME / 2)
        assert it.asked == 1
        await it.tick(LIFETIME)
        assert (await it.discovery.endpoints(it.plan())).token_endpoint == f"{it.issuer}/new"
        assert it.asked == 2


async def test_who_needs_keys_is_told_where_they_are() -> None:
    """Whenever the key addresses of sign-in change, whoever keeps keys hears all of them."""
    async with bench() as it:
        other = plan(
            "other", authorization_endpoint="https://o/a", token_endpoint="https://o/t", jwks_uri="https://o/k"
        )
        it.discovery.watch({"contoso": it.plan(), "other": other})
        assert it.told == [frozenset({"https://o/k"})]
        await it.tick()
        assert it.told[1:] == [frozenset({"https://o/k", f"{it.issuer}/keys"})]
        await it.tick(LIFETIME)
        assert len(it.told) == 2
        it.discovery.watch({})
        assert it.told[2:] == [frozenset()]


async def test_keys_of_which_another_document_tells_more_are_two() -> None:
    """What version 2.0 says of Entra's version 1.0 keys is kept fresh beside them."""
    keys = "https://login.windows.net/common/discovery"
    whole = {"authorization_endpoint": "https://a/a", "token_endpoint": "https://a/t", "jwks_uri": f"{keys}/keys"}
    async with bench() as it:
        it.discovery.watch({"aad": plan("aad", issuer="https://sts.windows.net/x/", **whole)})
        assert it.told == [{f"{keys}/keys", f"{keys}/v2.0/keys"}]


# --- outages -------------------------------------------------------------------------------------------------------


async def test_an_outage_leaves_the_last_good_document() -> None:
    """However long the provider is away, sign-ins know where to go; one look a minute asks whether it is back."""
    async with bench() as it:
        it.discovery.watch({"contoso": it.plan()})
        await it.tick()
        it.server.reply = DOWN
        for _ in range(5):
            await it.tick(LIFETIME)
            assert (await it.discovery.endpoints(it.plan())).token_endpoint
        assert it.asked == 6
        it.server.reply = published(it.issuer, token_endpoint=f"{it.issuer}/new")
        await it.tick(61)
        assert (await it.discovery.endpoints(it.plan())).token_endpoint == f"{it.issuer}/new"


async def test_without_a_document_sign_in_is_refused_for_a_moment() -> None:
    """The refusal says when to try again, and who tries sooner does not make the provider's day worse."""
    async with bench() as it:
        it.server.reply = DOWN
        for _ in range(10):
            with pytest.raises(DoorwardError) as refused:
                await it.discovery.endpoints(it.plan())
            assert refused.value.code == "discovery_failed"
            assert refused.value.retry_after in range(1, 6)
        assert it.asked == 1
        it.server.reply = published(it.issuer)
        it.clock.advance(5)
        assert await it.discovery.endpoints(it.plan())


async def test_a_restart_during_an_outage_finds_the_kept_document(database_url: str) -> None:
    """What one process fetched another one knows, even while the provider is away."""
    clock = FrozenClock(NOW)
    store = await open_store(database_url, auto_migrate=True)
    try:
        async with bench(StoredDocuments(store, clock), clock) as it:
            assert await it.discovery.endpoints(it.plan())
            while not await StoredDocuments(store, clock).load():  # noqa: ASYNC110 - it is kept behind the answer
                await asyncio.sleep(0.005)
            it.server.reply = DOWN
            clock.advance(100 * LIFETIME)
            again = Discovery(Outbound(None, {}), StoredDocuments(store, clock), clock, SeededEntropy())
            again.watch({"contoso": it.plan()})
            await again.adopt_kept()
            assert (await again.endpoints(it.plan())).jwks_uri == f"{it.issuer}/keys"
            assert it.asked == 1
            unaware = Discovery(Outbound(None, {}), StoredDocuments(store, clock), clock, SeededEntropy())
            assert (await unaware.endpoints(it.plan())).jwks_uri == f"{it.issuer}/keys"
    finally:
        await store.close()


@dataclass
class Kept:
    """A place where something else was kept."""

    documents: list[KeptDocument]

    async def load(self) -> list[KeptDocument]:
        """Give it."""
        return self.documents

    async def keep(self, kept: KeptDocument) -> None:
        """Refuse to keep anything."""
        raise NotKept


class NotKept(Exception):
    """The place is full."""


@pytest.mark.parametrize("spoilt", [b"", b"{}", b"\xff", json.dumps(document("https://evil.example")).encode()])
async def test_a_kept_document_is_read_as_strictly_as_a_new_one(spoilt: bytes) -> None:
    """The database is not trusted to have kept it whole, nor to be of the issuer that is configured now."""
    kept = Kept([])
    async with bench(kept) as it:
        it.server.reply = DOWN
        kept.documents = [KeptDocument(url=address_of(it.plan()), document=spoilt, fetched_at=NOW - 10)]
        with pytest.raises(DoorwardError):
            await it.discovery.endpoints(it.plan())


async def test_a_document_that_cannot_be_kept_counts_all_the_same() -> None:
    """A full disk stops no sign-in."""
    async with bench(Kept([])) as it:
        assert await it.discovery.endpoints(it.plan())


async def test_running_ends_with_what_it_began() -> None:
    """Cancelled, it takes its fetch with it."""
    async with bench() as it:
        it.server.gate.clear()
        it.discovery.watch({"contoso": it.plan()})
        running = asyncio.create_task(it.discovery.run())
        await it.server.arrived.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.gather(
            *(t for t in asyncio.all_tasks() if t.get_name() == "doorward-discovery"), return_exceptions=True
        )


# --- what is believed ----------------------------------------------------------------------------------------------


async def test_another_issuers_document_is_refused() -> None:
    """OpenID Connect Discovery 1.0 section 4.3: the document must be of the issuer that was asked."""
    async with bench() as it:
        it.server.reply = published("https://evil.example")
        with pytest.raises(DoorwardError) as refused:
            await it.discovery.endpoints(it.plan())
        assert refused.value.code == "discovery_failed"
        assert refused.value.facts["reason"] == "the configuration document is another issuer's"


async def test_a_slash_at_the_end_is_no_other_issuer() -> None:
    """People write the address as they like; tokens are held to the document's own spelling."""
    async with bench() as it:
        it.server.reply = published(f"{it.issuer}/")
        assert (await it.discovery.endpoints(it.plan())).issuer == f"{it.issuer}/"


@pytest.mark.parametrize("issuer", ["https://login.example/{tenantid}/v2.0", "https://sts.example/some-guid/"])
async def test_entras_documents_name_their_own_issuer(issuer: str) -> None:
    """A document for many tenants has a template, one found under a domain name has the tenant's GUID."""
    async with bench() as it:
        base = f"{it.issuer}/common/v2.0"
        it.server.reply = published(issuer, jwks_uri=f"{it.issuer}/keys")
        assert (await it.discovery.endpoints(plan("aad", issuer=base))).issuer == issuer
        assert it.server.heads[0].startswith("GET /common/v2.0/.well-known/openid-configuration ")


BAD: list[dict[str, Any]] = [
    {"issuer": None},
    {"issuer": 1},
    {"issuer": ""},
    {"authorization_endpoint": None},
    {"jwks_uri": None},
    {"jwks_uri": "http://provider.example/keys"},
    {"jwks_uri": "ftp://127.0.0.1/keys"},
    {"token_endpoint": "javascript:alert(1)"},
    {"token_endpoint": ["https://a"]},
    {"authorization_endpoint": "//evil.example"},
    {"authorization_endpoint": "https://a.example/\r\nx: y"},
    {"end_session_endpoint": "https://user:password@a.example/"},
    {"end_session_endpoint": "https:///"},
    {"userinfo_endpoint": "https://é.example/"},
]


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_a_bad_document_is_refused(changes: dict[str, Any]) -> None:
    """What has to be there is, and every address is one that we would ask."""
    with pytest.raises(ValueError, match="configuration document"):
        read_configuration(json.dumps({**document("https://a.example"), **changes}).encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"nonsense", b'{"issuer": "a", "issuer": "b"}', b"\xff"])
def test_what_is_no_document_is_refused(raw: bytes) -> None:
    """Strict JSON, one object, no name twice."""
    with pytest.raises(ValueError, match="configuration document"):
        read_configuration(raw)
