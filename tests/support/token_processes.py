"""Several serving processes on one database, without sockets: handlers, and what each remembers of tokens.

What a process does in the background, reading what others told, it does when a test says so.
"""

import base64
from dataclasses import dataclass, field
from typing import Any, cast

from doorward.accounts.clients import add_client
from doorward.accounts.refresh import RefreshDesk
from doorward.accounts.registrations import Registrations, add_registration
from doorward.accounts.tokens import Owner, TokenOffice, TokenRules
from doorward.accounts.users import NewUser, add_user, link_user
from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.base.errors import DoorwardError
from doorward.config.clouds import BUILT_IN
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, oid_of
from doorward.exchange.api import Contract, Parts
from doorward.exchange.oauth import OAuth
from doorward.keys.ring import KeyRing
from doorward.protocol.sealing import Sealer
from doorward.store import Sql, Store, open_store
from tests.support.houses import NOW, ORIGIN, prepare_database, registration
from tests.support.visits import visit

ACCESS, PLATFORM, FAMILY, GRACE = 90.0, 40.0, 200.0, 10.0
FORM = ("Content-Type", "application/x-www-form-urlencoded")


@dataclass
class Process:
    """One serving process: its store, and its handlers."""

    url: str
    clock: FrozenClock
    strict: bool
    entropy: SeededEntropy
    store: Store = field(init=False)
    office: TokenOffice = field(init=False)
    registrations: Registrations = field(init=False)
    refresh: RefreshDesk = field(init=False)
    ring: KeyRing = field(init=False)
    oauth: OAuth = field(init=False)
    contract: Contract = field(init=False)

    async def open(self) -> None:
        """Open everything as a process does at its start; what others tell is read when a test says so."""
        self.store = await open_store(self.url, auto_migrate=True)
        sealer = Sealer(b"\x11" * 32, "signing keys")
        self.ring = KeyRing(self.store, sealer, self.clock, self.entropy, algorithm="HS256", retirement=FAMILY)
        await self.ring.load()
        rules = TokenRules(
            issuer="http://a.example/auth-service",
            access_lifetime=ACCESS,
            platform_lifetime=PLATFORM,
            family_lifetime=FAMILY,
            strict_rotation=self.strict,
            refresh_grace=GRACE,
        )
        self.office = TokenOffice(self.store, self.ring, self.clock, self.entropy, rules)
        self.registrations = Registrations(self.store)
        await self.registrations.reload()
        find = self.registrations.find_enabled
        self.refresh = RefreshDesk(self.store, self.office, find)
        self.oauth = OAuth(self.store, self.office, self.ring, self.clock, find)
        parts = Parts(
            login=cast("Any", None), office=self.office, refresh=self.refresh, store=self.store, clock=self.clock,
            find_registration=find, platform_token_name="platform_token",
        )  # fmt: skip
        self.contract = Contract(parts)

    async def ask(self, client: str, token: str, more: str = "") -> bytes:
        """Introspect as a client, whose credentials are in base64; gives the body, or the code of the refusal."""
        asking = visit(FORM, ("Authorization", f"Basic {client}"))
        try:
            return (await self.oauth.introspect(asking, f"token={token}{more}".encode())).body
        except DoorwardError as refused:
            return refused.code.encode()


async def prepare(url: str) -> None:
    """Make a database with a registration, unless a story before has done so."""
    await prepare_database(url)
    store = await open_store(url, auto_migrate=True)
    if not await store.read(lambda cursor: cursor.all(Sql("SELECT id FROM registrations"))):
        await add_registration(store, registration(), BUILT_IN, NOW, ORIGIN)
    await store.close()


async def add_person(store: Store, entropy: SeededEntropy) -> int:
    """Add a user with a link; gives the id."""
    mail = f"{entropy.draw(8).hex()}@contoso.com"
    new = NewUser(email=mail, full_name=None, organization_id=1, role="user", verified=True)
    user = await add_user(store, new, NOW, ORIGIN)
    await link_user(store, user.id, "global", CONTOSO, oid_of(CONTOSO, mail), NOW, ORIGIN)
    return user.id


async def issue(process: Process, user_id: int) -> tuple[str, str]:
    """Give both tokens of a new sign-in of a user."""
    linked = Sql("SELECT oid FROM identities WHERE user_id = $1")
    row = await process.store.read(lambda cursor: cursor.one(linked, user_id))
    assert row is not None
    oid = str(row[0])
    through = process.registrations.find(DEV_CLIENT_ID)
    assert through is not None
    owner = Owner(
        user_id=user_id,
        organization_id=1,
        registration_id=through.id,
        client_id=DEV_CLIENT_ID,
        cloud="global",
        tid=CONTOSO,
        oid=oid,
    )
    pair, rows = process.office.issue(owner, process.clock.now())
    await process.store.append(rows)
    return pair.access_token, pair.platform_token


async def new_client(store: Store, entropy: SeededEntropy) -> tuple[str, str]:
    """Add a client; gives its id, and its credentials in base64."""
    client_id, secret = await add_client(store, entropy.draw(8).hex(), entropy, NOW, ORIGIN)
    return client_id, base64.b64encode(f"{client_id}:{secret}".encode()).decode()
