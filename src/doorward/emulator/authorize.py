"""The authorization endpoint of every pretend provider: who asks, who is signed in, and what goes back.

Strict: an application that is not known, or an address that it did not register, gets a page and never a redirect;
every other error goes back as OAuth says (RFC 6749 section 4.1.2.1, OpenID Connect Core 3.1.2.6). A person is chosen on
the page, named by a script in a header, or known from an earlier sign-in in the same browser.
"""

from doorward.base.frozen import frozen
from doorward.base.text import email_key
from doorward.emulator.choosing import Choice, Offer, choice_of, is_of_domain, offer_page
from doorward.emulator.clients import Client
from doorward.emulator.faults import ANSWER_FAULTS
from doorward.emulator.grants import Grant
from doorward.emulator.lobby import COOKIE, SignedIn, set_cookie
from doorward.emulator.messages import BadMessage as BadWish
from doorward.emulator.people import Person
from doorward.emulator.rules import Beside, OAuthRules
from doorward.emulator.web import Ask, Refused, Reply, posting_page, redirect, refusal_page, refuse_other_pages
from doorward.protocol.oauth2 import AuthorizationRequest, AuthorizationResponse
from doorward.protocol.parameters import BadMessage, Pairs, read_form, with_parameters

RESPONSE_MODES = ("query", "fragment", "form_post")
_UNSUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


@frozen
class _Entry:
    """One authorization request that may be answered: who asks, with what, and where the answer goes."""

    provider: OAuthRules
    realm: str
    client: Client
    request: AuthorizationRequest
    redirect_uri: str
    ask: Ask

    @property
    def types(self) -> frozenset[str]:
        """Give the parts of the response type."""
        return frozenset((self.request.response_type or "code").split())

    @property
    def is_code_flow(self) -> bool:
        """Say whether a code alone is asked for."""
        return self.types == frozenset({"code"})

    @property
    def prompts(self) -> frozenset[str]:
        """Give the values of `prompt`."""
        return frozenset(self.request.prompt.split())


def answer(provider: OAuthRules, ask: Ask, realm: str) -> Reply:
    """Answer an authorization request, or the choice that was made on its page; raises `Refused`."""
    try:
        request, chosen = _read(ask)
    except BadMessage as error:
        raise Refused(refusal_page(400, "The request is malformed", f"{error}.")) from error
    entry = _entry(provider, ask, realm, request)
    try:
        _check(entry)
        choice = choice_of(chosen, ask)
        return _decided(entry, choice) if choice is not None else _known_or_asked(entry)
    except BadMessage as error:
        return _respond(entry, _error(entry, error.error, str(error)))
    except BadWish as error:
        raise Refused(refusal_page(400, "That person cannot sign in", f"{error}.")) from error


def _read(ask: Ask) -> tuple[AuthorizationRequest, Pairs]:
    """Read the request from the query or the form, and from a form on our page what was chosen."""
    if ask.method == "GET":
        return AuthorizationRequest.from_query(ask.query), ()
    if ask.method != "POST" or not ask.is_form:
        raise BadMessage("use GET, or POST with a form")
    if ask.query:
        refuse_other_pages(ask)
        return AuthorizationRequest.from_query(ask.query), read_form(ask.body)
    return AuthorizationRequest.from_form(ask.body), ()


def _entry(provider: OAuthRules, ask: Ask, realm: str, request: AuthorizationRequest) -> _Entry:
    """Find out who asks and where the answer may go; before that nothing is sent anywhere."""
    client = provider.stage.clients.find(provider.name, request.client_id)
    if client is None:
        title = "Unknown application" if request.client_id else "client_id is absent"
        advice = f"No application with this client ID is registered at {provider.label}."
        raise Refused(refusal_page(400, title, advice))
    redirect_uri = request.redirect_uri
    if not redirect_uri and provider.default_redirect and client.redirect_uris:
        redirect_uri = client.redirect_uris[0]
    if not client.may_return_to(redirect_uri):
        advice = f"{redirect_uri or 'Nothing'} is not among the redirect URIs of this application, which are: "
        raise Refused(refusal_page(400, "Wrong redirect URI", advice + (", ".join(client.redirect_uris) or "none")))
    return _Entry(provider=provider, realm=realm, client=client, request=request, redirect_uri=redirect_uri, ask=ask)


