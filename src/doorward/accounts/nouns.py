"""The nouns: frozen values that the use cases give and take.

Those of which every request makes some are structs of msgspec: making a frozen dataclass costs ten times as much.
"""

from collections.abc import Sequence
from typing import Any, Literal, Self, cast

import msgspec

from doorward.base.clock import rfc3339
from doorward.base.frozen import frozen

Role = Literal["user", "application_admin", "global_admin"]
ROLES: tuple[Role, ...] = ("user", "application_admin", "global_admin")


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request came from, for the audit trail: the client's address, its user agent, the request id."""

    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


@frozen
class Organization:
    """An organization of the platform."""

    id: int
    name: str
    enabled: bool

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Read a row of `store.organizations`."""
        number, name, enabled = row
        return cls(id=number, name=name, enabled=bool(enabled))

    def to_json(self) -> dict[str, object]:
        """Give the members that commands print."""
        return {"id": self.id, "name": self.name, "enabled": self.enabled}


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account; `email` is in the spelling of the token or command that made it, times are seconds."""

    id: int
    email: str
    full_name: str
    organization_id: int
    role: Role
    verified: bool
    enabled: bool
    created_at: float

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Read a row of `store.users`."""
        number, email, full_name, organization_id, role, verified, enabled, created_at = row
        return cls(
            id=number,
            email=email,
            full_name=full_name,
            organization_id=organization_id,
            role=cast("Role", role),
            verified=bool(verified),
            enabled=bool(enabled),
            created_at=created_at,
        )

    def to_public(self) -> dict[str, object]:
        """Give the members of `users/me`."""
        return {
            "id": self.id,
            "email": self.email,
            "full_name": self.full_name,
            "organization_id": self.organization_id,
            "role": self.role,
        }

    def to_json(self) -> dict[str, object]:
        """Give the members that commands print."""
        standing = {"verified": self.verified, "enabled": self.enabled, "created_at": rfc3339(self.created_at)}
        return {**self.to_public(), **standing}


@frozen
class Registration:
    """An audience: which Entra application may exchange, for whom (reference 4.1).

    `organizations` and `domains` are pairs with the tenant they belong to; `tenants` is never empty.
    """

    id: int
    client_id: str
    name: str
    cloud: str
    tenants: tuple[str, ...]
    organizations: tuple[tuple[int, str], ...]
    default_organization: int | None
    domains: tuple[tuple[str, str], ...]
    auto_create: bool
    allow_guests: bool
    refresh: bool
    enabled: bool

    def admits(self, tenant: str) -> bool:
        """Say whether tokens of `tenant` may be exchanged."""
        return tenant in self.tenants

    def is_authoritative(self, tenant: str, domain: str) -> bool:
        """Say whether `tenant` is registered as owner of the e-mail `domain`, in its compared form."""
        return (domain, tenant) in self.domains

    def organizations_of(self, tenant: str) -> tuple[int, ...]:
        """Give the organizations that new users of `tenant` may be assigned to."""
        return tuple(organization for organization, owner in self.organizations if owner == tenant)

    def to_json(self) -> dict[str, object]:
        """Give the members that commands print."""
        return {
            "id": self.id,
            "client_id": self.client_id,
            "name": self.name,
            "cloud": self.cloud,
            "tenants": list(self.tenants),
            "organizations": [{"id": number, "tenant": tenant} for number, tenant in self.organizations],
            "default_organization": self.default_organization,
            "domains": [{"domain": domain, "tenant": tenant} for domain, tenant in self.domains],
            "auto_create": self.auto_create,
            "allow_guests": self.allow_guests,
            "refresh": self.refresh,
            "enabled": self.enabled,
        }


class Presented(msgspec.Struct, frozen=True, kw_only=True):
    """A platform token that somebody presented, with all that decides whether it still holds.

    `pair_id` is the JWT's `jti`. Times are seconds since the epoch.
    """

    pair_id: str
    pair_generation: int
    issued_at: float
    access_expires_at: float
    platform_expires_at: float
    pair_revoked_at: float | None
    family_id: str
    registration_id: int
    client_id: str
    cloud: str
    tid: str
    oid: str
    newest_generation: int
    rotated_at: float | None
    family_expires_at: float
    family_revoked_at: float | None
    user: User
    organization_enabled: bool

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Read a row of `store.tokens.BY_PAIR` or `BY_PLATFORM_DIGEST`."""
        return cls(
            pair_id=row[0],
            pair_generation=row[1],
            issued_at=row[2],
            access_expires_at=row[3],
            platform_expires_at=row[4],
            pair_revoked_at=row[5],
            family_id=row[6],
            registration_id=row[7],
            client_id=row[8],
            cloud=row[9],
            tid=row[10],
            oid=row[11],
            newest_generation=row[12],
            rotated_at=row[13],
            family_expires_at=row[14],
            family_revoked_at=row[15],
            user=User.of(row[16:24]),
            organization_enabled=bool(row[24]),
        )


class TokenPair(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is given: the JWT, the opaque token, and when each ends."""

    access_token: str
    platform_token: str
    access_expires_at: float
    platform_expires_at: float
