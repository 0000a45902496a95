"""The settings of Easy Auth: the gateway, sign-in, providers, console.

What Azure's own auth tree says is no row: `auth_tree` reads it. The console is not part of this release; its rows stand
here so that a file written for a whole Doorward is read strictly.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from doorward.base.frozen import frozen
from doorward.config.auth_plan import AuthPlan
from doorward.config.kinds import (
    BOOLEAN,
    DOMAINS,
    EMAILS,
    PATH,
    STRING,
    STRINGS,
    UPSTREAMS,
    URL,
    USERS,
    duration,
    one_of,
)
from doorward.config.rows import row
from doorward.config.tree_reading import TreeValues

Profile = Literal["2016", "current", "container-apps"]


@frozen
class AppSettings:
    """`[app]`: the application behind the gateway."""

    upstream: tuple[str, ...] = row(
        UPSTREAMS,
        [],
        "Address of the application, or a list of addresses that requests are spread over; plain `http:` is good in "
        "a network of your own. Leave it out to run "
        "without a reverse proxy: forward-auth and the token service alone. It needs an auth tree.",
    )
    connect_timeout: float = row(
        duration(),
        "5s",
        "How long opening a connection to the application may take; over it the client gets 502.",
    )
    response_timeout: float = row(
        duration(),
        "60s",
        "How long the application may take to begin its answer; over it the client gets 504.",
    )
    host_header: Literal["keep", "upstream"] = row(
        one_of("keep", "upstream"),
        "keep",
        "Whether the application sees the Host that the client sent (`keep`) or the one of its own address "
        "(`upstream`).",
    )
    health_path: str = row(
        STRING,
        "",
        "Path on each upstream that is asked whether it is well, beginning with `/`. Empty: nobody asks.",
    )


@frozen
class AuthSettings:
    """`[auth]`: App Service's auth tree, from its own file or written inline.

    `tree` is the tree as read, None where nobody gave one; its keys are not settings rows. `plan` is what it comes to,
    and None without a tree: then there is no sign-in at all. `values` are the tree's keys as they were understood.
    """

    file: str = row(
        PATH,
        "",
        "App Service's `auth.json`, unchanged; the same tree may be written inline below `[auth]` instead, never both. "
        "Only `auth.file` itself can be set from the environment, not the tree. A relative path starts at the current "
        "directory.",
    )
    tree: Mapping[str, object] | None = field(default=None, repr=False)
    plan: AuthPlan | None = None
    values: TreeValues | None = field(default=None, repr=False, compare=False)


@frozen
class EasyAuthSettings:
    """`[easyauth]`: what Azure's auth tree has no key for."""

    profile: Profile = row(
        one_of("2016", "current", "container-apps"),
        "current",
        "Which generation of App Service authentication is imitated where they differ. What it lacks and the auth tree "
        "asks for all the same is reported: keys that Container Apps have not, providers that came after 2016.",
    )
    me_when_anonymous: Literal["401", "empty"] = row(
        one_of("401", "empty"),
        "401",
        "What `/.auth/me` answers to who is not signed in: `401`, or `empty` for 200 with an empty list.",
    )
    redact_me_tokens: bool = row(
        BOOLEAN,
        False,
        "Whether `/.auth/me` leaves the provider's tokens out, so that a script in the page cannot read them.",
    )
    inject_refresh_token: bool = row(
        BOOLEAN,
        True,
        "Whether the application gets the provider's refresh token in `X-MS-TOKEN-<PROVIDER>-REFRESH-TOKEN`.",
    )
    consistent_roles: bool = row(
        BOOLEAN,
        False,
        "Whether role claims stand under the type that `role_typ` names, so that a check by role finds them. App "
        "Service writes Entra's under `roles` and names another type, and so do we unless this is on.",
    )
    forward_session_cookie: bool = row(
        BOOLEAN,
        False,
        "Whether the gateway's own cookies reach the application. Leave it off: the application has no use for them.",
    )
    scripts_get_401: bool = row(
        BOOLEAN,
        False,
        "Whether requests made by scripts get 401 instead of a redirect to the sign-in page that they cannot follow.",
    )
    store_grace: float = row(
        duration("0s"),
        "10s",
        "How long a known session outlives a database that cannot be asked; `0s` refuses at once.",
    )
    foreign_bearers: Literal["refuse", "pass"] = row(
        one_of("refuse", "pass"),
        "refuse",
        "What happens to a bearer that is not of a form we know: 401, or `pass` to forward it without identity where "
        "anonymous callers may pass.",
    )
    allowed_emails: tuple[str, ...] = row(
        EMAILS,
        [],
        "E-mail addresses that may sign in. All three lists empty: everybody whom the provider admits.",
    )
    allowed_domains: tuple[str, ...] = row(
        DOMAINS,
        [],
        "Domains of e-mail addresses that may sign in.",
    )
    allowed_users: tuple[str, ...] = row(
        USERS,
        [],
        "Users that may sign in, each as `PROVIDER:NAMEIDENTIFIER`.",
    )


@frozen
class ProviderSettings:
    """`[providers.NAME]`: overrides of one identity provider's built-in values; empty keeps the built-in one."""

    issuer: str = row(URL, "", "Issuer of the provider; with it alone the endpoints are discovered from there.")
    authorization_endpoint: str = row(URL, "", "Where the browser is sent to sign in.")
    token_endpoint: str = row(URL, "", "Where a code is exchanged for tokens.")
    jwks_uri: str = row(URL, "", "Where the provider publishes its signing keys.")
    userinfo_endpoint: str = row(URL, "", "Where the signed-in user's profile is read.")
    request_token_endpoint: str = row(URL, "", "Twitter's first step, the request token.")
    access_token_endpoint: str = row(URL, "", "Twitter's last step, the access token.")
    end_session_endpoint: str = row(URL, "", "Where the browser is sent to sign out at the provider, too.")
    token_info_endpoint: str = row(URL, "", "Facebook, GitHub: where a token is asked whose it is.")
    client_certificate_file: str = row(
        PATH,
        "",
        "Entra: PEM file with the certificate that stands in place of a client secret. Needs `client_key_file`.",
    )
    client_key_file: str = row(PATH, "", "Entra: PEM file with the private key of `client_certificate_file`.")
    team_id: str = row(STRING, "", "Apple: the team whose key signs the client secret.")
    key_id: str = row(STRING, "", "Apple: the identifier of the key in `private_key_file`.")
    private_key_file: str = row(PATH, "", "Apple: PEM file with the key that signs the client secret.")


@frozen
class ConsoleSettings:
    """`[console]`: the operator's pages on the admin listener."""

    operators: tuple[str, ...] = row(
        STRINGS,
        [],
        "E-mail addresses or Entra object ids of the people who may open the console. Empty: nobody.",
    )
