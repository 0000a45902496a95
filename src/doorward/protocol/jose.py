"""JOSE, the reading half: compact tokens, key sets and RS256 signatures (RFC 7515, 7517, 7518).

Owns what may stand in a provider's token before anybody looks at a claim. Deliberately narrow: one algorithm unless the
caller names others, never one that the token chooses, a closed list of header parameters, canonical encoding only.
Symmetric keys have no place in this file, so a public key can never be taken for an HMAC secret (token-exchange
reference 2.5, 2.6, 2.13). Keys of other algorithms are read in `algorithms`.
"""

import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import lru_cache
from types import MappingProxyType
from typing import cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from doorward.base.frozen import frozen
from doorward.base.strict_json import FEW_PARTS, NotStrictJson, decode_object
from doorward.protocol.refusal import Check, TokenRefused

MAX_TOKEN = 16 * 1024
MAX_KID = 256
RS256 = "RS256"
ONLY_RS256 = frozenset({RS256})
RSA_BITS = range(2048, 8193)
RSA_EXPONENT = 65537
MAX_KEYS = 256
ID_TOKEN_TYPES = frozenset({"JWT"})
BEARER_TYPES = frozenset({"JWT", "AT+JWT", "APPLICATION/AT+JWT"})
"""What a bearer may call itself: access tokens have a type of their own (RFC 9068 section 2.1)."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Characters that base64url does not have become one that base64 does not have either.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
_TO_BASE64URL = bytes.maketrans(b"+/", b"-_")
# With which characters a canonical part may end, by its length modulo 4: the bits that no byte takes are zero.
_LAST = {1: b"", 2: b"AQgw", 3: b"AEIMQUYcgkosw048"}
_KNOWN_HEADERS = 64
_KNOWN_HEADER_MAX = 1024  # a header of Entra has about 130 characters
_FORBIDDEN_HEADERS = frozenset(
    {"crit", "jku", "x5u", "jwk", "x5c", "b64", "zip", "enc", "cty", "epk", "p2c", "p2s", "apu", "apv", "iv", "tag"}
)
_PADDING = PKCS1v15()
_HASH = SHA256()

COMPACT_FORM = Check(
    name="compact form",
    demands="three non-empty base64url parts of together at most 16 KiB, canonically encoded",
    source="RFC 7515 section 7.1; reference 2.6",
)
HEADER = Check(
    name="header",
    demands="a JSON object with alg RS256 (a custom provider's may be another one), a kid of at most 256 characters, "
    "typ absent or JWT, and nothing that brings its own key, compression or critical extensions",
    source="RFC 8725; reference 2.5",
)
PAYLOAD = Check(
    name="payload",
    demands="a UTF-8 JSON object without duplicate names, nested at most 32 levels, of at most 1024 values",
    source="RFC 7519 section 7.2; reference 2.6",
)
SIGNATURE = Check(
    name="signature",
    demands="a signature by its algorithm and by a key that the issuer publishes under the token's kid",
    source="RFC 7515 section 5.2; reference 2.6",
)


@frozen
class UnverifiedToken:
    """A well-formed compact token whose signature nobody has checked yet.

    `unverified_claims` may be used to look up a key among configured ones and for nothing else.
    """

    kid: str
    header: Mapping[str, object]
    unverified_claims: Mapping[str, object]
    signing_input: bytes
    signature: bytes = field(repr=False)

    @property
    def algorithm(self) -> str:
        """Give the header's `alg`, which was among those that the reader allowed."""
        return str(self.header["alg"])


@frozen
class ProviderKey:
    """One usable RSA key of a provider; `issuer` is the key's own issuer, where the document names one."""

    kid: str
    issuer: str | None
    public: RSAPublicKey
    modulus: int


@frozen
class OtherKey:
    """One usable key of a provider that signs by another algorithm than RS256: by those in `algorithms`."""

    kid: str
    algorithms: frozenset[object]
    verifies: Callable[[str, bytes, bytes], bool] = field(repr=False)