def _check(entry: _Entry) -> None:
    """Hold the request to the specifications and the provider's own rules; raises protocol's `BadMessage`."""
    request, provider = entry.request, entry.provider
    for name, _ in request.further:
        if name in _UNSUPPORTED:
            raise BadMessage(f"{name} is not supported", _UNSUPPORTED[name])
    wanted = " ".join(sorted(request.response_type.split()))
    if wanted not in {" ".join(sorted(known.split())) for known in provider.response_types}:
        what = f"response_type {request.response_type!r} is not supported" if wanted else "response_type is absent"
        raise BadMessage(what, "unsupported_response_type" if wanted else "invalid_request")
    if request.response_mode not in ("", *RESPONSE_MODES):
        raise BadMessage(f"response_mode {request.response_mode!r} is not supported")
    if request.response_mode == "query" and not entry.is_code_flow:
        raise BadMessage("response_mode query is for codes alone")
    if provider.needs_openid and "openid" not in request.scope.split():
        raise BadMessage("the scope openid is absent", "invalid_scope")
    if "id_token" in entry.types and not request.nonce:
        raise BadMessage("nonce is absent, and an id_token without it could be replayed")
    if request.code_challenge_method not in ("", "S256") or (
        request.code_challenge_method and not request.code_challenge
    ):
        raise BadMessage("code_challenge_method must be S256, beside a code_challenge")
    if request.code_challenge and not request.code_challenge_method:
        raise BadMessage("code_challenge_method is absent, which means plain; use S256")
    if "none" in entry.prompts and len(entry.prompts) > 1:
        raise BadMessage("prompt none stands alone")
    if request.max_age and not (request.max_age.isascii() and request.max_age.isdecimal()):
        raise BadMessage("max_age is not a number of seconds")
    provider.check_request(request)


# --- who -----------------------------------------------------------------------------------------------------------


def _decided(entry: _Entry, choice: Choice) -> Reply:
    """Answer for the person that was chosen, who is signed in at the provider from now on."""
    provider = entry.provider
    faults = (*choice.faults, *provider.stage.switches.take(provider.name))
    if not choice.email:
        return _respond(entry, _error(entry, "access_denied", "the person said no"))
    person = provider.stage.people.find(choice.email)
    provider.check_person(person, entry.realm)
    browser, here = provider.stage.lobby.enter(entry.ask.cookie(COOKIE), provider.name, person.email)
    return _approve(entry, here, faults).with_headers(set_cookie(browser))


def _known_or_asked(entry: _Entry) -> Reply:
    """Let in without a word who is signed in and may pass, else show the page, else refuse where none may be shown."""
    provider, request = entry.provider, entry.request
    signed_in = provider.stage.lobby.people(entry.ask.cookie(COOKIE), provider.name)
    fitting = [one for one in signed_in if _fits(entry, provider.stage.people.find(one.email))]
    fresh = [one for one in fitting if _is_fresh(entry, one)]
    if "none" in entry.prompts:
        if len(fresh) != 1:
            error = "interaction_required" if fresh else "login_required"
            raise BadMessage("nobody is signed in, or more than one, and no page may be shown", error)
        return _approve(entry, fresh[0], provider.stage.switches.take(provider.name))
    if len(signed_in) == len(fresh) == 1 and not entry.prompts & {"login", "select_account", "consent"}:
        return _approve(entry, fresh[0], provider.stage.switches.take(provider.name))
    if len(fresh) == 1 and request.login_hint and not entry.prompts:
        return _approve(entry, fresh[0], provider.stage.switches.take(provider.name))
    return _page(entry, signed_in)


def _is_fresh(entry: _Entry, one: SignedIn) -> bool:
    """Say whether somebody signed in recently enough for `max_age`."""
    age = entry.provider.stage.clock.now() - one.at
    return not entry.request.max_age or age <= int(entry.request.max_age)


def _fits(entry: _Entry, person: Person) -> bool:
    """Say whether somebody may enter here and is who was meant."""
    request = entry.request
    if not _may_enter(entry, person):
        return False
    if request.login_hint:
        return email_key(request.login_hint) == email_key(person.email)
    return is_of_domain(person, _domain_asked_for(request))


def _may_enter(entry: _Entry, person: Person) -> bool:
    try:
        entry.provider.check_person(person, entry.realm)
    except BadWish:
        return False
    return True


def _domain_asked_for(request: AuthorizationRequest) -> str:
    """Give the domain hint: Entra's `domain_hint`, or Google's `hd`."""
    return (request.domain_hint or dict(request.further).get("hd", "")).lower()


