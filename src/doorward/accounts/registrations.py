"""Registrations: which Entra application may exchange, for whom (token-exchange reference 4.1).

They are the trust anchor, so there is no empty audience, no wildcard, no "any tenant", and none of Microsoft's own
applications. Every process keeps the registrations in memory and reads them again when it hears of a change.
"""

from collections import defaultdict
from collections.abc import Iterable

from doorward.accounts.audit import Subject, record
from doorward.accounts.nouns import Origin, Presented, Registration
from doorward.accounts.organizations import checked_name, organization_exists
from doorward.base.errors import DoorwardError
from doorward.base.faults import ALREADY_THERE, NOT_THERE, VALUE_REFUSED
from doorward.base.frozen import frozen
from doorward.base.refusals import AUDIENCE_MISMATCH, TENANT_NOT_ALLOWED
from doorward.base.text import domain_key, given_guid, guid
from doorward.providers.aad import MICROSOFT_AUDIENCES
from doorward.store import Cursor, Store, UniqueViolation, changes, registrations, token_changes, tokens

CHANGE_KIND = "registrations"


@frozen
class NewRegistration:
    """What `registrations add` is given; organizations and domains name their tenant, or None with a single one."""

    client_id: str
    name: str
    cloud: str
    tenants: tuple[str, ...]
    organizations: tuple[tuple[int, str | None], ...]
    default_organization: int | None
    domains: tuple[tuple[str, str | None], ...]
    auto_create: bool
    allow_guests: bool
    refresh: bool


class Registrations:
    """The registrations as this process knows them."""

    def __init__(self, store: Store) -> None:
        """Read from `store` when asked to."""
        self._store = store
        self._by_client_id: dict[str, Registration] = {}

    async def reload(self) -> None:
        """Read all registrations again; one that has not changed stays the same object."""
        known = self._by_client_id
        self._by_client_id = {
            found.client_id: known[found.client_id] if known.get(found.client_id) == found else found
            for found in await list_registrations(self._store)
        }

    def find_enabled(self, client_id: str) -> Registration | None:
        """Give the registration of a client ID if it may exchange."""
        registration = self._by_client_id.get(client_id)
        return registration if registration is not None and registration.enabled else None

    def find(self, client_id: str) -> Registration | None:
        """Give the registration of a client ID, enabled or not."""
        return self._by_client_id.get(client_id)

    def client_ids(self) -> frozenset[str]:
        """Give every registered client ID."""
        return frozenset(self._by_client_id)

    def clouds(self) -> frozenset[str]:
        """Name the clouds that any registration belongs to."""
        return frozenset(registration.cloud for registration in self._by_client_id.values())


def refuse_unadmitted(registration: Registration | None, presented: Presented) -> Registration:
    """Give the registration that lets a token count still.

    `registration` is the enabled one of the token's client ID. Raises `DoorwardError`: `audience_mismatch` where there
    is none, or another one than the token came through, since a client ID that was removed and added again begins
    anew, or one of another cloud; `tenant_not_allowed` where it no longer admits the tenant.
    """
    if registration is None or registration.id != presented.registration_id or registration.cloud != presented.cloud:
        raise DoorwardError(AUDIENCE_MISMATCH, client_id=presented.client_id)
    if not registration.admits(presented.tid):
        raise DoorwardError(TENANT_NOT_ALLOWED, tid=presented.tid)
    return registration


async def list_registrations(store: Store) -> list[Registration]:
    """Give every registration, in the order in which they were added."""
    return await store.read(_read_all)


async def add_registration(
    store: Store, new: NewRegistration, known_clouds: Iterable[str], now: float, origin: Origin
) -> Registration:
    """Add a registration.

    Raises `DoorwardError`: `value_refused` for anything malformed or contradictory, `not_there` for an organization
    that does not exist, `already_there` when the client ID is registered.
    """
    checked = _checked(new, known_clouds)

    async def add(cursor: Cursor) -> Registration:
        for number, _ in checked.organizations:
            if not await organization_exists(cursor, number):
                raise DoorwardError(NOT_THERE, organization=number)
        number = await _insert(cursor, checked, now)
        await _announce(cursor, "audience.created", checked.client_id, now, origin)
        return await _read_one(cursor, number)

    try:
        return await store.write(add)
    except UniqueViolation as error:
        raise DoorwardError(ALREADY_THERE, client_id=checked.client_id) from error


