"""One-time codes: what a native app fetches its session token with (easy-auth reference 1.2, RFC 7636).

Whoever else is registered for the app's scheme may see the address that leads back to it, so that address carries a
code, and the code is worth something to the app alone that made up the verifier. A code is 256 random bits and counts
once, for two minutes; who it stands for is sealed until then, and there is no session before it was redeemed. A wrong
verifier uses it up: there is no second guess.
"""

import hashlib
import hmac
import re
from typing import final

import msgspec

from doorward.base.clock import Clock
from doorward.base.entropy import TOKEN_BYTES, Entropy
from doorward.base.errors import DoorwardError
from doorward.base.refusals_completion import AUTHORIZATION_CODE_REFUSED
from doorward.identity.person import Identity, ProviderTokens
from doorward.protocol.jose import base64url_encode
from doorward.protocol.sealing import NotOpened, Sealer
from doorward.store import Cursor, Row, Store, sign_in_codes

LIFETIME = 120.0
_CODE = re.compile(r"[A-Za-z0-9_-]{43}")
# RFC 7636 section 4.1, and padded base64 as App Service's own clients write it.
_VERIFIER = re.compile(r"[A-Za-z0-9._~+/=-]{43,128}")


class _Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What a code stands for."""

    challenge: str
    identity: Identity


@final
class SignInCodes:
    """Gives codes, and takes them back."""

    def __init__(
        self, store: Store, clock: Clock, entropy: Entropy, *, sealer: Sealer, keeps_tokens: bool = True
    ) -> None:
        """Keep what codes stand for in `store`; without `keeps_tokens` no token of a provider among it."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._sealer = sealer
        self._keeps_tokens = keeps_tokens

    async def keep(self, identity: Identity, challenge: str) -> str:
        """Give a code for somebody who was admitted; `challenge` is the verifier's SHA-256 in base64url.

        Raises as `Store.append` does.
        """
        code = base64url_encode(self._entropy.draw(TOKEN_BYTES)).decode()
        if not self._keeps_tokens:
            only_expiry = ProviderTokens(expires_on=identity.tokens.expires_on)
            identity = msgspec.structs.replace(identity, tokens=only_expiry)
        digest = _digest(code)
        worth = msgspec.json.encode(_Worth(challenge=challenge, identity=identity))
        sealed = self._sealer.seal(worth, _context(digest), self._entropy)
        await self._store.append([(sign_in_codes.ADD, (digest, sealed, self._clock.now() + LIFETIME))])
        return code

    async def take(self, code: str, verifier: str, provider: str) -> Identity:
        """Give who a code stands for, and use it up, whatever the verifier is worth.

        Raises `DoorwardError` (`authorization_code_refused`, `store_unavailable`).
        """
        if not _CODE.fullmatch(code):
            raise _refused("not a code of ours")
        digest = _digest(code)

        async def take(cursor: Cursor) -> Row | None:
            return await cursor.one(sign_in_codes.TAKE, digest)

        row = await self._store.write(take)
        worth = None if row is None or self._clock.now() >= row[1] else self._open(digest, row[0])
        if worth is None:
            raise _refused("never given out, used before, or expired")
        if not _VERIFIER.fullmatch(verifier):
            raise _refused("code_verifier has not 43 to 128 of its characters")
        if not hmac.compare_digest(challenge_of(verifier), worth.challenge):
            raise _refused("code_verifier is not the one of the sign-in")
        if worth.identity.provider != provider:
            raise _refused("of another provider")
        return worth.identity

    def _open(self, digest: bytes, sealed: bytes) -> _Worth | None:
        try:
            return msgspec.json.decode(self._sealer.open(sealed, _context(digest)), type=_Worth)
        except (NotOpened, msgspec.DecodeError):
            return None


def challenge_of(verifier: str) -> str:
    """Give the challenge that belongs to a verifier (RFC 7636 section 4.2, S256)."""
    return base64url_encode(hashlib.sha256(verifier.encode()).digest()).decode()


def _refused(reason: str) -> DoorwardError:
    return DoorwardError(AUTHORIZATION_CODE_REFUSED, reason=reason)


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


def _context(digest: bytes) -> str:
    return f"sign_in_codes/{digest.hex()}"
