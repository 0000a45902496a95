"""Whose token is this: asking a provider for which application it issued an access token (interface, section 7).

An access token of Facebook's or GitHub's names nobody by itself. Whoever runs any other application has tokens of its
users, and could sign in here as each of them; so a token that a client brings counts only where the provider says that
it is ours.
"""

from collections.abc import Mapping
from typing import NoReturn, cast
from urllib.parse import quote, urlsplit

import msgspec

from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.frozen import frozen
from doorward.base.refusals_providers import PROVIDER_TOKEN_INVALID, TOKEN_OF_ANOTHER_APP
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.provider_calls import ClientParts, read_profile, secret_proof, unavailable
from doorward.outbound import OutboundFailed
from doorward.protocol.oauth2 import basic_authorization
from doorward.protocol.parameters import with_parameters

_NOT_OURS = frozenset({401, 404, 422})


@frozen
class TokenInfo:
    """What is known of a token that is ours: whose it is, and when it expires, in seconds; None where nobody said."""

    user_id: str | None = None
    expires_at: float | None = None


async def ask_token_info(parts: ClientParts, plan: ProviderPlan, access_token: str) -> TokenInfo:
    """Ask the provider, as ourselves, about a person's token; nothing is known where it has no way to tell.

    Raises `DoorwardError`: `token_of_another_app` where it is not ours or nobody knows it, `provider_token_invalid`,
    `provider_unavailable`.
    """
    match plan.spec.token_info:
        case "debug_token":
            return await _debug_token(parts, plan, access_token)
        case "check_token" if _is_where_profiles_are(plan):
            return await _check_token(parts, plan, access_token)
        case _:
            return TokenInfo()


def _is_where_profiles_are(plan: ProviderPlan) -> bool:
    """Say whether the address knows the tokens of the profile's: a server of one's own has another one, or none."""
    info, profile = plan.endpoints.token_info_endpoint, plan.endpoints.userinfo_endpoint
    return info != plan.spec.endpoints.token_info_endpoint or urlsplit(info).netloc == urlsplit(profile).netloc


async def _check_token(parts: ClientParts, plan: ProviderPlan, access_token: str) -> TokenInfo:
    """Have GitHub check a token: it knows it under our client id and secret alone, or not at all."""
    address = plan.endpoints.token_info_endpoint.replace("{client_id}", quote(plan.client_id, safe=""))
    body = msgspec.json.encode({"access_token": access_token})
    ourselves = basic_authorization(plan.client_id, plan.client_secret.reveal())
    try:
        answer = await parts.outbound.post_json(address, body, ourselves)
    except OutboundFailed as failed:
        raise unavailable(plan, failed.reason, failed.host) from failed
    if answer.status in _NOT_OURS:
        _refuse(plan, f"status {answer.status} for the token")
    found = read_profile(plan, answer, address)
    app, user = found.get("app"), found.get("user")
    if not isinstance(app, dict) or cast("dict[str, object]", app).get("client_id") != plan.client_id:
        _refuse(plan, "app is another application")
    return TokenInfo(user_id=_identifier(cast("dict[str, object]", user).get("id")) if isinstance(user, dict) else None)


async def _debug_token(parts: ClientParts, plan: ProviderPlan, access_token: str) -> TokenInfo:
    ourselves = f"{plan.client_id}|{plan.client_secret.reveal()}"
    asked = [("input_token", access_token), ("access_token", ourselves), *secret_proof(plan, ourselves)]
    address = plan.endpoints.token_info_endpoint
    try:
        answer = await parts.outbound.get_signed(with_parameters(address, asked), "")
    except OutboundFailed as failed:
        raise unavailable(plan, failed.reason, failed.host) from failed
    data = read_profile(plan, answer, address).get("data")
    if not isinstance(data, dict):
        raise unavailable(plan, "whose token: no object named data", "")
    return _judge(plan, cast("dict[str, object]", data), parts.clock.now())


def _judge(plan: ProviderPlan, data: Mapping[str, object], now: float) -> TokenInfo:
    """Judge what Graph says of a token: of one that is no token at all it names no application."""
    is_valid, app = data.get("is_valid") is True, _identifier(data.get("app_id"))
    if app != plan.client_id and (app is not None or is_valid):
        _refuse(plan, "app_id is another application")
    if not is_valid:
        _refuse(plan, "the provider calls it invalid", PROVIDER_TOKEN_INVALID)
    if data.get("type", "USER") != "USER":
        _refuse(plan, "it is no person's", PROVIDER_TOKEN_INVALID)
    expires = data.get("expires_at", 0)
    if not isinstance(expires, int) or isinstance(expires, bool):
        _refuse(plan, "expires_at is no time", PROVIDER_TOKEN_INVALID)
    if 0 < expires <= now:
        _refuse(plan, "it has expired", PROVIDER_TOKEN_INVALID)
    return TokenInfo(user_id=_identifier(data.get("user_id")), expires_at=float(expires) if expires > 0 else None)


def _identifier(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _refuse(plan: ProviderPlan, reason: str, row: ErrorRow = TOKEN_OF_ANOTHER_APP) -> NoReturn:
    raise DoorwardError(row, provider=plan.name, reason=reason)
