"""Sealing: what is stored but must be readable again, under AES-256-GCM (NIST SP 800-38D).

A sealed value is a version byte, the 8-byte id of the sealing key, a 12-byte nonce and the ciphertext with its tag. The
context (table, column, row) is authenticated with it, so that a value copied into another row does not open.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorward.base.entropy import Entropy

_VERSION = b"\x01"
_NONCE = 12
_ID = 8


class NotOpened(Exception):
    """The value was sealed with another key, for another place, or was changed."""


class Sealer:
    """Seals and opens values with one key."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        """Derive the sealing key of `purpose` from `secret`: one secret never serves two purposes directly."""
        key = derive(secret, f"seal:{purpose}")
        self._cipher = AESGCM(key)
        self._prefix = _VERSION + hashlib.sha256(b"id:" + key).digest()[:_ID]

    def seal(self, plain: bytes, context: str, entropy: Entropy) -> bytes:
        """Seal `plain` for the place that `context` names."""
        nonce = entropy.draw(_NONCE)
        return self._prefix + nonce + self._cipher.encrypt(nonce, plain, self._prefix + context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Open what was sealed for `context`; raises `NotOpened`."""
        prefix, rest = sealed[: len(self._prefix)], sealed[len(self._prefix) :]
        if prefix != self._prefix:
            raise NotOpened("sealed with another key")
        try:
            return self._cipher.decrypt(rest[:_NONCE], rest[_NONCE:], prefix + context.encode())
        except (InvalidTag, ValueError) as error:
            raise NotOpened("changed, or sealed for another place") from error


def derive(secret: bytes, purpose: str) -> bytes:
    """Derive 32 bytes for one purpose from a secret (one block of HKDF-Expand with SHA-256, RFC 5869 section 2.3)."""
    return hmac.digest(secret, b"doorward " + purpose.encode() + b"\x01", "sha256")
