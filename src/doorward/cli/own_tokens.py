"""What one of our own tokens is, whose, and whether it still holds.

The JWT is told by its header, the opaque token by its form. Whether they hold is asked of `accounts.tokens`, which
serves.
"""

from typing import TYPE_CHECKING

import msgspec

from doorward.accounts.nouns import Presented
from doorward.accounts.refresh import refuse_suspended_owner
from doorward.accounts.tokens import AccessClaims
from doorward.base.errors import DoorwardError
from doorward.base.refusals import AUDIENCE_MISMATCH
from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.cli.output import visible
from doorward.cli.wording import refusal, section, time_in_words
from doorward.protocol.jose import base64url_decode

if TYPE_CHECKING:
    from doorward.house import BackOffice

_OUR_ALGORITHMS = frozenset({"HS256", "ES256", "EdDSA"})


def is_ours(token: str) -> bool:
    """Say whether a token has the form of our JWT; no provider's token that we accept has one of its algorithms."""
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        return decode_object(base64url_decode(parts[0].encode("ascii", "replace"))).get("alg") in _OUR_ALGORITHMS
    except (ValueError, NotStrictJson, TypeError):
        return False


async def explain_access_token(office: "BackOffice", token: str) -> str:
    """Explain our JWT, the `access_token` of an exchange."""
    await office.load_registrations()
    await office.load_ring()
    title = "This has the form of an access_token of this service (JWT). It says of itself:"
    parts = [section(title, _claims(token, office.clock.now()))]
    try:
        presented = await office.office.read_access_token(token)
    except DoorwardError as error:
        return "\n\n".join([*parts, refusal(error.row, _reason(error))])
    return "\n\n".join([*parts, *_standing(office, presented)])


async def explain_platform_token(office: "BackOffice", token: str) -> str:
    """Explain our opaque token."""
    await office.load_registrations()
    await office.load_ring()
    parts = [f"This has the form of an opaque platform token ({office.settings.token_service.platform_token_name})."]
    try:
        presented = await office.office.read_platform_token(token)
    except DoorwardError as error:
        return "\n\n".join([*parts, refusal(error.row, _reason(error))])
    return "\n\n".join([*parts, *_standing(office, presented)])


def _claims(token: str, now: float) -> list[list[str]]:
    """Tell the claims as the token writes them; nobody has checked its signature yet."""
    try:
        claims = msgspec.json.decode(
            base64url_decode(token.split(".")[1].encode("ascii", "replace")), type=AccessClaims
        )
    except (ValueError, msgspec.MsgspecError):
        return [["claims", "not those of an access_token"]]
    members = msgspec.to_builtins(claims)
    times = {"iat", "nbf", "exp"}
    return [
        [name, time_in_words(value, now) if name in times else visible(str(value))] for name, value in members.items()
    ]


def _standing(office: "BackOffice", presented: Presented) -> list[str]:
    """Say whose token it is, and whether it still holds."""
    facts = section("Its record:", _record(presented, office.clock.now()))
    try:
        office.office.refuse_dead(presented)
        refuse_suspended_owner(presented)
        _refuse_unregistered(office, presented)
    except DoorwardError as error:
        return [facts, refusal(error.row, _reason(error))]
    return [facts, "It holds: signature or digest, times, record, user, organization and registration are good."]


def _refuse_unregistered(office: "BackOffice", presented: Presented) -> None:
    found = office.registrations.find_enabled(presented.client_id)
    if found is None or found.id != presented.registration_id:
        raise DoorwardError(AUDIENCE_MISMATCH, reason="its registration is disabled or removed")


def _record(presented: Presented, now: float) -> list[list[str]]:
    user = presented.user
    lines = [
        ["user", f"{user.id}, {visible(user.email)}, {'enabled' if user.enabled else 'disabled'}"],
        ["organization", f"{user.organization_id}, {'enabled' if presented.organization_enabled else 'disabled'}"],
        ["registration", presented.client_id],
        ["identity", f"cloud {presented.cloud}, tenant {presented.tid}, oid {presented.oid}"],
        ["family", f"{presented.family_id}, ends {time_in_words(presented.family_expires_at, now)}"],
        ["pair", f"{presented.pair_id}, generation {presented.pair_generation} of {presented.newest_generation}"],
        ["issued", time_in_words(presented.issued_at, now)],
        ["access_token ends", time_in_words(presented.access_expires_at, now)],
        ["opaque token ends", time_in_words(presented.platform_expires_at, now)],
    ]
    revoked_at = presented.pair_revoked_at or presented.family_revoked_at
    return [*lines, ["revoked", time_in_words(revoked_at, now)]] if revoked_at is not None else lines


def _reason(error: DoorwardError) -> str:
    return f"{error.facts.get('reason') or error.row.cause.rstrip('.')}."
