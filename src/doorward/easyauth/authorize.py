"""The authorization request: what the browser carries to the provider (easy-auth reference 2.2, 2.3 and 1.1).

What differs between providers is data of their `ProviderSpec`. `loginParameters` replace defaults of the same name, and
parameters of the sign-in address replace both; what ties an answer to this sign-in nobody replaces.
"""

from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.flow import Ask
from doorward.protocol.oauth2 import AuthorizationRequest
from doorward.protocol.parameters import BadMessage, Pairs, with_parameters

OURS = frozenset({"client_id", "redirect_uri", "state", "nonce"})
"""Parameters that neither settings nor addresses may replace."""

MAX_WISH = 1024
_RESPONSE_TYPES = frozenset({"code", "id_token"})


def authorization_address(plan: ProviderPlan, endpoint: str, ask: Ask) -> str:
    """Give the address to send the browser to; raises `BadMessage` for a wish that cannot be."""
    return with_parameters(endpoint, _in_order(plan.spec.parameter_order, authorization_request(plan, ask).pairs()))


def authorization_request(plan: ProviderPlan, ask: Ask) -> AuthorizationRequest:
    """Give the request; raises `BadMessage` for a wish that cannot be."""
    spec = plan.spec
    request = AuthorizationRequest(
        response_type=spec.response_type if can_prove_itself(plan) else spec.response_type_without_secret,
        redirect_uri=ask.redirect_uri,
        client_id=plan.client_id,
        scope=" ".join(plan.scopes or spec.default_scopes),
        further=tuple(spec.parameters.items()),
        response_mode=spec.response_mode,
        nonce="" if spec.nonce_in_state else ask.nonce,
        state=ask.state,
    )
    settings = [pair for pair in plan.login_parameters if pair[0] not in OURS]
    request = request.with_parameters(settings).with_parameters(_wishes(plan, ask.wishes))
    return request.with_parameters((("response_mode", mode),)) if (mode := _mode(plan, request)) else request


def can_prove_itself(plan: ProviderPlan) -> bool:
    """Say whether there is anything with which a code can be redeemed: a secret, a certificate, a signing key."""
    return bool(plan.client_secret or plan.certificate_file or plan.private_key_file)


def _wishes(plan: ProviderPlan, wishes: Pairs) -> Pairs:
    """Keep what this provider is handed on; raises `BadMessage` for what we could not take back afterwards."""
    kept = tuple((name, value) for name, value in wishes if name in plan.spec.forwarded_parameters and value)
    for name, value in kept:
        if len(value) > MAX_WISH or not value.isprintable():
            raise BadMessage(f"{name} is too long, or holds characters that nobody sees")
        if name == "response_type" and not _takes(plan, value):
            raise BadMessage("response_type asks for what we do not take")
    return kept


def _takes(plan: ProviderPlan, response_type: str) -> bool:
    """Say whether we can take what a response_type brings: an id_token by the browser only with a nonce in it."""
    return (frozenset({"code"}) if plan.spec.nonce_in_state else _RESPONSE_TYPES).issuperset(response_type.split(" "))


def _mode(plan: ProviderPlan, request: AuthorizationRequest) -> str:
    """Give the response_mode that has to be asked for, empty where the provider's own will do.

    An id_token comes in the fragment unless it is asked for as a form, and no server ever sees a fragment.
    """
    if request.response_mode:
        return ""
    if "id_token" in request.response_type.split(" "):
        return "form_post"
    return plan.spec.response_mode_with_scopes if request.scope else ""


def _in_order(first: tuple[str, ...], pairs: Pairs) -> Pairs:
    """Put the named parameters first, in their order; the others keep theirs."""
    places = {name: place for place, name in enumerate(first)}
    return tuple(sorted(pairs, key=lambda pair: places.get(pair[0], len(places))))
