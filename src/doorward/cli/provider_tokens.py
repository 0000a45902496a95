"""What a provider's token is, in words, and what becomes of it: every check in order, the policy, the addresses.

The verdict is that of `exchange.verification`, which serves; here it is only told. What is told of a token before its
checks is what the token says of itself.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from doorward.accounts.nouns import Registration
from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.refusals import EMAIL_MISMATCH, GUEST_NOT_ALLOWED, TENANT_NOT_ALLOWED
from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.base.text import guid
from doorward.cli.output import cell, visible
from doorward.cli.wording import refusal, section, time_in_words
from doorward.exchange.verification import ROWS
from doorward.protocol.jose import SIGNATURE, base64url_decode
from doorward.protocol.oidc import single_audience
from doorward.protocol.refusal import Check, TokenRefused
from doorward.providers.aad import (
    CHECKS,
    CONSUMER_TENANT,
    MICROSOFT_AUDIENCES,
    EntraIdentity,
    vouched_addresses,
)

if TYPE_CHECKING:
    from doorward.house import BackOffice

_TIMES = ("iat", "nbf", "exp")
_TOLD = (
    "ver", "iss", "aud", "tid", "oid", "sub", *_TIMES, "name", "preferred_username", "upn", "unique_name", "email",
    "xms_edov", "acct", "idp", "azp", "appid", "scp", "roles", "nonce",
)  # fmt: skip
_VALUE_MAX = 300


async def explain_id_token(office: "BackOffice", token: str) -> str:
    """Explain a token that a provider is said to have issued."""
    await office.load_registrations()
    missing = await _load_keys(office)
    now, claims = office.clock.now(), _peek(token)
    if claims is None:
        opening = ["This is not a well-formed token, so nothing can be said of what is in it."]
        return "\n\n".join([*opening, *await _judged(office, token, now, None)])
    registration = _registration_of(office, claims)
    opening = [_self_description(claims, now), *_mistaken(claims), _held_against(claims, registration), *missing]
    return "\n\n".join([*opening, *await _judged(office, token, now, registration)])


async def _load_keys(office: "BackOffice") -> list[str]:
    """Get the key sets that a server would have: the kept ones, else from the providers; say which cannot be had."""
    keys = office.provider_keys
    await keys.adopt_kept()
    if all(keys.loaded(url) for url in keys.status()):
        return []
    await keys.refresh_all()
    away = [[one.url, visible(one.last_error or "")] for one in keys.status().values() if not one.keys]
    return [section("Key sets that cannot be had, and so verify nothing:", away)] if away else []


def _peek(token: str) -> Mapping[str, object] | None:
    """Read the claims of a token of which nothing has been checked, to tell what it says of itself."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        return decode_object(base64url_decode(parts[1].encode("ascii", "replace")))
    except (ValueError, NotStrictJson):
        return None


async def _judged(office: "BackOffice", token: str, now: float, registration: Registration | None) -> list[str]:
    """Run every check, then the policy, and tell what came out."""
    try:
        identity = await office.verification.check(token, now, None)
    except TokenRefused as refused:
        return [_checks(refused.check, refused.reason), refusal(ROWS[refused.fault], f"{refused.reason}.")]
    except DoorwardError as error:
        reason = f"no keys could be had ({error.facts.get('reason')}), so the signature could not be checked"
        return [_checks(SIGNATURE, reason, "not made"), refusal(error.row, f"{reason}.")]
    return [_checks(None, ""), *_policy(office, identity, now, registration)]


def _checks(stopped_at: Check | None, reason: str, verdict: str = "REFUSED") -> str:
    """List every check in the order in which they are made; after one that refuses no other is reached."""
    lines: list[list[str]] = []
    reached = True
    for check in CHECKS:
        if check is stopped_at:
            lines.append([verdict, check.name, visible(reason)])
            reached = False
        else:
            lines.append(["passed" if reached else "not reached", check.name, check.demands])
    return section("Checks:", lines)


