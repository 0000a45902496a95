"""docs/providers/*.md, one page a provider, made from its `SPEC`; scripts/docs writes them, a test holds them to it.

What only people can say, such as where to click at the provider, stands here by the provider's name. A provider without
a word here has a page all the same.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from doorward import providers
from doorward.base.secret import Secret
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.authorize import authorization_address
from doorward.easyauth.flow import Ask
from doorward.easyauth.state import write_state
from doorward.identity.person import ProviderTokens
from doorward.providers.identify import make_identity
from doorward.providers.spec import Endpoints, ProviderSpec

HOST = "https://app.example.com"
CUSTOM = "contoso"
_TENANT = "11111111-2222-4333-8444-5555aaaabbbb"
_ADDRESSES = (
    ("issuer", "issuer"),
    ("authorization_endpoint", "sign-in"),
    ("request_token_endpoint", "request token"),
    ("token_endpoint", "tokens"),
    ("access_token_endpoint", "access token"),
    ("jwks_uri", "keys"),
    ("userinfo_endpoint", "profile"),
    ("token_info_endpoint", "whose a token is"),
    ("end_session_endpoint", "sign-out"),
)
_KINDS = {
    "oidc": "OpenID Connect: who somebody is stands in a signed id_token",
    "oauth2": "OAuth 2: who somebody is stands in the profile that the access token opens",
    "oauth1": "OAuth 1.0a: who somebody is stands in the profile that the access token opens",
}


_CHECKED = {
    "oidc": "It is held to signature, issuer, times, and to an audience that is this application's id, or where the "
    "provider has `allowedAudiences` one of those.",
    "debug_token": "Graph's `debug_token` must know the token as one of this application's.",
    "check_token": "GitHub must know the token as one of this application's. A server of your own, at another "
    "`userinfo_endpoint`, is asked only where `token_info_endpoint` names an address of it; without one, any "
    "application's token that opens a profile there counts.",
    "authentication_token": "An `authentication_token` is held to its signature under this application's secret. An "
    "access token opens the profile whichever application it is of, since nobody can be asked: have clients send the "
    "other one.",
    "oauth1": "The profile is asked for with a request that both secrets sign, so another application's token opens "
    "nothing.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What only people can say of a provider, in Markdown."""

    register: str = "Register an application at the provider, with the callback address below. Note its id and secret."
    people: str = ""
    refresh: str = ""
    more: str = ""


