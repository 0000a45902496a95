"""How a refusal at the end of a sign-in came about, step by step: for the page of it in development.

Names what the browser brought back, what was begun in it, the checks of the id_token that passed and the one that did
not; never a code, a token, a state or a cookie's value.
"""

from collections.abc import Iterator
from dataclasses import fields

from doorward.base.errors import DoorwardError
from doorward.base.refusals_sign_in import ID_TOKEN_REFUSED
from doorward.config.auth_plan import ProviderPlan
from doorward.identity.person import Identity
from doorward.protocol.id_token import CHECKS
from doorward.protocol.oauth2 import AuthorizationResponse
from doorward.sessions.nonce import PendingSignIn

Step = tuple[str, str]
_NAMES = tuple(member.name for member in fields(AuthorizationResponse) if member.name != "further")
_SHOWN = ("reason", "error", "description", "host", "status")


def steps_of(
    plan: ProviderPlan,
    response: AuthorizationResponse,
    held: list[PendingSignIn],
    pending: PendingSignIn | None,
    identity: Identity | None,
    refusal: DoorwardError,
) -> list[Step]:
    """Give the steps, each as what was looked at and what was found.

    `held` are the sign-ins that this browser has begun at the provider, `pending` the one that the answer belongs to.
    """
    row = refusal.row
    return [
        ("Provider", f"{plan.spec.label} ({plan.name}), application {plan.client_id}"),
        ("Brought back", ", ".join(_brought(response)) or "nothing"),
        ("Begun in this browser", f"{len(held)} sign-in{'' if len(held) == 1 else 's'} with this provider"),
        ("The answer belongs to", _begun(pending)),
        *_checks(refusal),
        ("Credential", _person(identity)),
        *((name.capitalize(), str(refusal.facts[name])) for name in _SHOWN if refusal.facts.get(name)),
        ("Decided by", row.cause),
        ("Decision", f"{row.status} {row.code}: {row.message}"),
        ("Headers added", "none: no session has begun, and nothing goes to the application"),
    ]


def _brought(response: AuthorizationResponse) -> Iterator[str]:
    for name in _NAMES:
        if getattr(response, name):
            yield name
    for name, _ in response.further:
        yield name


def _begun(pending: PendingSignIn | None) -> str:
    if pending is None:
        return "none of them that is known at this point"
    return f"the one on the way to {pending.target}"


def _checks(refusal: DoorwardError) -> Iterator[Step]:
    """Say which checks the id_token had passed, where it was one of them that refused it."""
    names = [check.name for check in CHECKS]
    failed = refusal.facts.get("check")
    if refusal.row is ID_TOKEN_REFUSED and failed in names:
        yield "Checks passed", ", ".join(names[: names.index(str(failed))]) or "none"
        yield "Check failed", next(f"{one.name}: {one.demands} ({one.source})" for one in CHECKS if one.name == failed)


def _person(identity: Identity | None) -> str:
    return "nobody is known" if identity is None else f"{identity.user_id}, by {identity.provider}"
