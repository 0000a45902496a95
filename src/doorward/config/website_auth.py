"""The `WEBSITE_AUTH_*` variables of App Service: which lie over which key of the auth tree, and which say more.

Owns easy-auth reference 9.7, the names of the first version of App Service's module included. Most are laid over the
tree and then read and judged as the tree is. A few say what the tree has no key for. The rest is reported, never
dropped. App settings also appear with the prefix `APPSETTING_`; a variable without it counts more. Empty is unset.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from doorward.base.faults import SETTING_CONFLICT, SETTING_INVALID, SETTING_UNKNOWN, SETTING_WITHOUT_EFFECT
from doorward.base.frozen import frozen
from doorward.config.addresses import Unsuitable
from doorward.config.findings import Finding, error, warning
from doorward.config.tree_kinds import BOOLEAN
from doorward.config.tree_paths import read_excluded_path
from doorward.config.tree_reading import Laid

T = TypeVar("T")

PREFIX = "WEBSITE_AUTH_"
APP_SETTING = "APPSETTING_"
TREE = f"{PREFIX}V2_CONFIG_JSON"
ENABLED = f"{PREFIX}ENABLED"
WARMUP = "WEBSITE_WARMUP_PATH"
_REGISTRATION = "identityProviders.{}.registration.{}"

OVER_THE_TREE: Mapping[str, str] = {
    "PRESERVE_URL_FRAGMENT": "login.preserveUrlFragmentsForLogins",
    "NONCE_DURATION": "login.nonce.nonceExpirationInterval",
    "VALIDATE_NONCE": "login.nonce.validateNonce",
    "TOKEN_REFRESH_HOURS": "login.tokenStore.tokenRefreshExtensionHours",
    "CLIENT_ID": "identityProviders.azureActiveDirectory.registration.clientId",
    "CLIENT_SECRET_SETTING_NAME": "identityProviders.azureActiveDirectory.registration.clientSecretSettingName",
    "CLIENT_SECRET_CERTIFICATE_THUMBPRINT": (
        "identityProviders.azureActiveDirectory.registration.clientSecretCertificateThumbprint"
    ),
    "OPENID_ISSUER": "identityProviders.azureActiveDirectory.registration.openIdIssuer",
    "ALLOWED_AUDIENCES": "identityProviders.azureActiveDirectory.validation.allowedAudiences",
    "LOGIN_PARAMS": "identityProviders.azureActiveDirectory.login.loginParameters",
    "DEFAULT_PROVIDER": "globalValidation.redirectToProvider",
    "TOKEN_STORE": "login.tokenStore.enabled",
    "LOGOUT_PATH": "login.routes.logoutEndpoint",
    "API_PREFIX": "httpSettings.routes.apiPrefix",
    "REQUIRE_HTTPS": "httpSettings.requireHttps",
    "UNAUTHENTICATED_ACTION": "globalValidation.unauthenticatedClientAction",
    "EXTERNAL_REDIRECT_URLS": "login.allowedExternalRedirectUrls",
    "COOKIE_EXPIRATION_MODE": "login.cookieExpiration.convention",
    "COOKIE_EXPIRATION_TIME": "login.cookieExpiration.timeToExpiration",
    "PROXY_HEADER_CONVENTION": "httpSettings.forwardProxy.convention",
    "PROXY_HOST_HEADER": "httpSettings.forwardProxy.customHostHeaderName",
    "PROXY_PROTO_HEADER": "httpSettings.forwardProxy.customProtoHeaderName",
    "GOOGLE_CLIENT_ID": _REGISTRATION.format("google", "clientId"),
    "GOOGLE_CLIENT_SECRET_SETTING_NAME": _REGISTRATION.format("google", "clientSecretSettingName"),
    "GOOGLE_SCOPE": "identityProviders.google.login.scopes",
    "FB_APP_ID": _REGISTRATION.format("facebook", "appId"),
    "FB_APP_SECRET_SETTING_NAME": _REGISTRATION.format("facebook", "appSecretSettingName"),
    "FB_SCOPE": "identityProviders.facebook.login.scopes",
    "GITHUB_CLIENT_ID": _REGISTRATION.format("gitHub", "clientId"),
    "GITHUB_CLIENT_SECRET_SETTING_NAME": _REGISTRATION.format("gitHub", "clientSecretSettingName"),
    "GITHUB_SCOPE": "identityProviders.gitHub.login.scopes",
    "TWITTER_CONSUMER_KEY": _REGISTRATION.format("twitter", "consumerKey"),
    "TWITTER_CONSUMER_SECRET_SETTING_NAME": _REGISTRATION.format("twitter", "consumerSecretSettingName"),
    "MSA_CLIENT_ID": _REGISTRATION.format("legacyMicrosoftAccount", "clientId"),
    "MSA_CLIENT_SECRET_SETTING_NAME": _REGISTRATION.format("legacyMicrosoftAccount", "clientSecretSettingName"),
    "MSA_SCOPE": "identityProviders.legacyMicrosoftAccount.login.scopes",
}
"""Which key of the tree each variable lies over, by its name without the prefix."""

SECRETS: Mapping[str, str] = {
    name.removesuffix("_SETTING_NAME"): path for name, path in OVER_THE_TREE.items() if name.endswith("_SETTING_NAME")
}
"""Variables that hold a secret themselves: the tree's key then names them."""

