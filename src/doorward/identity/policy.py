"""Who may pass, beyond being signed in (easy-auth reference 8.3, settings easyauth.allowed_*).

Asked when somebody signs in and when a bearer comes, never once a request of a session. Everything that is configured
has to hold; what a token does not say counts against it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from doorward.base.errors import ErrorRow
from doorward.base.frozen import frozen
from doorward.base.refusals_gateway import (
    APPLICATION_NOT_ADMITTED,
    OBJECT_ID_REQUIRED,
    PERSON_NOT_ADMITTED,
    PRINCIPAL_NOT_ADMITTED,
    TENANT_NOT_ADMITTED,
)
from doorward.base.text import ascii_lower, domain_key, email_key


@frozen
class Policy:
    """Who may pass, beyond being signed in (easy-auth reference 8.3); an empty list asks nothing.

    `applications` apply to bearers and client-directed sign-in alone. `groups` and `identities` stand for each other;
    one of `checked_groups`, those of `jwtClaimChecks`, is asked for whatever they say. `tenants` are GUIDs in lower
    case.
    """

    applications: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    checked_groups: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    requires_oid: bool = False


@frozen
class GuestList:
    """The people of `easyauth.allowed_emails`, `allowed_domains` and `allowed_users`; without any, everybody.

    Who is in one of the lists may pass. Addresses and domains are in the form in which they are compared; `users` are
    `provider:nameidentifier`, the provider in lower case.
    """

    emails: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    is_open: bool = True

    @classmethod
    def of(cls, *, emails: Iterable[str] = (), domains: Iterable[str] = (), users: Iterable[str] = ()) -> Self:
        """Read the settings. An entry that names nobody closes the door all the same and opens it for nobody."""
        emails, domains, users = tuple(emails), tuple(domains), tuple(users)
        keys = (email_key(address) for address in emails)
        names = (domain_key(domain.strip().removeprefix("@")) for domain in domains)
        return cls(
            emails=frozenset(key for key in keys if key),
            domains=frozenset(name for name in names if name),
            users=frozenset(_user_key(*user.strip().partition(":")[::2]) for user in users),
            is_open=not (emails or domains or users),
        )

    def admits(self, provider: str, subject: str, emails: Sequence[str]) -> bool:
        """Say whether somebody may pass: `subject` is the nameidentifier, `emails` those that the provider vouches for.

        A domain covers addresses directly below it, not those of its subdomains.
        """
        if self.is_open or (subject and _user_key(provider, subject) in self.users):
            return True
        keys = [key for address in emails if (key := email_key(address))]
        return any(key in self.emails or key.rpartition("@")[2] in self.domains for key in keys)


def _user_key(provider: str, subject: str) -> str:
    return f"{ascii_lower(provider.strip())}:{subject}"


def refuse_by_policy(
    policy: Policy,
    guests: GuestList,
    *,
    provider: str,
    subject: str,
    raw: Mapping[str, object],
    emails: Sequence[str],
    checks_application: bool,
) -> ErrorRow | None:
    """Give the first rule that refuses the caller, or None when all of them hold; every row is 403.

    `raw` are the verified claims as the provider issued them, or the profile. `emails` are the addresses that the
    provider vouches for (`ProviderSpec.vouched_emails`). `checks_application` is for bearers and client-directed
    sign-in: an id_token of a browser's sign-in names no calling application (interface, section 7).
    """
    if policy.tenants and not _holds(raw.get("tid"), policy.tenants):
        return TENANT_NOT_ADMITTED
    if (policy.requires_oid or policy.identities) and not _text(raw.get("oid")):
        return OBJECT_ID_REQUIRED
    if checks_application and policy.applications and not _holds(_application(raw), policy.applications):
        return APPLICATION_NOT_ADMITTED
    if policy.checked_groups and not _is_member(policy.checked_groups, raw):
        return PRINCIPAL_NOT_ADMITTED
    if (policy.identities or policy.groups) and not _is_named(policy, raw):
        return PRINCIPAL_NOT_ADMITTED
    return None if guests.admits(provider, subject, emails) else PERSON_NOT_ADMITTED


def _application(raw: Mapping[str, object]) -> object:
    """Give the client that asked for an access token: `azp` in v2.0 tokens, `appid` in v1.0 (reference 8.3)."""
    return raw.get("appid") if raw.get("ver") == "1.0" else raw.get("azp", raw.get("appid"))


def _is_named(policy: Policy, raw: Mapping[str, object]) -> bool:
    """Say whether object id or groups are listed: one of the two is enough (reference 8.3)."""
    return _holds(raw.get("oid"), policy.identities) or _is_member(policy.groups, raw)


def _is_member(listed: Sequence[str], raw: Mapping[str, object]) -> bool:
    """Say whether one of the caller's groups is listed."""
    groups = raw.get("groups")
    named: list[object] = list(groups) if isinstance(groups, list) else [groups]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - JSON
    return any(_holds(group, listed) for group in named)


def _holds(value: object, listed: Iterable[str]) -> bool:
    """Say whether an identifier is listed; GUIDs are written in either case."""
    text = _text(value)
    return bool(text) and ascii_lower(text) in {ascii_lower(entry.strip()) for entry in listed}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