_ABOUT: Mapping[str, About] = {
    "aad": About(
        register="""\
1. In the Entra admin center, *App registrations*, *New registration*. For people of one tenant choose *Single
   tenant*.
2. As redirect address choose the platform *Web* and enter the callback address below.
3. Under *Authentication* tick *ID tokens*: the default request asks for one beside the code.
4. Under *Certificates & secrets* make a client secret, or upload a certificate.
5. Note the *application (client) ID* and the *directory (tenant) ID*.

Without a secret people can sign in, but only an id_token comes of it: no access token, nothing to refresh.""",
        people="""\
`openIdIssuer` decides. With the tenant in it, the people of that tenant and its guests. With `common` or
`organizations`, everybody whom Microsoft knows, or every organization: then list who may pass. `doorward check` warns
of it. Further restrictions, all of which must hold: `allowedPrincipals` (groups or object ids), `jwtClaimChecks`,
`WEBSITE_AUTH_AAD_ALLOWED_TENANTS`. In the lists of `[easyauth]` the login name counts, and the claim `email` unless
it is said not to be verified, where the tenant is one that you name or that of personal accounts; of any other tenant
only an `email` that Entra says it verified (`xms_edov`).

Groups come only if the registration asks for the claim, and not beyond two hundred of them: a token that leaves them
out passes no group check.""",
        refresh="""\
Ask for `offline_access`: `"login": {"loginParameters": ["scope=openid profile email offline_access"]}`. With an
issuer of version 1.0 it is `["response_type=code id_token", "resource=<the API>"]`.""",
        more="""\
## A certificate in place of a secret

```toml
[providers.aad]
client_certificate_file = "/etc/doorward/entra.pem"
client_key_file = "/etc/doorward/entra.key"
```

Leave `clientSecretSettingName` out then. Upload the same certificate to the registration.""",
    ),
    "google": About(
        register="""\
1. In the Google Cloud console, *APIs & Services*, *Credentials*, *Create credentials*, *OAuth client ID*, type *Web
   application*.
2. Enter the callback address below under *Authorized redirect URIs*.
3. Note client ID and client secret.""",
        people="""\
Everybody with a Google account can sign in, unless the consent screen is *Internal* to your Workspace. List who may
pass: `easyauth.allowed_domains`, `allowed_emails` or `allowed_users`. In these lists an address counts where
`email_verified` is true.""",
        refresh="""\
Google gives a refresh token only when it is asked for one: link to `/.auth/login/google?access_type=offline`. It
gives it once; to get another, add `&prompt=consent`.""",
    ),
    "github": About(
        register="""\
1. On GitHub, *Settings*, *Developer settings*, *OAuth Apps*, *New OAuth App*.
2. Enter the callback address below as *Authorization callback URL*.
3. Note the client ID, and generate a client secret.""",
        people="""\
Everybody with a GitHub account can sign in. List who may pass. The only address that counts in `allowed_emails` and
`allowed_domains` is the public one of the profile; better list `allowed_users = ["github:583231"]`, by the number
that never changes.""",
        refresh="""\
Tokens of an OAuth App do not expire, and there is nothing to refresh. Those of a GitHub App may expire, if it is set
so; then `/.auth/refresh` works.""",
    ),
    "facebook": About(
        register="""\
1. At Meta for Developers create an app with *Facebook Login*.
2. Enter the callback address below under *Valid OAuth Redirect URIs*.
3. Note app ID and app secret.""",
        people="Everybody with a Facebook account can sign in. List who may pass. The profile's address counts.",
        refresh="There is none. The token lasts about 60 days; after that people sign in again.",
        more="""\
Ask for the e-mail address with `"login": {"scopes": ["public_profile", "email"]}`. `user_id` is the address where it
was granted, else the display name; in the profile 2016 always the name. `graphApiVersion`, such as `v3.3`, puts a
version in front of Facebook's paths.""",
    ),
    "twitter": About(
        register="""\
1. In the X developer portal create a project and an app, with *User authentication* by OAuth 1.0a.
2. Enter the callback address below.
3. Note consumer key and consumer secret.""",
        people="""\
Everybody with an account can sign in, and no address is told: only `allowed_users = ["twitter:28739128"]` lists
anybody.""",
        refresh="There is none: the tokens do not expire.",
        more="The sign-in address is `/.auth/login/twitter` and `/.auth/login/x`; everything else says `twitter`.",
    ),
    "microsoftaccount": About(
        register="""\
The Live protocol of personal Microsoft accounts, for applications that were registered for it. For a new one, use
Microsoft Entra with an issuer of `consumers` or `common`.

1. Open the application's registration, and enter the callback address below.
2. Note client ID and client secret.""",
        people="""\
Everybody with a personal account can sign in. List who may pass. The address that counts is the one that the person
signs in with.""",
        refresh='Ask for it: `"login": {"scopes": ["wl.basic", "wl.offline_access"]}`. `wl.emails` adds the address.',
    ),
    "apple": About(
        register="""\
1. In the Apple developer account make an *App ID* with *Sign in with Apple*, then a *Services ID*: that is the client
   id.
2. Enter the callback address below as *Return URL*. Apple takes `https:` addresses of real hosts only.
3. Make a *key* for Sign in with Apple. Note the team id, the key id, and keep the `.p8` file.""",
        people="""\
Everybody with an Apple account can sign in. List who may pass. An address counts where `email_verified` is true; it
may be a private relay address.""",
        refresh="There is none.",
        more="""\
## The client secret

Apple's client secret is a token that is signed with the team's key and lives half a year at most. Name the key, and
Doorward signs it:

```toml
[providers.apple]
team_id = "TEAM123456"
key_id = "KEY1234567"
private_key_file = "/etc/doorward/apple.p8"
```

Leave `clientSecretSettingName` out then. With it, the variable holds a secret that you sign, and renew, yourself.""",
    ),
    CUSTOM: About(
        register="""\
Any provider of OpenID Connect, under a name of your choice (here `contoso`), and any number of them. The name becomes
part of addresses and headers: letters, digits, underscores and dots.

1. Register a *web* or *confidential* application at the provider, with the callback address below.
2. Note client id and client secret, and the address of the discovery document.""",
        people="""\
Whom the provider lets in. In the lists of `[easyauth]` the claim `email` counts, unless the token says that it was
not verified.""",
        refresh='Mostly it is the scope `offline_access`: `"login": {"scopes": ["openid", "offline_access"]}`.',
        more="`nameClaimType` says which claim people are called by. A provider without discovery needs `issuer`,\n"
        "`authorizationEndpoint`, `tokenEndpoint` and `certificationUri` in place of the one address.",
    ),
}


