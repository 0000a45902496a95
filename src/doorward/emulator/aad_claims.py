"""What the pretend Entra says of a person: subjects, tenants, claims of both versions (token-exchange 2.7 to 2.12)."""

from collections.abc import Mapping

from doorward.base.frozen import frozen
from doorward.base.text import domain_key, guid
from doorward.emulator.messages import BadMessage
from doorward.emulator.people import (
    CONTOSO,
    DEV_TENANT_ID,
    FABRIKAM,
    TENANT_OF_DOMAIN,
    Person,
    guid_from,
    oid_of,
    sub_of,
    tenant_of_person,
)
from doorward.providers.aad import CONSUMER_TENANT, TENANT_MARK

BACKDATED = 300
LIFETIME = 3900
GRAPH = "00000003-0000-0000-c000-000000000000"
_FIRST = ("aud", "iss", "iat", "nbf", "exp")


@frozen
class Subject:
    """A person as a token speaks of them. `home` is the tenant that authenticates a guest, None for a member."""

    person: Person
    tenant: str
    oid: str
    home: str | None


def subject_in(person: Person, tenant: str | None, *, guest: bool = False) -> Subject:
    """Give a person as a tenant knows them; without a tenant it is their own, or for guests the platform's."""
    is_guest = guest or (person.guest and tenant is None)
    where = tenant or (DEV_TENANT_ID if is_guest else tenant_of_person(person))
    home = tenant_of_person(person) if is_guest else None
    if home == where:
        home = FABRIKAM if where != FABRIKAM else CONTOSO
    return Subject(person=person, tenant=where, oid=oid_of(where, person.email), home=home)


def subject_at(person: Person, tenant: str) -> Subject:
    """Give a person who signs in at a tenant's own door, or at that of all tenants.

    A tenant of which the emulator has nobody is that of somebody's own auth tree: there Contoso's people are members.
    Raises `BadMessage` where the tenant does not know them: neither its member nor somebody's guest.
    """
    own = tenant_of_person(person)
    if tenant == TENANT_MARK:
        return subject_in(person, None)
    if tenant == own or (own == DEV_TENANT_ID and tenant not in TENANT_OF_DOMAIN.values()):
        return subject_in(person, tenant)
    if person.guest and tenant != CONSUMER_TENANT:
        return subject_in(person, tenant, guest=True)
    raise BadMessage(f"{person.email} is of another tenant, and nobody's guest here")


def issuer_of(base_url: str, version: str, tenant: str) -> str:
    """Give the issuer of a tenant's tokens, or with `TENANT_MARK` the template."""
    return f"{base_url}/{tenant}/v2.0" if version == "2.0" else f"{base_url}/v1/{tenant}/"


def tenant_named(name: str) -> str | None:
    """Give the tenant that a GUID or a domain in a path names; any domain has one."""
    domain = domain_key(name)
    if domain is None or "." not in domain:
        return guid(name)
    return TENANT_OF_DOMAIN.get(domain) or guid_from("tenant", domain)


def common_claims(subject: Subject, base_url: str, version: str, audience: str, moment: int) -> dict[str, object]:
    """Give what every token of a person has; `moment` is when it was issued."""
    person = subject.person
    claims: dict[str, object] = {
        "aud": audience,
        "iss": issuer_of(base_url, version, subject.tenant),
        "iat": moment,
        "nbf": moment,
        "exp": moment + LIFETIME,
        "name": person.name,
        "oid": subject.oid,
        "sub": sub_of(subject.tenant, subject.oid, audience),
        "tid": subject.tenant,
        "ver": version,
    }
    return claims | _address_claims(subject, version, base_url) | _assigned(person)


def ordered(claims: Mapping[str, object]) -> dict[str, object]:
    """Put claims into Entra's order: five first, then by the alphabet (easy-auth reference 4.3)."""
    rest = sorted(name for name in claims if name not in _FIRST)
    return {name: claims[name] for name in (*(name for name in _FIRST if name in claims), *rest)}


def _address_claims(subject: Subject, version: str, base_url: str) -> dict[str, object]:
    """Give the claims that carry addresses, and those that say whose guest the person is (reference 2.8 to 2.10)."""
    address = subject.person.email
    claims: dict[str, object] = {"email": address, "xms_edov": subject.person.verified}
    if version == "2.0":
        claims["preferred_username"] = address
    else:
        claims["unique_name"] = address
        claims["upn"] = address if subject.home is None else _directory_name(address, subject.tenant)
    if subject.home is not None:
        claims |= {"idp": issuer_of(base_url, "1.0", subject.home), "acct": 1}
    return claims


def _assigned(person: Person) -> dict[str, object]:
    """Give the groups and application roles that were assigned to a person, where there are any."""
    lists = {"groups": list(person.groups), "roles": list(person.roles)}
    return {name: values for name, values in lists.items() if values}


def _directory_name(address: str, tenant: str) -> str:
    """Give a guest's name in the inviting tenant's directory: `jane_contoso.com#EXT#@fabrikam.onmicrosoft.com`."""
    names = {CONTOSO: "contoso", FABRIKAM: "fabrikam"}
    return f"{address.replace('@', '_')}#EXT#@{names.get(tenant, f't{tenant[:8]}')}.onmicrosoft.com"