def _policy(office: "BackOffice", identity: EntraIdentity, now: float, registration: Registration | None) -> list[str]:
    """Hold an accepted token to its registration, and name the addresses that it vouches for."""
    try:
        admitted = office.verification.admit(identity, now)
    except DoorwardError as error:
        reason = str(error.facts.get("reason") or error.row.cause)
        return [section("Policy:", _policy_lines(identity, registration, error.row)), refusal(error.row, reason)]
    addresses = vouched_addresses(identity, lambda domain: admitted.is_authoritative(identity.tid, domain))
    lines = _policy_lines(identity, admitted, None)
    told = [[visible(address)] for address in dict.fromkeys(addresses)] or [["none"]]
    parts = [section("Policy:", lines), section("Addresses it vouches for, first candidate first:", told)]
    if not addresses:
        return [*parts, refusal(EMAIL_MISMATCH, "the token vouches for no address, so none can match.")]
    return [*parts, "Accepted: every check passes. The exchange would now look for the account."]


def _policy_lines(
    identity: EntraIdentity, registration: Registration | None, refused: ErrorRow | None
) -> list[list[str]]:
    """Tell the rules of the registration in their order: age, tenant, guest."""
    tenants = ", ".join(registration.tenants) if registration else "none"
    guests = "admits guests" if registration and registration.allow_guests else "admits members only"
    who = "a guest" if identity.is_guest else "a member"
    tenant_ok = refused is not TENANT_NOT_ALLOWED
    lines = [["passed" if tenant_ok else "REFUSED", "tenant", f"{identity.tid} among {tenants}"]]
    if refused is not None and refused not in {TENANT_NOT_ALLOWED, GUEST_NOT_ALLOWED}:
        return [["REFUSED", "age", refused.message], ["not reached", *lines[0][1:]], ["not reached", "guest", guests]]
    guest = "not reached" if not tenant_ok else "passed" if refused is None else "REFUSED"
    return [*lines, [guest, "guest", f"{who} of the tenant; the registration {guests}"]]


# --- what the token says of itself -------------------------------------------------------------------------------


def _self_description(claims: Mapping[str, object], now: float) -> str:
    lines: list[list[str]] = []
    for name in _TOLD:
        if name in claims:
            value = claims[name]
            lines.append([name, time_in_words(value, now) if name in _TIMES else _value(value)])
    if claims.get("tid") == CONSUMER_TENANT:
        lines.append(["", "the tenant of personal Microsoft accounts"])
    others = sorted(visible(name) for name in claims.keys() - set(_TOLD))
    lines.append(["others", ", ".join(others) or "-"])
    return section("A three-part token (JWT). It says of itself:", lines)


def _value(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return cell(text if len(text) <= _VALUE_MAX else f"{text[:_VALUE_MAX]}... ({len(text)} characters)")


def _mistaken(claims: Mapping[str, object]) -> list[str]:
    """Say plainly when somebody took the wrong token out of the sign-in's answer."""
    marks = access_token_marks(claims)
    if not marks:
        return []
    looks = f"This looks like an access token sent in place of an id_token ({'; '.join(marks)})."
    return [f"{looks} An access token is for the API that it names, not for us: send the id_token of the same answer."]


def access_token_marks(claims: Mapping[str, object]) -> list[str]:
    """Name what tells an access token from an id_token (token-exchange reference 2.12), as far as the claims say."""
    marks = [f"it has the claim {name}" for name in ("scp", "appidacr", "azpacr", "idtyp") if name in claims]
    audience = single_audience(claims.get("aud"))
    if audience is not None and (guid(audience) in MICROSOFT_AUDIENCES or "://" in audience):
        marks.append("its aud names an API")
    if any(name in claims and claims[name] != audience for name in ("azp", "appid")):
        marks.append("its azp or appid differs from aud")
    return marks


def _registration_of(office: "BackOffice", claims: Mapping[str, object]) -> Registration | None:
    audience = single_audience(claims.get("aud"))
    return None if audience is None else office.registrations.find(guid(audience) or audience)


def _held_against(claims: Mapping[str, object], registration: Registration | None) -> str:
    if registration is None:
        return f"No registration has the client ID {_value(claims.get('aud'))}."
    standing = "enabled" if registration.enabled else "disabled"
    return (
        f"It is held against the registration {visible(registration.name)!r} ({registration.client_id}, cloud "
        f"{registration.cloud}, {standing})."
    )