def pages() -> dict[str, str]:
    """Give every page by its name, which is the provider's; `custom` is the page of the others."""
    found = {name: page(spec) for name, spec in providers.ALL.items()}
    return {**found, "custom": page(providers.custom(CUSTOM))}


def page(spec: ProviderSpec) -> str:
    """Make the page of one provider."""
    about = _ABOUT.get(spec.name, About())
    title = "Any OpenID Connect provider" if is_custom(spec) else spec.label
    address = f"{HOST}/.auth/login/{spec.name}/callback"
    known = f"{_KINDS[spec.kind]}. In addresses, headers and `/.auth/me` it is `{spec.name}`. "
    callback = (
        f"The callback address is `{address}`, with the host of your `server.public_url`; each of "
        "`server.additional_hosts` has one of its own. In development there is nothing to register: the provider is "
        "pretended."
    )
    parts = [
        f"# {title}",
        "<!-- Made from the provider's SPEC by scripts/docs -->",
        _wrapped(known + "What holds for every provider: [sign-in](../sign-in.md)."),
        f"## Register\n\n{about.register}",
        _wrapped(callback),
        f"## Settings\n\nIn `auth.json`:\n\n```json\n{json.dumps(tree(spec), indent=2)}\n```",
        _wrapped(f"{_secret(spec)} All keys: [the auth tree](../auth-json.md)."),
        *([about.more] if about.more else []),
        f"## Who may sign in\n\n{about.people or 'Whom the provider lets in.'}",
        _asking(spec),
        _claims(spec),
        _headers(spec),
        _posting(spec),
        _refresh(spec, about),
    ]
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def is_custom(spec: ProviderSpec) -> bool:
    """Say whether a provider is one by name alone."""
    return spec.name == CUSTOM


def tree(spec: ProviderSpec) -> dict[str, object]:
    """Give the auth tree in which people sign in with this provider alone."""
    variable = _variable(spec)
    registration: dict[str, object] = {spec.client_id_key: "the application's id"}
    if is_custom(spec):
        document = "https://id.example.com/.well-known/openid-configuration"
        registration["clientCredential"] = {"clientSecretSettingName": variable}
        registration["openIdConnectConfiguration"] = {"wellKnownOpenIdConfiguration": document}
        return {"identityProviders": {"customOpenIdConnectProviders": {spec.name: {"registration": registration}}}}
    if spec.name == "aad":
        registration = {"openIdIssuer": f"https://login.microsoftonline.com/{_TENANT}/v2.0", **registration}
    registration[spec.secret_key] = variable
    return {"identityProviders": {spec.tree_key: {"registration": registration}}}


def _variable(spec: ProviderSpec) -> str:
    """Give the variable for the secret that Azure's portal would have chosen."""
    name = {"aad": "microsoft"}.get(spec.name, spec.name)
    return f"{name}_{'' if is_custom(spec) else 'provider_'}authentication_secret".upper()


def _secret(spec: ProviderSpec) -> str:
    variable = _variable(spec)
    key = "clientSecretSettingName" if is_custom(spec) else spec.secret_key
    return f"`{key}` names the environment variable that holds the secret, here `{variable}`."


def _asking(spec: ProviderSpec) -> str:
    """Say what the browser carries to the provider, by the code that sends it."""
    rows = [f"| {what} | `{value}` |" for name, what in _ADDRESSES if (value := getattr(spec.endpoints, name))]
    addresses = "\n".join(["| address | |", "|---|---|", *rows]) if rows else "Addresses are discovered at the issuer."
    if spec.kind == "oauth1":
        return f"## What is asked\n\n{addresses}\n\nEvery request is signed by HMAC-SHA1."
    endpoint = spec.endpoints.authorization_endpoint or "https://provider.example/authorize"
    plan = ProviderPlan(name=spec.name, spec=spec, client_id="ID", client_secret=Secret("…"), endpoints=Endpoints())
    state = write_state("/", "NONCE" if spec.nonce_in_state else None)
    ask = Ask(redirect_uri=f"{HOST}/.auth/login/{spec.name}/callback", nonce="NONCE", state=state)
    query = urlsplit(authorization_address(plan, endpoint, ask)).query
    sent = "\n".join(f"{name}={value}" for name, value in parse_qsl(query))
    forwarded = ", ".join(f"`{name}`" for name in spec.forwarded_parameters)
    return (
        f"## What is asked\n\n{addresses}\n\nA sign-in sends these parameters:\n\n```text\n{sent}\n```\n\n"
        + _wrapped(f"Parameters of the sign-in address that are handed on, and count more: {forwarded}.")
    )


