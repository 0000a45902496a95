"""Is this id_token acceptable: structure, signature, claims, and the registration's policy (reference 1.7, steps 3 to
9).

The checks themselves are words (`protocol`, `providers/aad.py`); this module fetches what they need, in their order,
and puts a refusal into the catalogue's row. `doorward explain` walks the same code.
"""

from typing import Any

from doorward.accounts.nouns import Registration
from doorward.accounts.registrations import Registrations
from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.refusals import (
    AUDIENCE_MISMATCH,
    GUEST_NOT_ALLOWED,
    INVALID_TOKEN,
    ISSUER_MISMATCH,
    TENANT_NOT_ALLOWED,
    TOKEN_EXPIRED,
    TOKEN_NOT_YET_VALID,
)
from doorward.exchange.clouds import CloudsInUse
from doorward.keys.provider_keys import ProviderKeys
from doorward.protocol.jose import SIGNATURE, UnverifiedToken, read_compact, verify_rs256
from doorward.protocol.refusal import Fault, TokenRefused
from doorward.providers.aad import Authority, EntraIdentity, Signer, authorities_named_by, verify

ROWS: dict[Fault, ErrorRow] = {
    Fault.INVALID: INVALID_TOKEN,
    Fault.EXPIRED: TOKEN_EXPIRED,
    Fault.NOT_YET_VALID: TOKEN_NOT_YET_VALID,
    Fault.ISSUER: ISSUER_MISMATCH,
    Fault.AUDIENCE: AUDIENCE_MISMATCH,
}


class Verification:
    """Checks id_tokens against the key sets and registrations of this process."""

    def __init__(
        self,
        keys: ProviderKeys,
        clouds: CloudsInUse,
        registrations: Registrations,
        *,
        leeway: float,
        max_token_age: float,
    ) -> None:
        """Look keys up in `keys`; `leeway` and `max_token_age` are in seconds, and an age of 0 means any."""
        self._keys = keys
        self._clouds = clouds
        self._registrations = registrations
        self._leeway = leeway
        self._max_token_age = max_token_age

    async def verify(self, token: str, now: float, nonce: str | None) -> tuple[EntraIdentity, Registration]:
        """Give the identity that a token speaks of, and the registration that it was made for.

        Raises `DoorwardError`: `invalid_token`, `token_expired`, `token_not_yet_valid`, `issuer_mismatch`,
        `audience_mismatch`, `tenant_not_allowed`, `guest_not_allowed`, `keys_unavailable`.
        """
        try:
            identity = await self.check(token, now, nonce)
        except TokenRefused as refused:
            raise _refusal_of(refused) from refused
        return identity, self.admit(identity, now)

    async def check(self, token: str, now: float, nonce: str | None) -> EntraIdentity:
        """Run every check of `providers.aad.CHECKS`.

        Raises `TokenRefused`, or `DoorwardError` (`keys_unavailable`).
        """
        unverified = read_compact(token)
        signers = await self._signers(unverified)
        if not signers:
            raise TokenRefused(SIGNATURE, "no key that the issuer publishes made this signature")
        return verify(
            unverified,
            signers,
            now=now,
            leeway=self._leeway,
            cloud_of_audience=self._cloud_of,
            nonce=nonce,
        )

    def admit(self, identity: EntraIdentity, now: float) -> Registration:
        """Hold an identity to the policy of its registration; raises `DoorwardError`."""
        registration = self._registrations.find_enabled(identity.client_id)
        if registration is None:
            raise DoorwardError(AUDIENCE_MISMATCH, client_id=identity.client_id)
        if self._max_token_age and now - identity.issued_at > self._max_token_age + self._leeway:
            raise DoorwardError(TOKEN_EXPIRED, reason="older than token_service.max_token_age", **_who(identity))
        if not registration.admits(identity.tid):
            raise DoorwardError(TENANT_NOT_ALLOWED, **_who(identity))
        if identity.is_guest and not registration.allow_guests:
            raise DoorwardError(GUEST_NOT_ALLOWED, **_who(identity))
        return registration

    def _cloud_of(self, client_id: str) -> str | None:
        registration = self._registrations.find_enabled(client_id)
        return None if registration is None else registration.cloud

    async def _signers(self, token: UnverifiedToken) -> tuple[Signer, ...]:
        """Give who made the signature among those whose issuer the token names, fetching keys where that may help.

        Where the token names no configured issuer, every loaded key set is tried without a fetch, so that a foreign
        token with a good signature is told from a forged one.
        """
        named = authorities_named_by(token, self._clouds.authorities)
        signers = self._signers_among(token, named or self._clouds.authorities)
        if named and not signers:
            for authority in named:
                await self._keys.find(authority.keys, token.kid)
            signers = self._signers_among(token, named)
        if all(signer.authority.version != "1.0" for signer in signers):
            return signers
        for authority in {signer.authority.keys_v2: signer.authority for signer in signers}.values():
            await self._need_version_2(authority, token.kid)
        return tuple(self._with_version_2(signer) for signer in signers)

    def _signers_among(self, token: UnverifiedToken, authorities: tuple[Authority, ...]) -> tuple[Signer, ...]:
        return tuple(
            Signer(authority=authority, key=key, keys_v2=None)
            for authority in authorities
            for key in self._keys.find_cached(authority.keys, token.kid)
            if verify_rs256(token, key)
        )

    async def _need_version_2(self, authority: Authority, kid: str) -> None:
        """Make sure that the version 2.0 keys are known: they alone tell whose a version 1.0 key is (reference 2.3)."""
        if authority.version == "1.0" and authority.keys_v2 and self._keys.key_set(authority.keys_v2) is None:
            await self._keys.find(authority.keys_v2, kid)

    def _with_version_2(self, signer: Signer) -> Signer:
        if signer.authority.version != "1.0" or signer.authority.keys_v2 is None:
            return signer
        return Signer(authority=signer.authority, key=signer.key, keys_v2=self._keys.key_set(signer.authority.keys_v2))


def _who(identity: EntraIdentity) -> dict[str, Any]:
    """Give what the log and the audit trail keep of an identity that was refused: identifiers, no names."""
    return {
        "client_id": identity.client_id,
        "cloud": identity.cloud,
        "tid": identity.tid,
        "oid": identity.oid,
        "kid": identity.kid,
    }


def _refusal_of(refused: TokenRefused) -> DoorwardError:
    """Put a check's refusal into the catalogue's words, with the check and its reason for the log."""
    facts: dict[str, Any] = {"check": refused.check.name, "reason": refused.reason, **refused.facts}
    return DoorwardError(ROWS[refused.fault], **facts)
