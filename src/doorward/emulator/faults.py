"""What can go wrong on purpose: names, words for them, and where they were switched on.

A fault belongs to one sign-in: chosen on the page, sent with the order to sign in, or set beforehand for the next ones.
"""

from dataclasses import dataclass, field

from doorward.emulator.messages import BadMessage

ID_TOKEN_FAULTS = {
    "expired_token": "the id_token has expired",
    "not_yet_valid": "the id_token is valid from tomorrow on",
    "wrong_audience": "the id_token is for another application",
    "wrong_issuer": "the id_token names another issuer",
    "wrong_nonce": "the id_token has another nonce",
    "no_nonce": "the id_token has no nonce",
    "wrong_signature": "the id_token's signature is spoilt",
    "unpublished_key": "the id_token is signed by a key that nobody publishes",
    "algorithm_none": "the id_token says alg none and has no signature",
    "algorithm_hs256": "the id_token is signed with the client secret (HS256)",
    "bad_c_hash": "c_hash belongs to another code",
    "bad_at_hash": "at_hash belongs to another access token",
    "key_rotation": "the provider signs with a new key from now on (nothing is wrong)",
    "unverified_email": "nobody has verified the e-mail address",
    "subject_changed": "at the next refresh the id_token is another person's",
}
ANSWER_FAULTS = {
    "consent_denied": "the person says no",
    "login_required": "the provider says login_required",
    "wrong_state": "the answer carries another state",
    "no_code": "the answer carries no code",
    "token_500": "the token endpoint answers 500",
    "token_garbage": "the token endpoint answers with a page instead of JSON",
    "profile_500": "the profile answers 500",
    "slow": "token endpoint and profile answer late",
    "refresh_revoked": "the refresh token is refused",
}
FAULTS = ID_TOKEN_FAULTS | ANSWER_FAULTS
SLOW_SECONDS = 10.0


def check_faults(names: tuple[str, ...]) -> tuple[str, ...]:
    """Give the names as they are; raises `BadMessage` for one that is none."""
    if unknown := [name for name in names if name not in FAULTS]:
        raise BadMessage(f"no fault {unknown[0]!r}; there are: {', '.join(FAULTS)}")
    return names


@dataclass(slots=True)
class Switches:
    """Faults set beforehand: for the next `left` sign-ins of a provider, for ever where `left` is None."""

    slow_seconds: float = SLOW_SECONDS
    _set: dict[str, tuple[tuple[str, ...], int | None]] = field(
        default_factory=dict[str, tuple[tuple[str, ...], int | None]]
    )

    def set(self, provider: str, faults: tuple[str, ...], left: int | None = 1) -> None:
        """Switch faults on for a provider, in place of those set before; none switches them off."""
        check_faults(faults)
        if faults:
            self._set[provider] = (faults, left)
        else:
            self._set.pop(provider, None)

    def take(self, provider: str) -> tuple[str, ...]:
        """Give the faults of the sign-in that begins now, and count it."""
        faults, left = self._set.get(provider, ((), None))
        if left is not None:
            self.set(provider, faults if left > 1 else (), left - 1)
        return faults

    def peek(self, provider: str) -> tuple[str, ...]:
        """Give the faults that the next sign-in will have, without counting one."""
        return self._set.get(provider, ((), None))[0]

    def show(self) -> dict[str, dict[str, object]]:
        """Give what is switched on, by provider."""
        return {provider: {"faults": faults, "count": left} for provider, (faults, left) in self._set.items()}
