"""Whose token is this: asking a provider for which application it issued an access token (interface, section 7).

An access token of Facebook's names nobody by itself. Whoever runs any other application has tokens of its users, and
could sign in here as each of them; so a token that a client brings counts only where the provider says that it is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, cast

from doorward.base.errors import DoorwardError
from doorward.base.refusals_providers import TOKEN_OF_ANOTHER_APP
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.provider_calls import ClientParts, read_profile, secret_proof, unavailable
from doorward.outbound import OutboundFailed
from doorward.protocol.parameters import with_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInfo:
    """What is known of a token that is ours: whose it is, and when it expires, in seconds; None where nobody said."""

    user_id: str | None = None
    expires_at: float | None = None


async def ask_token_info(parts: ClientParts, plan: ProviderPlan, access_token: str) -> TokenInfo:
    """Ask Graph's `debug_token`, as ourselves, about a person's token.

    Raises `DoorwardError`: `token_of_another_app` where it is invalid or not ours, `provider_unavailable`.
    """
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
    if data.get("is_valid") is not True:
        _refuse(plan, "the provider calls it invalid")
    if _identifier(data.get("app_id")) != plan.client_id:
        _refuse(plan, "app_id is another application")
    if data.get("type", "USER") != "USER":
        _refuse(plan, "it is no person's")
    expires = data.get("expires_at", 0)
    if not isinstance(expires, int) or isinstance(expires, bool):
        _refuse(plan, "expires_at is no time")
    if 0 < expires <= now:
        _refuse(plan, "it has expired")
    return TokenInfo(user_id=_identifier(data.get("user_id")), expires_at=float(expires) if expires > 0 else None)


def _identifier(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _refuse(plan: ProviderPlan, reason: str) -> NoReturn:
    raise DoorwardError(TOKEN_OF_ANOTHER_APP, provider=plan.name, reason=reason)
