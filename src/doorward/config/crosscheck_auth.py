"""What is questionable about sign-in, from the plan and the settings around it.

A public provider signs in anybody who has an account there, and so does an Entra issuer of many tenants: who writes no
list has an open house, which is rarely meant (easy-auth reference 8.2 and 8.3). No application stands open behind the
gateway by mistake: without an auth tree, `serve` refuses to stand in front of one.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from doorward import providers
from doorward.base.errors import ErrorRow
from doorward.base.faults import (
    SETTING_CONFLICT,
    SETTING_MISSING,
    SETTING_UNKNOWN,
    SETTING_UNSAFE,
    SETTING_WITHOUT_EFFECT,
    SETTINGS_FILE_UNREADABLE,
)
from doorward.base.loopback import is_loopback_host
from doorward.config.addresses import is_plain_http
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.config.dev_keys import is_dev_secret
from doorward.config.documents import is_readable
from doorward.config.findings import Finding, error, warning
from doorward.config.sections_easyauth import ProviderSettings
from doorward.config.settings import Settings
from doorward.config.suggestions import nearest
from doorward.config.tree_endpoints import is_multi_tenant
from doorward.config.tree_keys import CUSTOM, PROVIDERS, Path
from doorward.config.tree_providers import ENTRA
from doorward.config.tree_reading import TreeValues, setting_of

_LISTS = "easyauth.allowed_emails, allowed_domains or allowed_users"
_FILES = ("client_certificate_file", "client_key_file", "private_key_file")
_OWNERS = {
    ("client_certificate_file", "client_key_file"): ("aad",),
    ("private_key_file", "team_id", "key_id"): ("apple",),
    ("request_token_endpoint", "access_token_endpoint"): ("twitter",),
    ("token_info_endpoint",): ("facebook", "github"),
}
_TOGETHER = (("client_certificate_file", "client_key_file"), ("private_key_file", "team_id", "key_id"))


def check_sign_in(settings: Settings) -> Iterator[Finding]:
    """Give the findings about the auth tree, the application behind it, and what belongs to both."""
    plan, values = settings.auth.plan, settings.auth.values
    yield from _tables(settings)
    if plan is None or values is None:
        yield from _without_tree(settings)
        return
    if not plan.enabled:
        yield from _switched_off(settings, values)
        return
    yield from _who(settings, plan, values)
    yield from _tree(settings, plan, values)
    yield from _http(settings, plan, values)
    yield from _names(settings, plan)


def check_sign_in_secrets(settings: Settings) -> Iterator[Finding]:
    """Refuse the client secrets that `doorward dev` works with, which everybody knows."""
    plan, values = settings.auth.plan, settings.auth.values
    for provider in plan.providers.values() if plan else ():
        if values and is_dev_secret(provider.client_secret):
            path = path_of(provider)
            what = f"The client secret of {provider.name} is a fixed one of doorward dev, which everybody knows."
            fix = "Use the secret that the provider gave you."
            yield error(SETTING_UNSAFE, where=values.place(*path), setting=setting_of(path), what=what, fix=fix)


def path_of(provider: ProviderPlan) -> Path:
    """Give where a provider stands in the tree."""
    built_in = provider.name in providers.ALL
    return (PROVIDERS, provider.spec.tree_key) if built_in else (PROVIDERS, CUSTOM, provider.name)


def _where(settings: Settings, *names: str) -> str:
    return next((str(settings.origins[name]) for name in names if name in settings.origins), "default")


# --- with and without a tree -------------------------------------------------------------------------------------


def _without_tree(settings: Settings) -> Iterator[Finding]:
    if settings.app.upstream:
        what = "app.upstream puts an application behind the gateway, and nothing says who may pass."
        fix = "Write [auth] or auth.file; to let everybody pass, write enabled = false in [auth.platform]."
        yield error(SETTING_MISSING, where=_where(settings, "app.upstream"), setting="auth", what=what, fix=fix)
    for section in ("easyauth", "providers"):
        names = [name for name in settings.origins if name.startswith(f"{section}.")]
        if names:
            what, fix = f"[{section}] has no effect without an auth tree.", "Remove it, or write [auth] or auth.file."
            where = _where(settings, *names)
            yield warning(SETTING_WITHOUT_EFFECT, where=where, setting=section, what=what, fix=fix)


def _switched_off(settings: Settings, values: TreeValues) -> Iterator[Finding]:
    if settings.app.upstream:
        path = ("platform", "enabled")
        what = "platform.enabled is false: the application is open to everybody, and hears of nobody."
        fix = "Remove the key to ask people to sign in."
        yield warning(SETTING_UNSAFE, where=values.place(*path), setting=setting_of(path), what=what, fix=fix)


# --- who gets in -------------------------------------------------------------------------------------------------


def _who(settings: Settings, plan: AuthPlan, values: TreeValues) -> Iterator[Finding]:
    ours = settings.easyauth
    if ours.allowed_emails or ours.allowed_domains or ours.allowed_users:
        return
    for provider in plan.providers.values():
        reason = _open_to(provider)
        if reason:
            path = path_of(provider)
            what = f"{provider.spec.label} ({provider.name}) admits {reason}, and nothing says who may pass."
            fix = f"Set {_LISTS}." if provider.spec.tree_key != ENTRA else (
                f"Set WEBSITE_AUTH_AAD_ALLOWED_TENANTS, allowedPrincipals, or {_LISTS}."
            )  # fmt: skip
            yield warning(SETTING_UNSAFE, where=values.place(*path), setting=setting_of(path), what=what, fix=fix)


def _open_to(provider: ProviderPlan) -> str:
    """Say whom a provider admits, where that is more people than anybody can know; else nothing."""
    if provider.spec.tree_key == ENTRA:
        policy = provider.policy
        narrow = policy.groups or policy.checked_groups or policy.identities or policy.tenants
        many = is_multi_tenant(provider.endpoints.issuer) or is_multi_tenant(provider.endpoints.discovery)
        return "people of every tenant" if many and not narrow else ""
    return "everybody who has an account there" if provider.name in providers.ALL else ""


# --- what the tree says ------------------------------------------------------------------------------------------


def _tree(settings: Settings, plan: AuthPlan, values: TreeValues) -> Iterator[Finding]:
    if not plan.providers and plan.action == "RedirectToLoginPage":
        what = "RedirectToLoginPage has no provider to send people to: everybody without a credential gets 401."
        fix = "Register a provider, or write Return401 to say that this is meant."
        where = values.place("globalValidation", "unauthenticatedClientAction")
        yield warning(SETTING_CONFLICT, where=where, setting=setting_of((PROVIDERS,)), what=what, fix=fix)
    if "/*" in plan.excluded_paths:
        path = ("globalValidation", "excludedPaths")
        what, fix = "excludedPaths holds /*: nobody is ever asked to sign in.", "Name the paths that are public."
        yield warning(SETTING_UNSAFE, where=values.place(*path), setting=setting_of(path), what=what, fix=fix)
    if not plan.validate_nonce:
        path = ("login", "nonce", "validateNonce")
        what = "validateNonce is false: somebody can be signed in as another in a browser that never asked for it."
        fix = "Remove the key, or WEBSITE_AUTH_VALIDATE_NONCE."
        yield warning(SETTING_UNSAFE, where=values.place(*path), setting=setting_of(path), what=what, fix=fix)
    if plan.host_header != "host" and not settings.server.trusted_proxies:
        path = ("httpSettings", "forwardProxy", "convention")
        what = f"The header {plan.host_header} is believed from server.trusted_proxies alone, which is empty."
        fix = "Name the addresses of your proxies there."
        yield warning(SETTING_WITHOUT_EFFECT, where=values.place(*path), setting=setting_of(path), what=what, fix=fix)


def _http(settings: Settings, plan: AuthPlan, values: TreeValues) -> Iterator[Finding]:
    yield from _fake_issuers(plan, values)
    if not is_plain_http(settings.server.public_url):
        return
    path = ("httpSettings", "requireHttps")
    if plan.require_https:
        what = f"requireHttps is true, and server.public_url is {settings.server.public_url}: plain requests are 403."
        fix = "Write public_url with https, or requireHttps = false."
        yield warning(SETTING_CONFLICT, where=values.place(*path), setting=setting_of(path), what=what, fix=fix)
    for provider in plan.providers.values():
        address = provider.endpoints.authorization_endpoint or provider.endpoints.discovery
        posts = provider.spec.response_mode == "form_post" or bool(provider.spec.response_mode_with_scopes)
        if posts and not is_loopback_host(urlsplit(address).hostname or ""):
            what = (
                f"{provider.spec.label} answers by a form from another site, and over http: cookies are SameSite=Lax, "
                "which such a form does not carry."
            )
            fix = "Serve over https, and write it in server.public_url."
            where = _where(settings, "server.public_url")
            yield warning(SETTING_CONFLICT, where=where, setting="server.public_url", what=what, fix=fix)


def _fake_issuers(plan: AuthPlan, values: TreeValues) -> Iterator[Finding]:
    """Name every address of the tree that is plain http, and so on loopback; those of [providers] are named there."""
    for path, found in values.found.items():
        used = len(path) > 1 and path[0] == PROVIDERS and any(
            path[: len(above)] == above for above in map(path_of, plan.providers.values())
        )  # fmt: skip
        if used and isinstance(found.value, str) and is_plain_http(found.value):
            what = f"{'.'.join(path)} is plain http on loopback: whatever answers there is believed."
            fix = "Use the provider's https address in production."
            yield warning(SETTING_UNSAFE, where=found.place, setting=setting_of(path), what=what, fix=fix)


# --- names and tables --------------------------------------------------------------------------------------------


def _known_names(settings: Settings) -> list[str]:
    values = settings.auth.values
    custom = values.names(PROVIDERS, CUSTOM) if values else []
    return [*providers.ALL, *(alias for spec in providers.ALL.values() for alias in spec.aliases), *custom]


def _tables(settings: Settings) -> Iterator[Finding]:
    """Hold every [providers.NAME] to a provider that exists, and what it sets to being whole and of use."""
    known = {name.lower() for name in _known_names(settings)}
    for name, table in settings.providers.items():
        if name not in known and settings.auth.plan is not None and _is_written(settings, f"providers.{name}"):
            close = nearest(name, known)
            what = f"[providers.{name}] is neither a built-in provider nor a custom one of the auth tree."
            fix = f"Did you mean [providers.{close}]?" if close else "Remove it, or set the provider up in the tree."
            yield _of_table(settings, f"providers.{name}", SETTING_UNKNOWN, what, fix)
        spec = providers.by_alias(name)
        if spec is not None and name != spec.name and spec.name in settings.providers:
            what = f"[providers.{spec.name}] and [providers.{name}] are the same provider."
            yield _of_table(settings, f"providers.{spec.name}", SETTING_CONFLICT, what, "Keep one of the two.")
        yield from _keys_of_table(settings, name, table)


def _keys_of_table(settings: Settings, name: str, table: ProviderSettings) -> Iterator[Finding]:
    spec = providers.by_alias(name)
    for keys, owners in _OWNERS.items():
        for key in keys:
            if getattr(table, key) and (spec.name if spec else name) not in owners:
                setting = f"providers.{name}.{key}"
                what, fix = f"{setting} has no effect: it is for {' and '.join(owners)} alone.", "Remove it."
                where = _where(settings, setting)
                yield warning(SETTING_WITHOUT_EFFECT, where=where, setting=setting, what=what, fix=fix)
    for group in _TOGETHER:
        missing = [key for key in group if not getattr(table, key)]
        if missing and len(missing) < len(group):
            setting = f"providers.{name}.{missing[0]}"
            what = f"{setting} is missing: {', '.join(group)} go together."
            where = _where(settings, *(f"providers.{name}.{key}" for key in group))
            yield error(SETTING_MISSING, where=where, setting=setting, what=what, fix=f"Set {missing[0]}.")
    for key in _FILES:
        file: str = getattr(table, key)
        if file and not is_readable(file):
            setting = f"providers.{name}.{key}"
            what, fix = f"{setting} names {file}, which cannot be read.", "Correct the path or its permissions."
            yield _of_table(settings, setting, SETTINGS_FILE_UNREADABLE, what, fix)


def _of_table(settings: Settings, name: str, row: ErrorRow, what: str, fix: str) -> Finding:
    return error(row, where=_where(settings, name), setting=name, what=what, fix=fix)


def _is_written(settings: Settings, table: str) -> bool:
    """Say whether somebody wrote a table, and not a command of ours."""
    return settings.origin(table).source != "default"


def _names(settings: Settings, plan: AuthPlan) -> Iterator[Finding]:
    """Name entries of easyauth.allowed_users whose provider nobody can sign in with."""
    for entry in settings.easyauth.allowed_users:
        name = entry.partition(":")[0]
        if name not in plan.providers:
            close = nearest(name, plan.providers)
            what = f"easyauth.allowed_users names the provider {name}, which is not set up."
            fix = f"Did you mean {close}?" if close else "Write PROVIDER:NAMEIDENTIFIER, as /.auth/me prints them."
            setting = "easyauth.allowed_users"
            where = _where(settings, setting)
            yield warning(SETTING_WITHOUT_EFFECT, where=where, setting=setting, what=what, fix=fix)