async def set_registration_enabled(store: Store, client_id: str, now: float, origin: Origin, *, enabled: bool) -> None:
    """Let a registration exchange, or not; raises `DoorwardError` (`not_there`)."""
    event = "audience.changed" if enabled else "audience.disabled"

    async def change(cursor: Cursor) -> None:
        if not await cursor.run(registrations.SET_ENABLED, _folded(client_id), int(enabled), now):
            raise DoorwardError(NOT_THERE, client_id=client_id)
        await _announce(cursor, event, _folded(client_id), now, origin)

    await store.write(change)


async def remove_registration(store: Store, client_id: str, now: float, origin: Origin) -> None:
    """Remove a registration and revoke what was issued through it; raises `DoorwardError` (`not_there`).

    Adding the same client ID again brings nothing back to life, not even what was issued at this very moment and
    stored after the rest was revoked: such a family names the registration that is gone (`refuse_unadmitted`).
    """

    async def remove(cursor: Cursor) -> None:
        if not await cursor.run(registrations.REMOVE, _folded(client_id)):
            raise DoorwardError(NOT_THERE, client_id=client_id)
        await cursor.run(tokens.REVOKE_OF_CLIENT, _folded(client_id), now)
        await token_changes.note_everybody(cursor)
        await _announce(cursor, "audience.removed", _folded(client_id), now, origin)

    await store.write(remove)


async def set_tenants(
    store: Store, client_id: str, tenants: tuple[str, ...], now: float, origin: Origin
) -> Registration:
    """Replace the tenants of a registration.

    Raises `DoorwardError`: `not_there`, or `value_refused` when an organization or a domain is bound to a tenant that
    would go.
    """
    admitted = _checked_tenants(tenants)

    async def change(cursor: Cursor) -> Registration:
        found = next((r for r in await _read_all(cursor) if r.client_id == _folded(client_id)), None)
        if found is None:
            raise DoorwardError(NOT_THERE, client_id=client_id)
        bound = {tenant for _, tenant in (*found.organizations, *found.domains)} - set(admitted)
        if bound:
            raise DoorwardError(
                VALUE_REFUSED, tenant=f"an organization or domain is bound to {', '.join(sorted(bound))}"
            )
        await cursor.run(registrations.DROP_TENANTS, found.id)
        for tenant in admitted:
            await cursor.run(registrations.ADD_TENANT, found.id, tenant)
        await cursor.run(registrations.TOUCH, found.id, now)
        await _announce(cursor, "audience.changed", found.client_id, now, origin)
        return await _read_one(cursor, found.id)

    return await store.write(change)


def _checked(new: NewRegistration, known_clouds: Iterable[str]) -> NewRegistration:
    """Hold a new registration to the rules and write it in canonical form."""
    tenants = _checked_tenants(new.tenants)
    organizations = tuple(dict.fromkeys((number, _owner(tenants, t, "--org")) for number, t in new.organizations))
    if new.cloud not in known_clouds:
        raise DoorwardError(VALUE_REFUSED, cloud=f"must be one of {', '.join(sorted(known_clouds))}")
    if not organizations:
        raise DoorwardError(VALUE_REFUSED, org="at least one organization is needed")
    if new.default_organization not in {None, *(number for number, _ in organizations)}:
        raise DoorwardError(VALUE_REFUSED, default_org="must be one of the registration's organizations")
    return NewRegistration(
        client_id=_checked_client_id(new.client_id),
        name=checked_name(new.name),
        cloud=new.cloud,
        tenants=tenants,
        organizations=organizations,
        default_organization=new.default_organization,
        domains=_checked_domains(new.domains, tenants),
        auto_create=new.auto_create,
        allow_guests=new.allow_guests,
        refresh=new.refresh,
    )