def _page(entry: _Entry, signed_in: list[SignedIn]) -> Reply:
    """Show the people to choose from."""
    provider, request = entry.provider, entry.request
    offer = Offer(
        stage=provider.stage,
        provider=provider.name,
        label=provider.label,
        action=f"{entry.ask.path}?{request.to_query()}",
        application=entry.client.client_id,
        site=entry.redirect_uri,
        scopes=request.scope,
        hint=request.login_hint,
        domain=_domain_asked_for(request),
        has_id_tokens=provider.has_id_tokens,
        may_enter=lambda person: _may_enter(entry, person),
    )
    return offer_page(offer, signed_in)


# --- what goes back ------------------------------------------------------------------------------------------------


def _approve(entry: _Entry, here: SignedIn, faults: tuple[str, ...]) -> Reply:
    """Make what was asked for, and send it back."""
    provider, request, stage = entry.provider, entry.request, entry.provider.stage
    for fault, error in (("consent_denied", "access_denied"), ("login_required", "login_required")):
        if fault in faults:
            return _respond(entry, _error(entry, error, f"told to: {ANSWER_FAULTS[fault]}"))
    grant = Grant(
        provider=provider.name,
        realm=entry.realm,
        client_id=entry.client.client_id,
        email=here.email,
        redirect_uri=request.redirect_uri,
        scope=provider.granted_scope(request),
        resource=request.resource,
        nonce=request.nonce,
        code_challenge=request.code_challenge,
        signed_in_at=int(here.at),
        session=here.session,
        offline=_is_offline(entry, here.email),
        family=stage.grants.new_text(),
    )
    grant = provider.with_faults(grant, faults)
    parts = _parts(entry, grant)
    stage.grants.note_consent(provider.name, entry.client.client_id, here.email)  # parts may differ at the first one
    note = f"{here.email} signed in" + (f"; faults: {', '.join(faults)}" if faults else "")
    return _respond(entry, parts, note)


def _is_offline(entry: _Entry, email: str) -> bool:
    """Say whether Google's rule gives a refresh token: asked for offline, and the person was asked for consent."""
    asked = entry.request.access_type == "offline"
    known = entry.provider.stage.grants.has_consent(entry.provider.name, entry.client.client_id, email)
    return asked and (not known or "consent" in entry.prompts)


def _parts(entry: _Entry, grant: Grant) -> AuthorizationResponse:
    """Make the code and the tokens of the response type (OAuth 2.0 Multiple Response Type Encoding Practices)."""
    provider, stage = entry.provider, entry.provider.stage
    code = stage.grants.code_for(grant) if "code" in entry.types else ""
    access_token, seconds = "", ""
    if "token" in entry.types:
        access_token, seconds = provider.access_token(grant), str(provider.access_seconds)
        stage.grants.note_access(access_token, grant, provider.access_seconds)
    beside = Beside(code=code, access_token=access_token)
    return AuthorizationResponse(
        code="" if "no_code" in grant.faults else code,
        id_token=provider.id_token(grant, beside) if "id_token" in entry.types else "",
        access_token=access_token,
        token_type="Bearer" if access_token else "",
        expires_in=seconds,
        scope=provider.shown_scope(grant),
        state=f"{entry.request.state}x" if "wrong_state" in grant.faults else entry.request.state,
        session_state=provider.session_state(grant),
        further=provider.beside_code(grant),
    )


def _error(entry: _Entry, error: str, description: str) -> AuthorizationResponse:
    text = entry.provider.error_text(error, description)
    return AuthorizationResponse(error=error, error_description=text, state=entry.request.state)


def _respond(entry: _Entry, response: AuthorizationResponse, note: str = "") -> Reply:
    """Send the answer the way that was asked for; tokens never travel in a query."""
    pairs, note = response.pairs(), note or f"{response.error}: {response.error_description}"
    mode = entry.request.response_mode
    if mode not in RESPONSE_MODES or (mode == "query" and response.id_token):
        mode = "query" if entry.is_code_flow else "fragment"
    if mode == "form_post":
        reply = posting_page(entry.redirect_uri, pairs, note=note)
    else:
        mark = "?" if mode == "query" else "#"
        reply = redirect(with_parameters(entry.redirect_uri, pairs, mark), note=note)
    return reply.telling(pairs, f"{mode} to {entry.redirect_uri}")
