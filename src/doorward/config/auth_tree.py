"""The auth tree: from App Service's JSON, wherever it was found, to an `AuthPlan` and findings, by one function.

`doorward serve`, `check` and `config show` all go through `plan_tree`. Owns what the keys mean together: defaults
(interface, "Defaults inside the auth tree"), contradictions, and what variables add. Refuses nothing by itself: a plan
whose findings hold an error must not be served, and `loading` sees to that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field

from doorward import providers
from doorward.base.faults import SETTING_CONFLICT, SETTING_INVALID, SETTING_WITHOUT_EFFECT
from doorward.base.frozen import frozen
from doorward.config.auth_plan import AuthPlan, Expiration, ProviderPlan
from doorward.config.findings import Finding
from doorward.config.sections_easyauth import ProviderSettings
from doorward.config.tree_keys import CUSTOM, PROVIDERS, branch_of, keys_of
from doorward.config.tree_paths import lies_below
from doorward.config.tree_providers import ENTRA, Surroundings, plan_providers
from doorward.config.tree_reading import TreeSource, TreeValues, read_tree
from doorward.config.website_auth import WebsiteAuth, read_website_auth
from doorward.identity.admission import Action

_ACTION = ("globalValidation", "unauthenticatedClientAction")
_STRAIGHT_TO = ("globalValidation", "redirectToProvider")
_LOGOUT = ("login", "routes", "logoutEndpoint")
_PREFIX = ("httpSettings", "routes", "apiPrefix")
_PROXY = ("httpSettings", "forwardProxy")
# What is served below the prefix beside the way out itself; the landing pages of a sign-out lie below it.
_TAKEN = ("login", "me", "refresh", "version", "check", "logout/complete", "logout/done")


@frozen
class Planned:
    """What an auth tree comes to: the plan, the values it was made from, and what is wrong or questionable about it."""

    plan: AuthPlan
    values: TreeValues = field(repr=False)
    findings: tuple[Finding, ...]


def plan_tree(
    source: TreeSource,
    *,
    environment: Mapping[str, str],
    public_url: str,
    written: Mapping[str, ProviderSettings] | None = None,
) -> Planned:
    """Read an auth tree; never raises, whatever its shape.

    `written` are the `[providers.NAME]` tables. A tree that is switched off is read all the same, but needs no secret
    and no provider, and only its own form is judged.
    """
    website = read_website_auth(environment)
    root = branch_of(keys_of(providers.ALL.values()))
    values = read_tree(source, root, website.laid)
    tables = {name.lower(): table for name, table in (written or {}).items()}
    enabled = values.flag("platform", "enabled")
    found: dict[str, ProviderPlan] = {}
    if enabled:
        found = plan_providers(values, Surroundings(environment=environment, website=website, written=tables))
        values.findings += website.findings
        _report_unfollowed(values, is_file=source.is_file)
    _hold_switch(values, website)
    plan = _plan(values, website, found, public_url)
    return Planned(plan=plan, values=values, findings=tuple(values.findings))


def _plan(values: TreeValues, website: WebsiteAuth, found: Mapping[str, ProviderPlan], public_url: str) -> AuthPlan:
    action = _action(values)
    prefix = values.text(*_PREFIX) or "/.auth"
    https = values.value("httpSettings", "requireHttps")
    return AuthPlan(
        enabled=values.flag("platform", "enabled"),
        action=action,
        provider=_straight_to(values, found, action),
        excluded_paths=values.texts("globalValidation", "excludedPaths"),
        providers=found,
        api_prefix=prefix,
        logout_path=_logout_path(values, prefix),
        token_store=values.flag("login", "tokenStore", "enabled"),
        refresh_extension=values.number("login", "tokenStore", "tokenRefreshExtensionHours"),
        preserve_fragments=values.flag("login", "preserveUrlFragmentsForLogins"),
        allowed_targets=values.texts("login", "allowedExternalRedirectUrls"),
        expiration=_expiration(values),
        cookie_lifetime=values.number("login", "cookieExpiration", "timeToExpiration"),
        validate_nonce=values.flag("login", "nonce", "validateNonce"),
        nonce_lifetime=values.number("login", "nonce", "nonceExpirationInterval"),
        require_https=https if isinstance(https, bool) else public_url.startswith("https:"),
        host_header=_host_header(values),
        legacy_claims=website.legacy_claims,
        hide_deprecated_sid=website.hide_deprecated_sid,
        sends_challenge=website.sends_challenge,
        warmup_path=website.warmup_path,
        scopes_of_metadata=website.scopes_of_metadata,
    )


def _action(values: TreeValues) -> Action:
    """Give what anonymous requests get (interface, "Defaults inside the auth tree")."""
    wanted, required = values.text(*_ACTION), values.value("globalValidation", "requireAuthentication")
    if not wanted:
        return "AllowAnonymous" if required is False else "RedirectToLoginPage"
    if wanted == "AllowAnonymous" and required is True:
        fix = "Write another action, or take requireAuthentication out."
        values.refuse(SETTING_CONFLICT, _ACTION, "is AllowAnonymous, and requireAuthentication is true", fix)
    if wanted != "AllowAnonymous" and required is False:
        path = ("globalValidation", "requireAuthentication")
        what = f"is false and has no effect: unauthenticatedClientAction is {wanted}"
        values.warn(SETTING_WITHOUT_EFFECT, path, what, "Remove it, or write AllowAnonymous.")
    return next(action for action in _actions() if action == wanted)


def _actions() -> tuple[Action, ...]:
    return ("RedirectToLoginPage", "AllowAnonymous", "Return401", "Return403", "Return404")


def _straight_to(values: TreeValues, found: Mapping[str, ProviderPlan], action: Action) -> str | None:
    """Give the provider that an automatic sign-in goes to, None where people choose (or where there is none)."""
    wanted = values.text(*_STRAIGHT_TO).strip()
    only = next(iter(found)) if len(found) == 1 else None
    if not wanted or not values.flag("platform", "enabled"):
        return only
    named = next((plan.name for plan in found.values() if wanted.lower() in _spellings(plan)), None)
    if named is None and not values.spoiled:
        known = ", ".join(found) or "none is"
        if action == "RedirectToLoginPage":
            fix = f"Name one that is set up ({known}), or remove the key."
            values.refuse(SETTING_INVALID, _STRAIGHT_TO, "names a provider that is not set up", fix)
        else:
            fix = "Remove it, or set the provider up."
            values.warn(SETTING_WITHOUT_EFFECT, _STRAIGHT_TO, f"has no effect with {action}, and names no provider "
                        "that is set up", fix)  # fmt: skip
    return named or only


def _spellings(plan: ProviderPlan) -> set[str]:
    names = {plan.name, *plan.spec.aliases, *plan.spec.other_names, plan.spec.tree_key}
    return {name.lower() for name in names}


def _expiration(values: TreeValues) -> Expiration:
    derived = values.text("login", "cookieExpiration", "convention") == "IdentityProviderDerived"
    return "IdentityProviderDerived" if derived else "FixedTime"


def _logout_path(values: TreeValues, prefix: str) -> str:
    """Give the way out, which must be no other address of ours."""
    path = values.text(*_LOGOUT) or f"{prefix}/logout"
    folded = path.lower()
    if folded == prefix.lower() or any(lies_below(folded, f"{prefix}/{taken}".lower()) for taken in _TAKEN):
        values.refuse(SETTING_CONFLICT, _LOGOUT, "is an address that means something else", "Choose another path.")
    return path


def _host_header(values: TreeValues) -> str:
    """Give the header that names the host (easy-auth reference 9.6); the scheme's is always X-Forwarded-Proto."""
    convention = values.text(*_PROXY, "convention")
    host, proto = (*_PROXY, "customHostHeaderName"), (*_PROXY, "customProtoHeaderName")
    if convention != "Custom":
        for path in (host, proto):
            if values.text(*path):
                fix = "Write Custom as the convention, or remove the name."
                values.warn(SETTING_WITHOUT_EFFECT, path, f"has no effect with {convention}", fix)
        return "x-forwarded-host" if convention == "Standard" else "host"
    if values.text(*proto) not in {"", "x-forwarded-proto"}:
        fix = "Have the proxy send X-Forwarded-Proto."
        values.warn(SETTING_WITHOUT_EFFECT, proto, "is not read: X-Forwarded-Proto names the scheme here", fix)
    if not values.text(*host):
        what, fix = "has no effect without a header that names the host", "Add customHostHeaderName."
        values.warn(SETTING_WITHOUT_EFFECT, (*_PROXY, "convention"), what, fix)
    return values.text(*host) or "host"


