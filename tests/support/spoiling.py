"""Honest tokens spoiled at random: the seed corpus of the fuzz tests.

A spoiled token is still signed with a published key more often than not, so that what lies behind the signature is
reached as well.
"""

import random
from collections.abc import Callable

import msgspec

from doorward.protocol.jose import base64url_encode
from tests.support.entra import NOW, claims, claims_v1, header, mint, mint_raw, sign_parts

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
VALUES: tuple[object, ...] = (
    None, True, False, 0, 1, -1, 1.5, 1e300, -1e300, 10**20, NOW, NOW - 9e9, "", "x", "\0", "é", "\u202e", "1.0", "2.0",
    "RS256", "none", "HS256", "JWT", "kid-shared", "kid-consumer", "kid-usgov", [], {}, [[]], {"a": []}, ["x"],
    "x" * 300,
    "jane@contoso.com", "11111111-2222-4333-8444-5555aaaabbbb", "{tenantid}", "https://sts.windows.net/{tenantid}/",
)  # fmt: skip
NAMES = (
    "alg", "kid", "typ", "crit", "jku", "zip", "nonce", "iss", "aud", "exp", "iat", "nbf", "sub", "tid", "oid", "ver",
    "azp", "appid", "name", "preferred_username", "email", "upn", "unique_name", "idp", "acct", "xms_edov", "roles",
    "scp", "groups",
)  # fmt: skip


def spoil(chance: random.Random) -> str:
    """Give one token, spoiled in a way that `chance` decides."""
    ways: tuple[Callable[[random.Random], str], ...] = (_other_members, _other_members, _other_bytes, _other_text)
    return chance.choice(ways)(chance)


def _members(chance: random.Random, members: dict[str, object]) -> dict[str, object]:
    for _ in range(chance.randrange(4)):
        name = chance.choice(NAMES)
        if chance.random() < 0.2:
            members.pop(name, None)
        else:
            members[name] = chance.choice(VALUES)
    return members


def _other_members(chance: random.Random) -> str:
    head = _members(chance, header()) if chance.random() < 0.3 else header()
    return mint(_members(chance, chance.choice((claims, claims_v1))()), head, by=chance.choice(("shared", "consumer")))


def _other_bytes(chance: random.Random) -> str:
    parts = [bytearray(msgspec.json.encode(header())), bytearray(msgspec.json.encode(claims()))]
    part = chance.choice(parts)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(part))
        part[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    if chance.random() < 0.2:
        return sign_parts(
            base64url_encode(bytes(parts[0])), base64url_encode(bytes(parts[1])) + chance.choice((b"A", b"=", b"=="))
        )
    return mint_raw(bytes(parts[0]), bytes(parts[1]))


def _other_text(chance: random.Random) -> str:
    token = list(mint())
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(token))
        token[at : at + chance.randrange(3)] = [chance.choice(ALPHABET + "=+/ é\0") for _ in range(chance.randrange(3))]
    return "".join(token)
