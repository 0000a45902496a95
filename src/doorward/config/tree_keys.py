"""The keys of App Service's auth tree: one table of rows, as `sections` is for our own settings.

Owns which keys there are (easy-auth reference 9.1 to 9.5, and Container Apps' of 11.2), what each may hold and does,
and which of them cannot be followed here. The reader, `doorward config show` and docs/auth-json.md follow from it.
The keys of a provider follow from its `ProviderSpec`; only what is Azure's alone about one stands here.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from doorward.base.frozen import frozen
from doorward.config.tree_kinds import (
    ANYTHING,
    BOOLEAN,
    EXPIRATION,
    HEADER,
    HOURS,
    PAIRS,
    PAIRS_OR_NAMES,
    PATHS,
    ROUTE,
    SECRET_NAME,
    SETTING_NAME,
    SPAN,
    STRING,
    STRINGS,
    TARGETS,
    URL,
    VERSION,
    TreeKind,
    words,
)
from doorward.providers.spec import ProviderSpec

Path: TypeAlias = tuple[str, ...]
PROVIDERS = "identityProviders"
CUSTOM = "customOpenIdConnectProviders"
CUSTOM_IN_FILES = "openIdConnectProviders"
ANY_NAME = "*"
ACTIONS = ("RedirectToLoginPage", "AllowAnonymous", "Return401", "Return403", "Return404")


@frozen
class TreeKey:
    """One key: its path, `*` standing for the name of a custom provider, what it may hold and what it does here.

    `default` is what counts where the key is absent, as parsed. `reason` is not empty where the key cannot be followed
    here: then it is reported as a warning, since without it nobody passes who would not pass with it.
    """

    path: Path
    kind: TreeKind
    about: str
    default: object = None
    reason: str = ""

    @property
    def name(self) -> str:
        """Give the path as people write it."""
        return ".".join(self.path)


Branch: TypeAlias = "dict[str, Branch | TreeKey]"


def _key(path: str, kind: TreeKind, about: str, default: object = None, reason: str = "") -> TreeKey:
    return TreeKey(path=tuple(path.split(".")), kind=kind, about=about, default=default, reason=reason)


_STORE = "tokens are kept, sealed, in the database of `[database]`"
_CERTIFICATE = "without `client_certificate_file` and `client_key_file` in `[providers.aad]`"
_KEYS = "the keys are set in `[secrets]`"

_FIRST: tuple[TreeKey, ...] = (
    _key("platform.enabled", BOOLEAN, "Whether anything is asked at all. Only a literal false turns it off; then "
         "identity headers of clients are still removed, and `/.auth` is 404.", True),
    _key("platform.runtimeVersion", STRING, "Which version of App Service's module runs. Accepted, and nothing to do.",
         "~1"),
    _key("platform.configFilePath", STRING, "A file whose tree replaces this one. Followed in a tree that is not "
         "itself such a file.", ""),
    _key("globalValidation.requireAuthentication", BOOLEAN, "Where no action is written: false is `AllowAnonymous`, "
         "all else `RedirectToLoginPage`. True beside `AllowAnonymous` is an error."),
    _key("globalValidation.unauthenticatedClientAction", words(*ACTIONS), "What a request without credential gets. "
         "By default `RedirectToLoginPage`."),
    _key("globalValidation.redirectToProvider", STRING, "The provider that `RedirectToLoginPage` goes straight to. "
         "Without it the only provider, or a page to choose one.", ""),
    _key("globalValidation.excludedPaths", PATHS, "Paths that ask for nothing: exact ones, or prefixes with `/*` at "
         "the end.", ()),
)  # fmt: skip
_LAST: tuple[TreeKey, ...] = (
    _key("login.routes.logoutEndpoint", ROUTE, "Where people sign out. By default `logout` below the prefix.", ""),
    _key("login.tokenStore.enabled", BOOLEAN, "Whether the providers' tokens are kept. Only a literal false turns it "
         "off; then `/.auth/me` and `/.auth/refresh` are 404 and applications get no tokens.", True),
    _key("login.tokenStore.tokenRefreshExtensionHours", HOURS, "How long after its expiry a session may still be "
         "refreshed.", 72 * 3600.0),
    _key("login.tokenStore.fileSystem.directory", STRING, "A directory for the providers' tokens.", reason=_STORE),
    _key("login.tokenStore.azureBlobStorage.sasUrlSettingName", SETTING_NAME, "A container for the providers' tokens.",
         reason=_STORE),
    _key("login.tokenStore.azureBlobStorage.blobContainerUri", STRING, "A container for the providers' tokens.",
         reason=_STORE),
    _key("login.tokenStore.azureBlobStorage.clientId", STRING, "Who reads and writes that container.", reason=_STORE),
    _key("login.tokenStore.azureBlobStorage.managedIdentityResourceId", STRING, "Who reads and writes that container.",
         reason=_STORE),
    _key("login.preserveUrlFragmentsForLogins", BOOLEAN, "Whether the part of an address after `#` survives a "
         "sign-in.", False),
    _key("login.allowedExternalRedirectUrls", TARGETS, "Other places that a browser may be sent to after signing in "
         "or out: same scheme, host and port, and the path as a prefix. Queries do not count.", ()),
    _key("login.cookieExpiration.convention", EXPIRATION, "Whether a session ends after a fixed time, or with the "
         "provider's token.", "FixedTime"),
    _key("login.cookieExpiration.timeToExpiration", SPAN, "That fixed time.", 8 * 3600.0),
    _key("login.nonce.validateNonce", BOOLEAN, "Whether a sign-in must end in the browser in which it began.", True),
    _key("login.nonce.nonceExpirationInterval", SPAN, "How long a sign-in may take.", 300.0),
    _key("httpSettings.requireHttps", BOOLEAN, "Whether plain requests are sent to https. By default if "
         "`server.public_url` is https."),
    _key("httpSettings.routes.apiPrefix", ROUTE, "Where `/.auth` is.", "/.auth"),
    _key("httpSettings.forwardProxy.convention", words("NoProxy", "Standard", "Custom"), "Which header names the host "
         "that the client asked for: `Host`, `X-Forwarded-Host`, or one of your choice. Believed from "
         "`server.trusted_proxies` alone.", "NoProxy"),
    _key("httpSettings.forwardProxy.customHostHeaderName", HEADER, "That header of your choice.", ""),
    _key("httpSettings.forwardProxy.customProtoHeaderName", HEADER, "A header that names the scheme. Only "
         "`X-Forwarded-Proto` is read, from `server.trusted_proxies` and in every convention; another name is "
         "reported.", ""),
    _key("encryptionSettings.containerAppAuthEncryptionSecretName", SECRET_NAME, "Container Apps: the key that "
         "sessions are sealed with.", reason=_KEYS),
    _key("encryptionSettings.containerAppAuthSigningSecretName", SECRET_NAME, "Container Apps: the key that session "
         "tokens are signed with.", reason=_KEYS),
)  # fmt: skip

_AAD: tuple[TreeKey, ...] = (
    _key("registration.openIdIssuer", URL, "Whose people may sign in: a tenant's issuer of version 1.0 or 2.0, or "
         "`common` or `organizations` in place of the tenant, which admits every tenant.", ""),
    _key("registration.clientSecretCertificateThumbprint", STRING, "A certificate in place of a secret.", "",
         _CERTIFICATE),
    _key("registration.clientSecretCertificateSubjectAlternativeName", STRING, "The same certificate, by name.", "",
         _CERTIFICATE),
    _key("registration.clientSecretCertificateIssuer", STRING, "Who issued it.", "", _CERTIFICATE),
    _key("login.loginParameters", PAIRS, "Parameters of the request to the provider; one of a built-in name takes its "
         "place, and a sign-in's own parameter the place of both.", ()),
    _key("login.disableWWWAuthenticate", BOOLEAN, "Whether 401 goes without a challenge.", False),
    _key("validation.allowedAudiences", STRINGS, "Audiences of bearer tokens that count beside `clientId`.", ()),
    _key("validation.jwtClaimChecks.allowedGroups", STRINGS, "A person's token must carry one of these groups.", ()),
    _key("validation.jwtClaimChecks.allowedClientApplications", STRINGS, "Older spelling of `allowedApplications`.",
         ()),
    _key("validation.defaultAuthorizationPolicy.allowedApplications", STRINGS, "Applications whose bearer tokens, and "
         "client-directed sign-ins, count.", ()),
    _key("validation.defaultAuthorizationPolicy.allowedPrincipals.groups", STRINGS, "Only people of these groups, or "
         "listed under `identities`.", ()),
    _key("validation.defaultAuthorizationPolicy.allowedPrincipals.identities", STRINGS, "Only people with these "
         "object ids, or of the listed groups.", ()),
    _key("isAutoProvisioned", BOOLEAN, "Told by App Service of itself. Accepted, and nothing to do."),
)  # fmt: skip
_SCOPES = _key("login.scopes", STRINGS, "What is asked for, in place of the built-in scopes.", ())
_AUDIENCES = _key("validation.allowedAudiences", STRINGS, "Audiences of id_tokens that count beside `clientId`.", ())
# What Azure's tree has for one provider beside its registration; a provider that is not listed has what fits its kind.
_OWN: Mapping[str, tuple[TreeKey, ...]] = {
    "azureActiveDirectory": _AAD,
    "facebook": (
        _key("graphApiVersion", VERSION, "The version of the Graph API that is asked, such as `v3.3`; without it, "
             "addresses have none.", ""),
        _SCOPES,
    ),
    "twitter": (),
    "legacyMicrosoftAccount": (_SCOPES, _AUDIENCES),
    "gitHub": (_SCOPES,),
    "apple": (_SCOPES,),
}  # fmt: skip
_CUSTOM: tuple[TreeKey, ...] = (
    _key("enabled", BOOLEAN, "Whether people may sign in with it, once it is registered.", True),
    _key("registration.clientId", STRING, "The application's id at the provider.", ""),
    _key("registration.clientCredential.method", words("ClientSecretPost"), "How the secret is sent.",
         "ClientSecretPost"),
    _key("registration.clientCredential.clientSecretSettingName", SETTING_NAME, "The variable that holds the secret.",
         ""),
    _key("registration.openIdConnectConfiguration.wellKnownOpenIdConfiguration", URL, "The provider's discovery "
         "document. It takes the place of the four keys below.", ""),
    _key("registration.openIdConnectConfiguration.issuer", URL, "Who issues the tokens; alone, the rest is discovered "
         "there.", ""),
    _key("registration.openIdConnectConfiguration.authorizationEndpoint", URL, "Where the browser is sent.", ""),
    _key("registration.openIdConnectConfiguration.tokenEndpoint", URL, "Where a code is exchanged for tokens.", ""),
    _key("registration.openIdConnectConfiguration.certificationUri", URL, "Where the keys are published.", ""),
    _key("login.nameClaimType", STRING, "The claim that people are called by.", ""),
    _SCOPES,
    _key("login.loginParameterNames", PAIRS_OR_NAMES, "Parameters of the request to the provider, as `name=value`; a "
         "bare name is one that a sign-in may hand on.", ()),
    _key("login.loginParameters", PAIRS_OR_NAMES, "The same, under the name that other providers have for it.", ()),
)  # fmt: skip
_STATIC_WEB_APPS: tuple[TreeKey, ...] = (
    _key("azureStaticWebApps.enabled", ANYTHING, "Printed by App Service. Accepted, and nothing to do."),
    _key("azureStaticWebApps.registration.clientId", ANYTHING, "Sign-in by Static Web Apps.",
         reason="that service exists in Azure alone"),
)  # fmt: skip


def keys_of(specs: Iterable[ProviderSpec]) -> Iterator[TreeKey]:
    """Give every key of the tree, in the order of the reference, for the built-in providers `specs`."""
    yield from _FIRST
    for spec in specs:
        yield from _below((PROVIDERS, spec.tree_key), _keys_of_provider(spec))
    yield from _below((PROVIDERS,), _STATIC_WEB_APPS)
    yield from _below((PROVIDERS, CUSTOM, ANY_NAME), _CUSTOM)
    yield from _LAST


def branch_of(keys: Iterable[TreeKey]) -> Branch:
    """Arrange keys as the tree that they stand in."""
    root: Branch = {}
    for key in keys:
        here = root
        for piece in key.path[:-1]:
            below = here.setdefault(piece, {})
            if isinstance(below, TreeKey):
                raise TypeError(f"{key.name} stands below a key that has a value")
            here = below
        here[key.path[-1]] = key
    return root


def _keys_of_provider(spec: ProviderSpec) -> Iterator[TreeKey]:
    yield _key("enabled", BOOLEAN, "Whether people may sign in with it, once it is registered.", True)
    yield _key(f"registration.{spec.client_id_key}", STRING, "The application's id at the provider.", "")
    yield _key(f"registration.{spec.secret_key}", SETTING_NAME, "The variable that holds the secret.", "")
    yield from _OWN.get(spec.tree_key, (_SCOPES, _AUDIENCES) if spec.id_token_signed else (_SCOPES,))


def _below(above: Path, keys: Iterable[TreeKey]) -> Iterator[TreeKey]:
    for key in keys:
        yield TreeKey(path=(*above, *key.path), kind=key.kind, about=key.about, default=key.default, reason=key.reason)
