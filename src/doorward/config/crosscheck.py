"""What is wrong with settings that are each legal by themselves.

Contradictions, needs of one setting for another, and what is unsafe in production; what concerns sign-in stands in
`crosscheck_auth`.
"""

import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

from doorward.base.faults import (
    FILE_OPEN_TO_OTHERS,
    SETTING_CONFLICT,
    SETTING_MISSING,
    SETTING_UNSAFE,
    SETTING_WITHOUT_EFFECT,
    SETTINGS_FILE_UNREADABLE,
)
from doorward.base.loopback import is_loopback_host
from doorward.config.addresses import is_plain_http
from doorward.config.clouds import BUILT_IN
from doorward.config.crosscheck_auth import check_sign_in, check_sign_in_secrets
from doorward.config.crosscheck_profile import check_profile
from doorward.config.dev_keys import is_dev_key
from doorward.config.documents import is_open_to_others, is_readable
from doorward.config.findings import Finding, error, warning
from doorward.config.kinds import show_duration
from doorward.config.rows import rows_of
from doorward.config.sections_easyauth import ProviderSettings
from doorward.config.settings import Settings
from doorward.config.sources import Purpose

_KEY_SUFFIX = ".key"  # that of the file which keys.master keeps beside the database
_ANY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, never listened on


def cross_check(settings: Settings, purpose: Purpose) -> Iterator[Finding]:
    """Give the findings about settings that parsed.

    What concerns listeners is left out for commands that serve nothing, and the fixed keys are legal for all but
    `serve` and `check`.
    """
    yield from _database_keys(settings)
    yield from _clouds(settings)
    yield from _lifetimes(settings)
    if purpose != "command":
        yield from _listeners(settings)
        yield from _public_url(settings)
        yield from _tls(settings)
        yield from _proxies(settings)
        yield from _ca_file(settings)
        yield from check_sign_in(settings)
        yield from check_profile(settings)
        yield from _without_effect(settings)
    if purpose in {"serve", "check"}:
        yield from _dev_keys(settings)
        yield from check_sign_in_secrets(settings)
        yield from _open_files(settings)


def _where(settings: Settings, *names: str) -> str:
    """Give the place of the first of the settings that somebody set."""
    return next((str(settings.origins[name]) for name in names if name in settings.origins), "default")


# --- listeners ---------------------------------------------------------------------------------------------------


def _listeners(settings: Settings) -> Iterator[Finding]:
    public, admin = settings.server.listen, settings.server.admin_listen
    hosts = {public.host, admin.host}
    if public.port and public.port == admin.port and (len(hosts) == 1 or hosts & _ANY_HOST):
        yield error(
            SETTING_CONFLICT,
            where=_where(settings, "server.admin_listen", "server.listen"),
            setting="server.admin_listen",
            what=f"server.listen ({public}) and server.admin_listen ({admin}) are the same port of one address.",
            fix="Give the admin listener a port of its own.",
        )


def _public_url(settings: Settings) -> Iterator[Finding]:
    url = settings.server.public_url
    # A written http address off loopback was refused when it was read, so this one was derived from the listener.
    if is_plain_http(url) and not is_loopback_host(urlsplit(url).hostname or ""):
        yield error(
            SETTING_MISSING,
            where=_where(settings, "server.listen"),
            setting="server.public_url",
            what="server.public_url is needed, because server.listen is not a loopback address.",
            fix='Write the address that clients use, for example public_url = "https://app.example.com".',
        )


def _tls(settings: Settings) -> Iterator[Finding]:
    server = settings.server
    files = {"server.tls_certificate": server.tls_certificate, "server.tls_key": server.tls_key}
    given = {name: path for name, path in files.items() if path}
    if len(given) == 1:
        missing = next(name for name in files if name not in given)
        present = next(iter(given))
        what, fix = f"{present} needs {missing}.", "Set both, or neither."
        yield error(SETTING_MISSING, where=_where(settings, present), setting=missing, what=what, fix=fix)
    for name, path in given.items():
        yield from _unreadable(settings, name, path)
    if given and is_plain_http(server.public_url):
        yield warning(
            SETTING_CONFLICT,
            where=_where(settings, "server.public_url", *given),
            setting="server.public_url",
            what=f"The public listener speaks TLS, but server.public_url is {server.public_url}.",
            fix="Write public_url with https.",
        )


def _ca_file(settings: Settings) -> Iterator[Finding]:
    if settings.outbound.ca_file:
        yield from _unreadable(settings, "outbound.ca_file", settings.outbound.ca_file)


def _unreadable(settings: Settings, name: str, path: str) -> Iterator[Finding]:
    if not is_readable(path):
        what, fix = f"{name} names {path}, which cannot be read.", "Correct the path or the file's permissions."
        yield error(SETTINGS_FILE_UNREADABLE, where=_where(settings, name), setting=name, what=what, fix=fix)


def _proxies(settings: Settings) -> Iterator[Finding]:
    name = "server.trusted_proxies"
    for network in settings.server.trusted_proxies:
        if network.prefixlen == 0:
            what = f"{name} holds {network}: every client may then claim any address."
            fix = "Name the addresses of your proxies alone."
            yield warning(SETTING_UNSAFE, where=_where(settings, name), setting=name, what=what, fix=fix)


