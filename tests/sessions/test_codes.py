"""One-time codes, without a server: replicas, the token store switched off, and what stands in the database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.errors import DoorwardError
from doorward.protocol.jose import base64url_decode
from doorward.protocol.sealing import Sealer
from doorward.sessions.codes import SignInCodes, challenge_of
from doorward.store import Sql
from tests.support.canaries import keep_secret
from tests.support.sessions import SECRET, Replica, person

VERIFIER = "v" * 43


def codes_of(replica: Replica, *, secret: bytes = SECRET, keeps_tokens: bool = True) -> SignInCodes:
    """Give the codes as one process has them."""
    sealer = Sealer(secret, "sign-in codes")
    return SignInCodes(replica.store, replica.clock, replica.entropy, sealer=sealer, keeps_tokens=keeps_tokens)


async def test_a_code_of_one_replica_is_redeemed_at_another(one: Replica, two: Replica) -> None:
    """What stands for the code is in the database, and once taken by one it is nothing to the other."""
    code = keep_secret(await codes_of(one).keep(person(), challenge_of(VERIFIER)))
    assert await codes_of(two).take(code, VERIFIER, "aad") == person()
    with pytest.raises(DoorwardError, match="authorization_code_refused"):
        await codes_of(one).take(code, VERIFIER, "aad")


async def test_a_wrong_verifier_at_one_replica_counts_at_the_other(one: Replica, two: Replica) -> None:
    """The guess at one uses the code up at both."""
    code = await codes_of(one).keep(person(), challenge_of(VERIFIER))
    with pytest.raises(DoorwardError, match="authorization_code_refused"):
        await codes_of(two).take(code, "w" * 43, "aad")
    with pytest.raises(DoorwardError, match="authorization_code_refused"):
        await codes_of(one).take(code, VERIFIER, "aad")


async def test_the_database_tells_nothing_of_a_code(one: Replica) -> None:
    """Neither the code nor the person stands there, and a row that was moved to another code does not open."""
    codes = codes_of(one)
    first = await codes.keep(person(), challenge_of(VERIFIER))
    second = await codes.keep(person("john"), challenge_of("w" * 43))
    rows = await one.store.read(lambda cursor: cursor.all(Sql("SELECT digest, sealed FROM sign_in_codes")))
    for digest, sealed in rows:
        assert base64url_decode(first.encode()) not in bytes(digest) + bytes(sealed)
        assert b"jane" not in bytes(sealed)
    swap = Sql("UPDATE sign_in_codes SET sealed = $1 WHERE digest = $2")
    (a, sealed_a), (b, sealed_b) = rows
    await one.store.write(lambda cursor: cursor.run(swap, sealed_a, b))
    await one.store.write(lambda cursor: cursor.run(swap, sealed_b, a))
    for code, verifier in ((first, VERIFIER), (first, "w" * 43), (second, VERIFIER), (second, "w" * 43)):
        with pytest.raises(DoorwardError, match="authorization_code_refused"):
            await codes.take(code, verifier, "aad")


async def test_without_a_token_store_no_token_is_kept(one: Replica) -> None:
    """Only when it expires is known, since the session token lasts for as long."""
    codes = codes_of(one, keeps_tokens=False)
    code = await codes.keep(person(expires_on=18_000_036_000_000_000), challenge_of(VERIFIER))
    kept = (await codes.take(code, VERIFIER, "aad")).tokens
    assert (kept.access_token, kept.refresh_token, kept.expires_on) == (None, None, 18_000_036_000_000_000)


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=0, max_size=140))
def test_challenges_differ(verifier: str) -> None:
    """Any text has a challenge of 43 characters, and another than the one of the right verifier."""
    challenge = challenge_of(verifier)
    assert len(challenge) == 43
    assert (challenge == challenge_of(VERIFIER)) == (verifier == VERIFIER)
