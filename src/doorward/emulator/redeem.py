"""The token endpoint and the profile of every pretend provider.

Strict: the client proves itself the way it is registered, a code is used once, by the application and for the address
that it was made for, with the verifier of its challenge (RFC 6749 section 4.1.3, RFC 7636 4.6), and a refresh token
that was exchanged is not exchanged again.
"""

import binascii
from base64 import b64decode
from dataclasses import replace
from hmac import compare_digest
from urllib.parse import unquote_plus

import msgspec

from doorward.emulator.assertions import assertion_id
from doorward.emulator.clients import Client
from doorward.emulator.grants import Grant, NotGranted
from doorward.emulator.rules import Beside, OAuthRules
from doorward.emulator.traffic import texts
from doorward.emulator.web import GARBAGE, Ask, Refused, Reply, json_reply, refusal_page
from doorward.protocol.oauth2 import (
    CodeRedemption,
    RefreshRequest,
    TokenError,
    TokenResponse,
    challenge_of,
    read_token_request,
)
from doorward.protocol.parameters import BadMessage


def answer(provider: OAuthRules, ask: Ask, realm: str) -> Reply:
    """Answer at the token endpoint; raises `Refused`."""
    if ask.method != "POST":
        refused = json_reply(TokenError(error="invalid_request", error_description="use POST").to_json(), 405)
        raise Refused(refused.with_headers((b"allow", b"POST")))
    try:
        request = _read(ask)
        client = _client(provider, ask, request)
        if isinstance(request, CodeRedemption):
            return _redeem(provider, ask, request, client, realm)
        return _refresh(provider, ask, request, client)
    except BadMessage as error:
        return _refusal(provider, ask, realm, error.error, str(error))
    except NotGranted as error:
        return _refusal(provider, ask, realm, "invalid_grant", error.reason)


def _read(ask: Ask) -> CodeRedemption | RefreshRequest:
    if not ask.is_form:
        raise BadMessage("Content-Type must be application/x-www-form-urlencoded")
    if ask.query:
        raise BadMessage("parameters belong into the body")  # RFC 6749 section 3.2: a query ends in logs
    return read_token_request(ask.body)


def _refusal(provider: OAuthRules, ask: Ask, realm: str, error: str, description: str) -> Reply:
    told = TokenError(error=error, error_description=provider.error_text(error, description))
    reply = provider.token_refusal(told, 401 if error == "invalid_client" else 400, ask, realm)
    if error == "invalid_client" and ask.header("authorization") and reply.status == 401:
        reply = reply.with_headers((b"www-authenticate", b'Basic realm="pretend"'))
    return reply.telling(texts(told.members()), f"{error}: {description}")


# --- who asks ------------------------------------------------------------------------------------------------------


def _client(provider: OAuthRules, ask: Ask, request: CodeRedemption | RefreshRequest) -> Client:
    """Give the application that proved itself; raises protocol's `BadMessage`."""
    client_id, secret = request.client_id, request.client_secret
    if header := ask.header("authorization"):
        if secret or request.client_assertion:
            raise BadMessage("the client proves itself in two ways at once")
        client_id, secret = _basic(header, client_id)
    client = provider.stage.clients.find(provider.name, client_id)
    if client is None:
        raise BadMessage("no application with this client ID is registered", "invalid_client")
    if client.is_public:
        if secret or request.client_assertion:
            raise BadMessage("a public client presents no secret", "invalid_client")
    elif request.client_assertion:
        address = f"{provider.stage.base_url}{ask.path}"
        jti = assertion_id(request, client, address, provider.stage.clock.now())
        if jti is None or not provider.stage.grants.is_new(f"{client.client_id} {jti}"):
            raise BadMessage("the client assertion is not good, or was used before", "invalid_client")
    elif not provider.has_secret(client, secret):
        raise BadMessage("the client secret is wrong" if secret else "the client secret is absent", "invalid_client")
    return client


def _basic(header: str, client_id: str) -> tuple[str, str]:
    """Read HTTP Basic as RFC 6749 section 2.3.1 has it, each part escaped as in a form."""
    scheme, _, value = header.partition(" ")
    try:
        name, mark, secret = b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadMessage("the Authorization header is not Basic", "invalid_client") from error
    name, secret = unquote_plus(name), unquote_plus(secret)
    if scheme.lower() != "basic" or not mark or client_id not in ("", name):
        raise BadMessage("the Authorization header is not Basic, or names another client", "invalid_client")
    return name, secret


# --- tokens --------------------------------------------------------------------------------------------------------


def _redeem(provider: OAuthRules, ask: Ask, request: CodeRedemption, client: Client, realm: str) -> Reply:
    if not request.code:
        raise BadMessage("code is absent")
    grants = provider.stage.grants
    made_for = grants.peek(request.code).grant
    # A code in the wrong hands stays good for its owner: nobody can burn it by guessing who redeems.
    if (made_for.provider, made_for.client_id) != (provider.name, client.client_id):
        raise NotGranted("the code was made for another application")
    grant = grants.use_code(request.code)
    if grant.realm != realm:
        raise NotGranted("the code was made at another endpoint of the provider")
    if grant.redirect_uri != request.redirect_uri and (request.redirect_uri or provider.repeats_redirect):
        raise NotGranted("redirect_uri is not the one of the authorization request")
    _check_verifier(grant, client, request.code_verifier)
    return _tokens(provider, ask, grant, client)


