"""The `sid` of a session token: a short name for somebody, derived from what the provider calls them.

Easy-auth reference 3.1. A compatible derivation, not a secret and not a contract: whoever knows the identifier can
compute it.
"""

import hashlib
from uuid import UUID

from doorward.identity.person import Identity


def sid_of(identifier: str) -> str:
    """Give `sid:` and 32 hexadecimal digits: the MD5 of the identifier in UTF-8, written as .NET writes a GUID."""
    digest = hashlib.md5(identifier.encode(), usedforsecurity=False).digest()
    return f"sid:{UUID(bytes_le=digest).hex}"


def stable_sid(identity: Identity) -> str:
    """Give `stable_sid`, from what the provider never changes: aad's oid, everybody else's nameidentifier."""
    return sid_of(identity.principal_id)


def login_sid(identity: Identity) -> str:
    """Give `sub`, from the login name (aad: the UPN); another one when the person is renamed."""
    return sid_of(identity.user_id)
