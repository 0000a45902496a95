"""Who lives in the pretend tenants.

A person is known by e-mail address. Everything that identifies a person to an application is derived from it by
hashing, so the same address is the same person in every process and after every restart. People may be added and
changed while the emulator runs, and are kept in a file where one is given.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from doorward.base.text import email_key
from doorward.emulator.messages import BadMessage
from doorward.protocol.jose import base64url_encode
from doorward.providers.aad import CONSUMER_TENANT

CONTOSO = "c0117050-0000-4000-8000-00000000c075"
FABRIKAM = "fab21ca3-0000-4000-8000-0000000fab21"
DEV_TENANT_ID = CONTOSO
"""The tenant that `dev` registers."""
DEV_CLIENT_ID = "d0025a2d-0000-4000-8000-00000000de00"
"""The application that `dev` registers; tokens are for it unless another audience is asked for."""

TENANT_OF_DOMAIN = {
    "contoso.com": CONTOSO,
    "fabrikam.com": FABRIKAM,
    "hotmail.com": CONSUMER_TENANT,
    "live.com": CONSUMER_TENANT,
    "msn.com": CONSUMER_TENANT,
    "outlook.com": CONSUMER_TENANT,
}


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Somebody who can sign in. `guest` people sign in at the pretend platform's tenant, not at their own.

    `tenant` is their own where it is not that of the address. `claims` are further claims or fields of their profile,
    by the provider's alias; those under `*` are for every provider. `verified` says whether the address was proven.
    """

    email: str
    name: str
    guest: bool = False
    tenant: str | None = None
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    verified: bool = True
    claims: dict[str, dict[str, object]] = {}

    def claims_at(self, provider: str) -> dict[str, object]:
        """Give the further claims for a provider."""
        return self.claims.get("*", {}) | self.claims.get(provider, {})

    def given_and_family_name(self) -> tuple[str, str]:
        """Split the name at its last space."""
        given, _, family = self.name.rpartition(" ")
        return (given, family) if given else (family, "")


PEOPLE = (
    Person(email="jane@contoso.com", name="Jane Doe"),
    Person(email="omar@contoso.com", name="Omar Haddad"),
    Person(email="lena@fabrikam.com", name="Lena Berg"),
    Person(email="gia@fabrikam.com", name="Gia Rossi", guest=True),
    Person(email="sam@outlook.com", name="Sam Okafor"),
)


class Directory:
    """The people that are known by name, by the form in which addresses are compared."""

    def __init__(self, people: Iterable[Person], file: Path | None = None) -> None:
        """Know `people`, and write changes to `file`, where there is one; raises `BadMessage` for a wrong address."""
        self._people = {_key(person): person for person in people}
        self._file = file

    def find(self, address: str) -> Person:
        """Give the person with an address; a stranger is named after it. Raises `BadMessage` for no address."""
        key = email_key(address)
        if key is None:
            raise BadMessage(f"not an e-mail address: {address!r}")
        return self._people.get(key) or Person(email=address.strip(), name=_name_of(key))

    def all(self) -> tuple[Person, ...]:
        """Give everybody, in the order in which they were added."""
        return tuple(self._people.values())

    def put(self, person: Person) -> None:
        """Add a person, or change the one with that address; raises `BadMessage`."""
        self._people[_key(person)] = person
        self._write()

    def remove(self, address: str) -> None:
        """Forget a person; raises `BadMessage` where nobody has the address."""
        if self._people.pop(email_key(address) or "", None) is None:
            raise BadMessage(f"nobody has the address {address!r}")
        self._write()

    def _write(self) -> None:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside = self._file.with_suffix(".new")
            beside.write_bytes(msgspec.json.format(msgspec.json.encode(self.all()), indent=2) + b"\n")
            beside.replace(self._file)


def directory(people: tuple[Person, ...] = PEOPLE, file: Path | None = None) -> Directory:
    """Make a directory of the people in `file`, or of `people` while there is none; raises `BadMessage`."""
    return Directory(read_people(file) if file is not None and file.exists() else people, file)


def read_people(file: Path) -> tuple[Person, ...]:
    """Read people from a JSON array of objects with the members of `Person`; raises `BadMessage`."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=tuple[Person, ...])
    except (OSError, msgspec.MsgspecError) as error:
        raise BadMessage(f"{file}: {error}") from error


def tenant_of(address: str) -> str:
    """Give the tenant of an address: its domain's, and the pretend platform's own for any other domain."""
    return TENANT_OF_DOMAIN.get((email_key(address) or "").rpartition("@")[2], DEV_TENANT_ID)


def tenant_of_person(person: Person) -> str:
    """Give the tenant of a person: their own, else that of the address."""
    return person.tenant or tenant_of(person.email)


def guid_from(*parts: str) -> str:
    """Derive a GUID that looks random (version 4) from `parts`."""
    digest = bytearray(hashlib.sha256("\n".join(parts).encode()).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x40, digest[8] & 0x3F | 0x80
    digits = digest.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def oid_of(tenant: str, address: str) -> str:
    """Give the object ID of a person in a tenant: the same for every application there."""
    oid = guid_from("oid", tenant, email_key(address) or address)
    # Personal accounts have object IDs whose first half is zero.
    return f"00000000-0000-0000-{oid[19:]}" if tenant == CONSUMER_TENANT else oid


def sub_of(tenant: str, oid: str, audience: str) -> str:
    """Give the pairwise subject: another one for each application."""
    return base64url_encode(hashlib.sha256(f"sub\n{tenant}\n{oid}\n{audience}".encode()).digest()).decode()


def _key(person: Person) -> str:
    key = email_key(person.email)
    if key is None:
        raise BadMessage(f"not an e-mail address: {person.email!r}")
    return key


def _name_of(address: str) -> str:
    local = address.partition("@")[0]
    return " ".join(part.capitalize() for part in local.replace("_", ".").replace("-", ".").split(".") if part)
