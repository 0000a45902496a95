"""What the box shows: a person who has signed in, and tokens that work as soon as it is printed."""

import asyncio

from doorward.accounts.clients import add_known_client
from doorward.accounts.nouns import Origin, TokenPair
from doorward.accounts.registrations import NewRegistration, add_registration
from doorward.accounts.resolve import SignIn
from doorward.accounts.sign_in import SignInDesk, SignInRules
from doorward.accounts.tokens import digest_of
from doorward.base.errors import DoorwardError
from doorward.base.faults import ALREADY_THERE
from doorward.base.frozen import frozen
from doorward.config.dev_keys import DEV_CLIENT, DEV_CLIENT_SECRET
from doorward.emulator.client import mint
from doorward.emulator.messages import MintRequest
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, FABRIKAM, PEOPLE
from doorward.house import BackOffice

CLIENT_NAME = "Development"
FIRST_PERSON = PEOPLE[0]
_ORIGIN = Origin(user_agent="doorward dev")


@frozen
class Samples:
    """What the box shows: a fresh id_token and a pair of platform tokens."""

    id_token: str
    pair: TokenPair


async def make_samples(back: BackOffice, emulator: str) -> Samples:
    """Give what the box shows; `emulator` is the address of the pretend providers. Raises `DoorwardError`."""
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