BESIDE_THE_TREE = frozenset(
    {
        "USE_LEGACY_CLAIMS", "HIDE_DEPRECATED_SID", "DISABLE_WWWAUTHENTICATE", "AAD_ALLOWED_TENANTS",
        "AAD_REQUIRE_CLIENT_SERVICE_PRINCIPAL", "PRM_DEFAULT_WITH_SCOPES",
    }
)  # fmt: skip
ELSEWHERE = frozenset({"ENABLED", "V2_CONFIG_JSON", "ENCRYPTION_KEY", "SIGNING_KEY"})

REPORTED: Mapping[str, str] = {
    "STATE_DIRECTORY": "Tokens are kept in the database of [database].",
    "TOKEN_CONTAINER_SASURL": "Tokens are kept in the database of [database].",
    "DISABLE_IDENTITY_FLOW": "It speaks of .NET's own principal, which no proxy can set.",
    "TRACE_LEVEL": "Set level in [log].",
    "AUTO_AAD": "It tells how App Service was set up.",
    "ZUMO_USE_TOKEN_STORE_CLAIMS": "Callers with a session token have the claims of that token.",
    "FILE_PATH": "Name the file in auth.file.",
    "RUNTIME_VERSION": "There is one version here.",
}
"""Variables that cannot be followed, and what there is in their place; without them nobody passes who would not."""

_TENANT = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@frozen
class WebsiteAuth:
    """What the variables say beside the tree; `laid` is what they put over it.

    `tenants` are GUIDs in lower case. `enabled` is what `WEBSITE_AUTH_ENABLED` says, None where it is unset.
    """

    laid: tuple[Laid, ...] = ()
    findings: tuple[Finding, ...] = ()
    enabled: bool | None = None
    legacy_claims: bool = True
    hide_deprecated_sid: bool = False
    sends_challenge: bool = True
    tenants: tuple[str, ...] = ()
    requires_oid: bool = False
    scopes_of_metadata: tuple[str, ...] | None = None
    warmup_path: str | None = None


