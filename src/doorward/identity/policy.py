"""Who may pass, beyond being signed in (easy-auth reference 8.3, settings easyauth.allowed_*)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who may pass, beyond being signed in (easy-auth reference 8.3); an empty list asks nothing.

    `applications` apply to bearers and client-directed sign-in alone. `tenants` are GUIDs in lower case.
    """

    applications: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    requires_oid: bool = False