@frozen(kw_only=False)
class KeySet:
    """The usable keys of one key document, by `kid`; `others` verify everything but RS256."""

    by_kid: Mapping[str, tuple[ProviderKey, ...]]
    others: Mapping[str, tuple[OtherKey, ...]] = field(default_factory=dict[str, tuple[OtherKey, ...]])

    def find(self, kid: str) -> tuple[ProviderKey, ...]:
        """Give the keys published under `kid`; none when there is none."""
        return self.by_kid.get(kid, ())

    def find_other(self, kid: str) -> tuple[OtherKey, ...]:
        """Give the keys of other algorithms that are published under `kid`; none when there is none."""
        return self.others.get(kid, ())

    def __iter__(self) -> Iterator[ProviderKey]:
        """Go through all keys."""
        for keys in self.by_kid.values():
            yield from keys

    def __len__(self) -> int:
        """Count the keys."""
        return sum(map(len, self.by_kid.values()))


def base64url_decode(part: bytes) -> bytes:
    """Decode unpadded base64url.

    Only the canonical spelling is taken: decoders that skip unknown characters or ignore trailing bits make many
    strings out of one token. Raises `ValueError` for any other.
    """
    over = len(part) % 4
    try:
        decoded = binascii.a2b_base64(part.translate(_TO_BASE64) + b"=" * (-over % 4), strict_mode=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if over and part[-1] not in _LAST[over]:
        raise ValueError("not canonical base64url")
    return decoded


def base64url_encode(raw: bytes) -> bytes:
    """Encode as base64url without padding (RFC 7515 section 2)."""
    return binascii.b2a_base64(raw, newline=False).translate(_TO_BASE64URL).rstrip(b"=")


def read_compact(
    token: str, types: frozenset[str] = ID_TOKEN_TYPES, algorithms: frozenset[str] = ONLY_RS256
) -> UnverifiedToken:
    """Read a provider's token in compact form; checks everything that can be checked without a key.

    `types` are the values that the header's `typ` may have, in capitals: an access token that says so is no id_token
    (RFC 8725 section 3.11). `algorithms` are those that its `alg` may have. Raises
    `TokenRefused` by `COMPACT_FORM`, `HEADER` or `PAYLOAD`.
    """
    if len(token) > MAX_TOKEN:
        raise TokenRefused(COMPACT_FORM, f"longer than {MAX_TOKEN} characters")
    if _COMPACT.fullmatch(token) is None:
        raise TokenRefused(COMPACT_FORM, _why_not_compact(token))
    head, body, tail = token.encode().split(b".")
    kid, header = _read_header(head, types, algorithms)
    return UnverifiedToken(
        kid=kid,
        header=header,
        unverified_claims=_read_object(body, PAYLOAD),
        signing_input=head + b"." + body,
        signature=_decode_part(tail, COMPACT_FORM),
    )


def verify_rs256(token: UnverifiedToken, key: ProviderKey) -> bool:
    """Say whether `key` made the token's signature (RSASSA-PKCS1-v1_5 with SHA-256, RFC 7518 section 3.3).

    A token that says it is signed in another way is not, whatever its signature.
    """
    if token.header.get("alg") != RS256:
        return False
    try:
        key.public.verify(token.signature, token.signing_input, _PADDING, _HASH)
    except InvalidSignature:
        return False
    return True


def verify_signature(token: UnverifiedToken, key: ProviderKey | OtherKey) -> bool:
    """Say whether `key` made the token's signature, by an algorithm that both of them name."""
    if isinstance(key, ProviderKey):
        return verify_rs256(token, key)
    return token.algorithm in key.algorithms and key.verifies(token.algorithm, token.signing_input, token.signature)


def parse_key_set(document: bytes) -> KeySet:
    """Read a JWK set (RFC 7517 section 5) and keep the keys that may sign for a provider.

    A key of another type, use, algorithm, size or exponent is left out: it cannot verify anything here. Raises
    `ValueError` when the document is not a JWK set or holds no usable key, so that it never replaces a good one.
    """
    try:
        members = decode_object(document).get("keys")
    except NotStrictJson as error:
        raise ValueError(f"the key document is {error}") from error
    if not isinstance(members, list):
        raise ValueError("the key document has no array named keys")  # noqa: TRY004 - bad input, not a caller's mistake
    by_kid: dict[str, tuple[ProviderKey, ...]] = {}
    for member in cast("list[object]", members)[:MAX_KEYS]:
        key = _usable_key(member)
        if key is not None:
            by_kid[key.kid] = (*by_kid.get(key.kid, ()), key)
    if not by_kid:
        raise ValueError("the key document holds no usable signing key")
    return KeySet(by_kid)


def _why_not_compact(token: str) -> str:
    parts = token.count(".") + 1
    if parts == 5:
        return "five parts: an encrypted token (JWE)"
    if parts != 3:
        return f"{parts} parts instead of three"
    return "an empty part, or characters that are not base64url"


def _decode_part(part: bytes, check: Check) -> bytes:
    try:
        return base64url_decode(part)
    except ValueError as error:
        raise TokenRefused(check, str(error)) from error


def _read_object(part: bytes, check: Check) -> dict[str, object]:
    try:
        return decode_object(_decode_part(part, check), FEW_PARTS)
    except NotStrictJson as error:
        raise TokenRefused(check, str(error)) from error


def _read_header(head: bytes, types: frozenset[str], algorithms: frozenset[str]) -> tuple[str, Mapping[str, object]]:
    """Read a header and give its kid; all tokens under one key have the same, so those that passed are remembered.

    Long ones are not: anybody can send a header that passes, and none of them may fill the memory.
    """
    read = _read_short_header if len(head) <= _KNOWN_HEADER_MAX else _read_any_header
    return read(head, types, algorithms)


def _read_any_header(
    head: bytes, types: frozenset[str], algorithms: frozenset[str]
) -> tuple[str, Mapping[str, object]]:
    header = MappingProxyType(_read_object(head, HEADER))
    return _check_header(header, types, algorithms), header


_read_short_header = lru_cache(_KNOWN_HEADERS)(_read_any_header)


def _check_header(header: Mapping[str, object], types: frozenset[str], algorithms: frozenset[str]) -> str:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise TokenRefused(HEADER, f"alg is not {' or '.join(sorted(algorithms))}")
    for name in _FORBIDDEN_HEADERS.intersection(header):
        raise TokenRefused(HEADER, f"the header parameter {name} is not allowed")
    if "nonce" in header:
        # Microsoft Graph's access tokens carry a nonce in the header and cannot be verified by anybody else.
        raise TokenRefused(HEADER, "a nonce in the header marks an access token for Microsoft Graph")
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.upper() not in types:
        raise TokenRefused(HEADER, f"typ is not {' or '.join(sorted(types))}")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise TokenRefused(HEADER, f"kid is not a string of 1 to {MAX_KID} characters")
    return kid


def _usable_key(member: object) -> ProviderKey | None:
    if not isinstance(member, dict):
        return None
    jwk = cast("dict[str, object]", member)
    kid, issuer = jwk.get("kid"), jwk.get("issuer")
    if jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig" or jwk.get("alg", "RS256") != "RS256":
        return None
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID or not isinstance(issuer, str | None):
        return None
    modulus, exponent = _number(jwk.get("n")), _number(jwk.get("e"))
    if exponent != RSA_EXPONENT or modulus.bit_length() not in RSA_BITS or modulus % 2 == 0:
        return None
    return ProviderKey(kid=kid, issuer=issuer, public=RSAPublicNumbers(exponent, modulus).public_key(), modulus=modulus)


def _number(value: object) -> int:
    """Read a Base64urlUInt (RFC 7518 section 2); 0, which no key rule admits, for anything else."""
    if not isinstance(value, str) or len(value) > MAX_TOKEN:
        return 0
    try:
        return int.from_bytes(base64url_decode(value.encode()), "big")
    except ValueError:
        return 0