def _report_unfollowed(values: TreeValues, *, is_file: bool) -> None:
    """Report what is written and cannot be followed here; certificates are judged with their provider."""
    pointer = ("platform", "configFilePath")
    if is_file and values.text(*pointer):
        what = "is not followed: this tree is itself such a file"
        values.warn(SETTING_WITHOUT_EFFECT, pointer, what, "Name the file that counts in auth.file.")
    for path, found in tuple(values.found.items()):
        if found.key.reason and found.value not in ("", None) and path[1] != ENTRA:
            values.warn(SETTING_WITHOUT_EFFECT, path, f"cannot be followed here: {found.key.reason}", "Remove it.")


def _hold_switch(values: TreeValues, website: WebsiteAuth) -> None:
    """Hold `platform.enabled` against WEBSITE_AUTH_ENABLED, which App Service sets to say what is so."""
    path = ("platform", "enabled")
    if website.enabled and not values.flag(*path):
        fix = "Write true, or unset the variable; nothing is asked while this is false."
        values.refuse(SETTING_CONFLICT, path, "is false, and WEBSITE_AUTH_ENABLED is true", fix)
    elif website.enabled is False and values.flag(*path):
        fix = "Write false in the tree to switch sign-in off."
        values.warn(SETTING_WITHOUT_EFFECT, path, "counts, not WEBSITE_AUTH_ENABLED, which is false", fix)


def unknown_tables(values: TreeValues, written: Iterable[str]) -> list[str]:
    """Give the `[providers.NAME]` tables whose name is neither a built-in provider nor a custom one of the tree."""
    custom = {name.lower() for name in values.names(PROVIDERS, CUSTOM)}
    return [name for name in written if name.lower() not in custom and providers.by_alias(name) is None]