# --- keys, clouds, lifetimes -------------------------------------------------------------------------------------


def _database_keys(settings: Settings) -> Iterator[Finding]:
    keys = {
        "secrets.encryption_key": settings.secrets.encryption_key,
        "secrets.signing_key": settings.secrets.signing_key,
    }
    for name, key in keys.items():
        if settings.database.engine == "postgres" and not key:
            what = f"{name} is needed with PostgreSQL, where no key file lies beside the database."
            fix = "Make one with: openssl rand -hex 32 - and give it to every replica."
            yield error(SETTING_MISSING, where=_where(settings, "database.url"), setting=name, what=what, fix=fix)
    first, second = keys.values()
    if first and first.reveal().lower() == second.reveal().lower():
        name = "secrets.signing_key"
        what = "secrets.signing_key and secrets.encryption_key are equal."
        fix = "Use two keys, so that losing one does not lose the other."
        yield warning(SETTING_UNSAFE, where=_where(settings, name), setting=name, what=what, fix=fix)


def _dev_keys(settings: Settings) -> Iterator[Finding]:
    keys = {
        "secrets.encryption_key": settings.secrets.encryption_key,
        "secrets.signing_key": settings.secrets.signing_key,
    }
    for name, key in keys.items():
        if is_dev_key(key):
            what = f"{name} is a fixed key of doorward dev, which everybody knows."
            fix = "Make one of your own with: openssl rand -hex 32"
            yield error(SETTING_UNSAFE, where=_where(settings, name), setting=name, what=what, fix=fix)


def _open_files(settings: Settings) -> Iterator[Finding]:
    """Name the SQLite file and its key file where every user of the machine may read or write them."""
    if settings.database.engine == "sqlite":
        name = settings.database.url.removeprefix("sqlite:///")
        for path in (name, f"{name}{_KEY_SUFFIX}"):
            if is_open_to_others(path):
                what = f"{path} can be read or changed by every user of this machine."
                fix = f"Run: chmod 600 {shlex.quote(path)}"
                where = _where(settings, "database.url")
                yield warning(FILE_OPEN_TO_OTHERS, where=where, setting="database.url", what=what, fix=fix)


def _clouds(settings: Settings) -> Iterator[Finding]:
    for name in sorted(settings.configured_clouds):
        cloud, table = settings.clouds[name], f"clouds.{name}"
        if not any((cloud.issuer_v1, cloud.issuer_v2, cloud.keys_v1, cloud.keys_v2)):
            what = f"[{table}] is not a built-in cloud ({', '.join(BUILT_IN)}) and says nothing about itself."
            fix = "Set issuer_v2 and keys_v2, or issuer_v1 and keys_v1, or all four."
            yield error(SETTING_MISSING, where=_where(settings, table), setting=table, what=what, fix=fix)
        for missing in cloud.halves():
            what = f"{table}.{missing} is missing: an issuer and its keys go together."
            fix = f"Set {missing} in [{table}]."
            yield error(
                SETTING_MISSING, where=_where(settings, table), setting=f"{table}.{missing}", what=what, fix=fix
            )
        for key in ("issuer_v1", "issuer_v2", "keys_v1", "keys_v2"):
            yield from _plain_http(settings, f"{table}.{key}", getattr(cloud, key) or "")
    for name, provider in settings.providers.items():
        for key, _ in rows_of(ProviderSettings):
            yield from _plain_http(settings, f"providers.{name}.{key}", getattr(provider, key))


def _plain_http(settings: Settings, name: str, url: str) -> Iterator[Finding]:
    if is_plain_http(url):
        what = f"{name} is plain http on loopback: whatever answers there is believed."
        fix = "Use the provider's https address in production."
        yield warning(SETTING_UNSAFE, where=_where(settings, name), setting=name, what=what, fix=fix)


def _lifetimes(settings: Settings) -> Iterator[Finding]:
    service = settings.token_service
    family = service.family_lifetime
    for key in ("access_token_lifetime", "platform_token_lifetime"):
        lifetime: float = getattr(service, key)
        if lifetime > family:
            name = f"token_service.{key}"
            what = f"{name} is cut at family_lifetime, {show_duration(family)}."
            fix = "Make it shorter, or family_lifetime longer."
            where = _where(settings, name, "token_service.family_lifetime")
            yield warning(SETTING_WITHOUT_EFFECT, where=where, setting=name, what=what, fix=fix)


# --- what belongs to a part that is not there --------------------------------------------------------------------


def _without_effect(settings: Settings) -> Iterator[Finding]:
    """Name sections that govern nothing: [app] without an application, and the console, which this release lacks."""
    idle = {"console": "in this release"} | ({} if settings.app.upstream else {"app": "without app.upstream"})
    for section, reason in idle.items():
        names = [name for name in settings.origins if name.startswith(f"{section}.") and name != "app.upstream"]
        if names:
            what, fix = f"[{section}] has no effect {reason}.", "Remove it, or keep it for later."
            where = _where(settings, *names)
            yield warning(SETTING_WITHOUT_EFFECT, where=where, setting=section, what=what, fix=fix)