def _checked_client_id(client_id: str) -> str:
    folded = given_guid(client_id)
    if folded is None:
        raise DoorwardError(VALUE_REFUSED, client_id="must be the application's client ID, a GUID")
    if folded in MICROSOFT_AUDIENCES:
        raise DoorwardError(VALUE_REFUSED, client_id="is an application of Microsoft itself")
    return folded


def _checked_tenants(tenants: tuple[str, ...]) -> tuple[str, ...]:
    folded = tuple(dict.fromkeys(given_guid(tenant) or "" for tenant in tenants))
    if not folded or "" in folded:
        raise DoorwardError(VALUE_REFUSED, tenant="must be the GUID of a tenant; there is no 'any tenant'")
    return folded


def _checked_domains(
    domains: tuple[tuple[str, str | None], ...], tenants: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    owners: dict[str, str] = {}
    for domain, tenant in domains:
        key, owner = domain_key(domain), _owner(tenants, tenant, "--domain")
        if key is None or "." not in key:
            raise DoorwardError(VALUE_REFUSED, domain=f"{domain!r} is not a domain name")
        if owners.setdefault(key, owner) != owner:
            raise DoorwardError(VALUE_REFUSED, domain=f"{key} belongs to one tenant only")
    return tuple(owners.items())


def _owner(tenants: tuple[str, ...], tenant: str | None, option: str) -> str:
    if tenant is None:
        if len(tenants) == 1:
            return tenants[0]
        raise DoorwardError(VALUE_REFUSED, option=f"with several tenants {option} needs =TENANT")
    folded = guid(tenant)
    if folded is None or folded not in tenants:
        raise DoorwardError(VALUE_REFUSED, option=f"the tenant of {option} is not among the --tenant values")
    return folded


async def _insert(cursor: Cursor, new: NewRegistration, now: float) -> int:
    flags = (int(new.auto_create), int(new.allow_guests), int(new.refresh))
    row = await cursor.one(registrations.ADD, new.client_id, new.name, new.cloud, new.default_organization, *flags, now)
    if row is None:
        raise RuntimeError("an insert returned no id")
    number = int(row[0])
    for tenant in new.tenants:
        await cursor.run(registrations.ADD_TENANT, number, tenant)
    for organization, owner in new.organizations:
        await cursor.run(registrations.ADD_ORGANIZATION, number, organization, owner)
    for domain, owner in new.domains:
        await cursor.run(registrations.ADD_DOMAIN, number, domain, owner)
    return number


async def _announce(cursor: Cursor, event: str, client_id: str, now: float, origin: Origin) -> None:
    insert, row = record(event, now, origin, Subject(client_id=client_id))
    await cursor.insert(insert, *row)
    await changes.note_change(cursor, CHANGE_KIND)


async def _read_one(cursor: Cursor, number: int) -> Registration:
    return next(r for r in await _read_all(cursor) if r.id == number)


async def _read_all(cursor: Cursor) -> list[Registration]:
    tenants: dict[int, list[str]] = defaultdict(list)
    organizations: dict[int, list[tuple[int, str]]] = defaultdict(list)
    domains: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for number, tenant in await cursor.all(registrations.TENANTS):
        tenants[number].append(tenant)
    for number, organization, tenant in await cursor.all(registrations.ORGANIZATIONS):
        organizations[number].append((organization, tenant))
    for number, domain, tenant in await cursor.all(registrations.DOMAINS):
        domains[number].append((domain, tenant))
    return [
        Registration(
            id=number,
            client_id=client_id,
            name=name,
            cloud=cloud,
            tenants=tuple(tenants[number]),
            organizations=tuple(organizations[number]),
            default_organization=default_organization,
            domains=tuple(domains[number]),
            auto_create=bool(auto_create),
            allow_guests=bool(allow_guests),
            refresh=bool(refresh),
            enabled=bool(enabled),
        )
        for number, client_id, name, cloud, default_organization, auto_create, allow_guests, refresh, enabled
        in await cursor.all(registrations.ALL)
    ]  # fmt: skip


def _folded(client_id: str) -> str:
    return guid(client_id) or client_id