def _check_verifier(grant: Grant, client: Client, verifier: str) -> None:
    if grant.code_challenge:
        if not verifier or not compare_digest(challenge_of(verifier), grant.code_challenge):
            raise NotGranted("code_verifier does not belong to the code_challenge" if verifier else "no code_verifier")
    elif verifier:
        raise NotGranted("a code_verifier, though there was no code_challenge")  # RFC 9700 section 4.8.2
    elif client.is_public:
        raise NotGranted("a public client must use PKCE")


def _refresh(provider: OAuthRules, ask: Ask, request: RefreshRequest, client: Client) -> Reply:
    if not request.refresh_token:
        raise BadMessage("refresh_token is absent")
    grants = provider.stage.grants
    grant = grants.of_refresh(request.refresh_token)
    if (grant.provider, grant.client_id) != (provider.name, client.client_id):
        raise NotGranted("the refresh token was made for another application")
    faults = (*grant.faults, *provider.stage.switches.take(f"{provider.name}/refresh"))
    if "refresh_revoked" in faults:
        grants.revoke(grant.family)
        raise NotGranted("the refresh token is revoked")
    if set(request.scope.split()) - set(grant.scope.split()):
        raise BadMessage("scope asks for more than was granted", "invalid_scope")
    wanted = msgspec.structs.replace(grant, scope=request.scope or grant.scope, faults=faults)
    broken = _broken(provider, wanted)
    if broken is None and provider.rotates:
        grants.spend_refresh(request.refresh_token)
    return broken or _tokens(provider, ask, wanted, client, refreshed=True)


def _tokens(provider: OAuthRules, ask: Ask, grant: Grant, client: Client, *, refreshed: bool = False) -> Reply:
    """Make the tokens of a grant, or fail as the faults say."""
    if (broken := _broken(provider, grant)) is not None:
        return broken
    grants, seconds = provider.stage.grants, provider.lifetime(client)
    access_token = provider.access_token(grant)
    grants.note_access(access_token, grant, seconds or 10 * 365 * 86400)
    beside = Beside(access_token=access_token, refreshed=refreshed)
    renews = provider.rotates if refreshed else provider.wants_refresh(grant, client)
    tokens = TokenResponse(
        access_token=access_token,
        token_type="Bearer",
        expires_in=seconds,
        refresh_token=grants.refresh_for(grant) if renews else "",
        id_token=provider.id_token(grant, beside) if provider.gives_id_token(grant) else "",
        scope=provider.token_scope(grant),
        further=provider.beside_tokens(grant, client),
    )
    reply = provider.token_answer(grant, tokens, ask)
    note = f"{'refreshed' if refreshed else 'redeemed'} for {grant.email}"
    return _late(provider, grant, reply).telling(texts(tokens.members()), note)


def _broken(provider: OAuthRules, grant: Grant) -> Reply | None:
    """Fail where a fault says so; a code is used all the same, a refresh token is not."""
    if "token_500" in grant.faults:
        reply = json_reply(TokenError(error="server_error").to_json(), 500, note="told to: 500")
    elif "token_garbage" in grant.faults:
        reply = Reply(status=200, body=GARBAGE, headers=((b"content-type", b"text/html"),), note="told to: a page")
    else:
        return None
    return _late(provider, grant, reply)


def _late(provider: OAuthRules, grant: Grant, reply: Reply) -> Reply:
    late = provider.stage.switches.slow_seconds if "slow" in grant.faults else 0.0
    return replace(reply, delay=late)


# --- the profile ---------------------------------------------------------------------------------------------------


def profile(provider: OAuthRules, ask: Ask) -> Reply:
    """Tell who holds an access token whose it is (OpenID Connect Core 5.3, RFC 6750); raises `Refused`."""
    if ask.method not in ("GET", "POST"):
        raise Refused(refusal_page(405, "Wrong method", "Use GET.").with_headers((b"allow", b"GET, POST")))
    try:
        grant = _granted_to_bearer(provider, ask)
    except NotGranted as error:
        refused = json_reply({"error": "invalid_token", "error_description": error.reason}, 401, note=error.reason)
        return refused.with_headers((b"www-authenticate", b'Bearer error="invalid_token"'))
    if "profile_500" in grant.faults:
        return _late(provider, grant, json_reply({"error": "server_error"}, 500, note="told to: 500"))
    known = provider.profile(grant, provider.stage.people.find(grant.email), ask)
    return _late(provider, grant, json_reply(known, note=f"profile of {grant.email}"))


def _granted_to_bearer(provider: OAuthRules, ask: Ask) -> Grant:
    token = provider.bearer_of(ask)
    if not token:
        raise NotGranted("no bearer")
    grant = provider.stage.grants.of_access(token).grant
    if grant.provider != provider.name:
        raise NotGranted("the access token is another provider's")
    return grant