def _claims(spec: ProviderSpec) -> str:
    identity = make_identity(spec.name, spec, spec.sample, ProviderTokens(), legacy=True, profile="current")
    origin = dict(_origins(spec))
    rows = "\n".join(f"| `{origin.get(claim.typ, '')}` | `{claim.typ}` | `{claim.val}` |" for claim in identity.claims)
    who = (
        f"| `user_id`, and `X-MS-CLIENT-PRINCIPAL-NAME` | `{identity.user_id}` |\n"
        f"| `name_typ` | `{identity.name_typ}` |\n"
        f"| `X-MS-CLIENT-PRINCIPAL-ID` | `{identity.principal_id}` |"
    )
    kept = f"`{spec.name}:{identity.subject}`"
    keep = f"Keep people by the id, never by the name. In `easyauth.allowed_users` this person is {kept}."
    return (
        f"## Claims\n\nOf somebody like this comes:\n\n| field | `typ` | `val` |\n|---|---|---|\n{rows}\n\n"
        f"| | |\n|---|---|\n{who}\n\n{_wrapped(keep)}"
    )


def _origins(spec: ProviderSpec) -> Iterator[tuple[str, str]]:
    """Find which field becomes which type, by mapping one after the other."""
    for field, value in spec.sample.items():
        for claim in spec.map_claims({field: value}, True):
            yield claim.typ, field


def _headers(spec: ProviderSpec) -> str:
    names = [f"X-MS-TOKEN-{spec.name}-{kind}".upper().replace("_", "-") for kind in spec.tokens]
    rows = "\n".join(f"- `{name}`" for name in names)
    bearer = (
        "A JWT of this provider for this application also counts as `Authorization: Bearer`."
        if spec.takes_bearer
        else "Its tokens do not count as `Authorization: Bearer`."
    )
    when = "Each where the provider gave one, and the token store is on:"
    return f"## Tokens for the application\n\n{when}\n\n{rows}\n\n{bearer}"


def _posting(spec: ProviderSpec) -> str:
    """Say what a client posts that signs people in by itself."""
    body = json.dumps(dict.fromkeys(spec.posted, "…"), ensure_ascii=False)
    parts = [f"`POST /.auth/login/{spec.name}` takes what a client of your own got from the provider, as JSON:"]
    parts.append(f"```json\n{body}\n```")
    if spec.posted_instead:
        parts.append(_wrapped(f"In its place `{spec.posted_instead}` may stand alone, and is the better one."))
    if spec.posted_beside:
        names = ", ".join(f"`{name}`" for name in spec.posted_beside)
        parts.append(_wrapped(f"Further members that count, where they are there: {names}."))
    parts.append(_wrapped(f"{_CHECKED[_way(spec)]} What comes back: [sign-in](../sign-in.md#without-cookies)."))
    return "## Sign-in by a client\n\n" + "\n\n".join(parts)


def _way(spec: ProviderSpec) -> str:
    if spec.kind == "oidc":
        return "oidc"
    return spec.token_info or spec.posted_instead or spec.kind


def _refresh(spec: ProviderSpec, about: About) -> str:
    title = "## Refresh and sign-out"
    able = "" if spec.can_refresh else " `/.auth/refresh` is 400 `refresh_not_supported`."
    out = (
        "Sign-out goes on to the provider where its `end_session_endpoint` is known, by discovery or by "
        f"`[providers.{spec.name}]`."
        if spec.signs_out
        else "Sign-out ends the session here. The provider offers no address to sign out at; "
        f"`end_session_endpoint` in `[providers.{spec.name}]` would name one."
    )
    if spec.tells_of_sign_outs:
        out += (
            f" Register `{HOST}/.auth/logout/backchannel/{spec.name}` as back-channel logout address where the "
            "provider has a place for one, and a sign-out there ends the session here."
        )
    how = about.refresh or "The refresh token is kept where the provider gives one."
    return f"{title}\n\n{how}{able}\n\n{_wrapped(out)}"
