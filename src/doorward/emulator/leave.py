"""Sign-out at a pretend provider (OpenID Connect RP-Initiated Logout 1.0).

Ends the provider's own session in the browser, then goes back to the application, but only to an address that it has
registered; any other ends on a page here.
"""

from typing import Protocol

from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.emulator.lobby import COOKIE
from doorward.emulator.stage import Stage
from doorward.emulator.web import Ask, Refused, Reply, page, redirect, refusal_page
from doorward.protocol.jose import base64url_decode
from doorward.protocol.oauth2 import EndSessionRequest
from doorward.protocol.parameters import BadMessage, with_parameters

_NOBODY = "?"


class Leavable(Protocol):
    """A provider with a session to end."""

    name: str
    label: str
    stage: Stage


def answer(provider: Leavable, ask: Ask) -> Reply:
    """Sign the browser out; raises `Refused`."""
    try:
        request = EndSessionRequest.from_form(ask.body) if ask.is_form else EndSessionRequest.from_query(ask.query)
    except BadMessage as error:
        raise Refused(refusal_page(400, "The request is malformed", f"{error}.")) from error
    gone = provider.stage.lobby.leave(ask.cookie(COOKIE), provider.name)
    who = ", ".join(one.email for one in gone) or "nobody"
    target = request.post_logout_redirect_uri
    if not target:
        return page("emulator_signed_out.html", note=f"signed out: {who}", provider=provider.label, refused="")
    if not _may_leave_to(provider, request, target):
        note = f"signed out: {who}; the address to go to is not registered"
        return page("emulator_signed_out.html", 400, note=note, provider=provider.label, refused=target)
    state = [("state", request.state)] if request.state else []
    return redirect(with_parameters(target, state), note=f"signed out: {who}").telling(state, f"to {target}")


def _may_leave_to(provider: Leavable, request: EndSessionRequest, target: str) -> bool:
    """Ask the application that is named, else each one: Entra goes by the address alone."""
    named = request.client_id or _audience(request.id_token_hint)
    clients = provider.stage.clients.of(provider.name)
    return any(client.may_leave_to(target) for client in clients if named in ("", client.client_id))


def _audience(id_token_hint: str) -> str:
    """Read for whom the hint was issued; it only names an application, so its signature says nothing here."""
    if not id_token_hint:
        return ""
    _, _, rest = id_token_hint.partition(".")
    try:
        audience = decode_object(base64url_decode(rest.partition(".")[0].encode())).get("aud")
    except (ValueError, NotStrictJson):
        return _NOBODY
    return audience if isinstance(audience, str) else _NOBODY
