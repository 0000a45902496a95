"""Who lives in the pretend tenants.

A person is known by e-mail address. Everything that identifies a person to an application is derived from it by
hashing, so the same address is the same person in every process and after every restart.
"""

import hashlib
from dataclasses import dataclass
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


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who can sign in. `guest` people sign in at the pretend platform's tenant, not at their own."""

    email: str
    name: str
    guest: bool = False


PEOPLE = (
    Person(email="jane@contoso.com", name="Jane Doe"),
    Person(email="omar@contoso.com", name="Omar Haddad"),
    Person(email="lena@fabrikam.com", name="Lena Berg"),
    Person(email="gia@fabrikam.com", name="Gia Rossi", guest=True),
    Person(email="sam@outlook.com", name="Sam Okafor"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The people that are known by name, by the form in which addresses are compared."""

    by_address: dict[str, Person]

    def find(self, address: str) -> Person:
        """Give the person with an address; a stranger is named after it. Raises `BadMessage` for no address."""
        key = email_key(address)
        if key is None:
            raise BadMessage(f"not an e-mail address: {address!r}")
        return self.by_address.get(key) or Person(email=address.strip(), name=_name_of(key))


def directory(people: tuple[Person, ...] = PEOPLE) -> Directory:
    """Make a directory of `people`; raises `BadMessage` when an address is none."""
    if odd := [person.email for person in people if email_key(person.email) is None]:
        raise BadMessage(f"not an e-mail address: {odd[0]!r}")
    return Directory(by_address={email_key(person.email) or "": person for person in people})


def read_people(file: Path) -> tuple[Person, ...]:
    """Read people from a JSON array of objects with `email`, `name` and `guest`; raises `BadMessage`."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=tuple[Person, ...])
    except (OSError, msgspec.MsgspecError) as error:
        raise BadMessage(f"{file}: {error}") from error


def tenant_of(address: str) -> str:
    """Give the tenant of an address: its domain's, and the pretend platform's own for any other domain."""
    return TENANT_OF_DOMAIN.get((email_key(address) or "").rpartition("@")[2], DEV_TENANT_ID)


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


def _name_of(address: str) -> str:
    local = address.partition("@")[0]
    return " ".join(part.capitalize() for part in local.replace("_", ".").replace("-", ".").split(".") if part)
