"""Platform tokens in the database of a command line, as an exchange would have issued them."""

import asyncio
from contextlib import suppress

from doorward.accounts.nouns import Origin, TokenPair
from doorward.accounts.tokens import Owner
from doorward.accounts.users import link_user
from doorward.base.clock import FrozenClock, SystemClock
from doorward.base.errors import DoorwardError
from doorward.config.loading import Options, load
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID
from doorward.house import open_back_office
from tests.support.canaries import keep_secret

OID = "33333333-0000-4000-8000-000000000003"


def issue(user_id: int, *, ago: float = 0) -> TokenPair:
    """Issue a pair to a user of organization 1, as it would have been `ago` seconds before now."""

    async def work() -> TokenPair:
        clock = FrozenClock(SystemClock().now() - ago)
        async with open_back_office(load(Options(purpose="command")), clock) as back:
            await back.load_ring()
            await back.load_registrations()
            registration = back.registrations.find(DEV_CLIENT_ID)
            owner = Owner(
                user_id=user_id,
                organization_id=1,
                registration_id=0 if registration is None else registration.id,
                client_id=DEV_CLIENT_ID,
                cloud="global",
                tid=CONTOSO,
                oid=OID,
            )
            pair, rows = back.office.issue(owner, clock.now())
            await back.store.append(rows)
            with suppress(DoorwardError):  # the second time the link is there
                await link_user(back.store, user_id, "global", CONTOSO, OID, clock.now(), Origin())
            return pair

    pair = asyncio.run(work())
    keep_secret(pair.platform_token)
    keep_secret(pair.access_token.rpartition(".")[2])
    return pair