def lookup(environment: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """Give an app setting and the variable that it was found in, or None where it is unset or empty."""
    for variable in (name, f"{APP_SETTING}{name}"):
        if value := environment.get(variable):
            return value, variable
    return None


def read_website_auth(environment: Mapping[str, str]) -> WebsiteAuth:
    """Read every variable of the family; never raises."""
    findings: list[Finding] = [*_reported(environment)]
    reader = _Reader(environment=environment, findings=findings)
    said = WebsiteAuth(
        laid=tuple(_laid(environment)),
        enabled=reader.read(ENABLED, _flag),
        legacy_claims=reader.read(f"{PREFIX}USE_LEGACY_CLAIMS", _flag) is not False,
        hide_deprecated_sid=reader.read(f"{PREFIX}HIDE_DEPRECATED_SID", _flag) is True,
        sends_challenge=reader.read(f"{PREFIX}DISABLE_WWWAUTHENTICATE", _flag) is not True,
        tenants=reader.read(f"{PREFIX}AAD_ALLOWED_TENANTS", _tenants) or (),
        requires_oid=reader.read(f"{PREFIX}AAD_REQUIRE_CLIENT_SERVICE_PRINCIPAL", _flag) is True,
        scopes_of_metadata=reader.read(f"{PREFIX}PRM_DEFAULT_WITH_SCOPES", _scopes),
        warmup_path=reader.read(WARMUP, read_warmup_path),
    )
    return replace(said, findings=tuple(findings))


def asks_for_sign_in(environment: Mapping[str, str]) -> bool:
    """Say whether variables alone turn sign-in on, where no tree is given: `WEBSITE_AUTH_ENABLED` is true."""
    found = lookup(environment, ENABLED)
    return found is not None and BOOLEAN.from_text(found[0]) is True


def report_idle(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Report variables that say how people sign in, where nothing says that they shall: there is no auth tree."""
    names = [*OVER_THE_TREE, *SECRETS, *BESIDE_THE_TREE]
    idle = [found[1] for name in names if (found := lookup(environment, PREFIX + name))]
    if idle:
        what = f"{idle[0]} has no effect without an auth tree."
        fix = f"Write [auth] or auth.file, or set {ENABLED}=true to sign people in by these variables alone."
        yield warning(SETTING_WITHOUT_EFFECT, where=idle[0], setting=idle[0], what=what, fix=fix)


@frozen
class _Reader:
    environment: Mapping[str, str]
    findings: list[Finding]

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Parse a variable; None where it is unset, or not usable, which is a finding."""
        found = lookup(self.environment, name)
        if found is None:
            return None
        value, variable = found
        try:
            return parse(value)
        except Unsuitable as refusal:
            what = f"{variable} {refusal.what}."
            self.findings.append(error(SETTING_INVALID, where=variable, setting=name, what=what, fix=refusal.fix))
            return None


def _flag(text: str) -> bool:
    return BOOLEAN.parse(BOOLEAN.from_text(text)) is True


def _tenants(text: str) -> tuple[str, ...]:
    tenants = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    # A list in which nothing is left would admit every tenant.
    if not tenants or not all(_TENANT.fullmatch(tenant) for tenant in tenants):
        raise Unsuitable("must hold the GUIDs of tenants, separated by commas", "Write the ids, not the domains.")
    return tenants


def _scopes(text: str) -> tuple[str, ...]:
    scopes = tuple(part.strip() for part in text.split(",") if part.strip())
    if not scopes or not all(scope.isprintable() and " " not in scope for scope in scopes):
        raise Unsuitable("must hold scopes, separated by commas", 'Write for example "api://ID/user_impersonation".')
    return scopes


def read_warmup_path(text: str) -> str:
    """Read the one path that is never rejected, as exact as an excluded one; raises `Unsuitable`."""
    if text.endswith("*"):
        raise Unsuitable("must be one path, without a star", 'Write for example "/warmup".')
    return read_excluded_path(text)


def _laid(environment: Mapping[str, str]) -> Iterator[Laid]:
    for name, path in SECRETS.items():
        if found := lookup(environment, PREFIX + name):
            yield Laid(path=tuple(path.split(".")), value=PREFIX + name, place=found[1])
    for name, path in OVER_THE_TREE.items():
        if found := lookup(environment, PREFIX + name):
            yield Laid(path=tuple(path.split(".")), value=found[0], place=found[1])


def _reported(environment: Mapping[str, str]) -> Iterator[Finding]:
    known = {*OVER_THE_TREE, *SECRETS, *BESIDE_THE_TREE, *ELSEWHERE}
    for variable in sorted(environment):
        name = variable.removeprefix(APP_SETTING).removeprefix(PREFIX)
        if not variable.removeprefix(APP_SETTING).startswith(PREFIX) or not environment[variable] or name in known:
            continue
        if name in REPORTED:
            what = f"{variable} has no effect here."
            row, fix = SETTING_WITHOUT_EFFECT, REPORTED[name]
        else:
            near = difflib.get_close_matches(name, [*known, *REPORTED], n=1)
            what = f"{variable} is not a setting of App Service's that is known here, and is ignored."
            row, fix = SETTING_UNKNOWN, f"Did you mean {PREFIX}{near[0]}?" if near else "Unset it."
        yield warning(row, where=variable, setting=variable, what=what, fix=fix)
    for name in SECRETS:
        both = [found for suffix in ("", "_SETTING_NAME") if (found := lookup(environment, PREFIX + name + suffix))]
        if len(both) == 2:
            what = f"{both[0][1]} holds a secret and {both[1][1]} names another variable for it."
            yield error(SETTING_CONFLICT, where=both[0][1], setting=both[0][1], what=what, fix="Keep one of the two.")
