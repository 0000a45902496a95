import base64
import hashlib
import hmac
from collections.abc import Mapping

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from doorward.protocol import jose
from doorward.protocol.jose import base64url_decode, base64url_encode, parse_key_set, read_compact
from doorward.protocol.refusal import TokenRefused
from tests.support.entra import Bench, claims, header, mint, mint_raw, sign_parts, signer

COMPACT, HEADER, PAYLOAD, SIGNATURE = (
    check.name for check in (jose.COMPACT_FORM, jose.HEADER, jose.PAYLOAD, jose.SIGNATURE)
)


def encoded(value: object) -> bytes:
    """Give a JSON value as one part of a token."""
    return base64url_encode(msgspec.json.encode(value))


def raw_header(text: bytes) -> str:
    """Sign an honest payload under a header of these bytes."""
    return mint_raw(text, msgspec.json.encode(claims()))


def raw_payload(text: bytes) -> str:
    """Sign a payload of these bytes under an honest header."""
    return mint_raw(msgspec.json.encode(header()), text)


def hmac_token(secret: bytes, **changes: object) -> str:
    """Sign with HMAC under `secret`, as an attacker does who knows the public key."""
    signing_input = encoded(header(**changes)) + b"." + encoded(claims())
    return (signing_input + b"." + base64url_encode(hmac.digest(secret, signing_input, hashlib.sha256))).decode()


def trailing_bits(part: bytes) -> bytes:
    """Spell a part that needs padding with trailing bits set: the same bytes to a careless decoder."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + bytes([alphabet[alphabet.index(part[-1:]) ^ 1]])


def padded(size: int) -> bytes:
    """Give honest claims as JSON of a length that leaves `size` octets over a multiple of three."""
    text = msgspec.json.encode(claims())
    while len(text) % 3 != size:
        text += b" "
    return text


HONEST = mint()
HEAD, BODY, TAIL = HONEST.split(".")
PUBLIC_PEM = signer("shared").private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PUBLIC_DER = signer("shared").private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PUBLIC_PKCS1 = signer("shared").private.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)

ALGORITHMS: list[object] = [
    "none", "None", "NONE", "nOnE", "", "rs256", "Rs256", "RS256 ", " RS256", "RS256\x00", "RS384", "RS512", "PS256",
    "PS384", "PS512", "HS256", "HS384", "HS512", "ES256", "ES256K", "ES384", "EdDSA", "RSA1_5", "RSA-OAEP", "dir",
    "ＲＳ256", ["RS256"], {"RS256": 1}, None, 256, True, ...,
]  # fmt: skip
TYPES: list[object] = [
    "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "JWE",
    "JOSE",
    "JWT ", " JWT", "", "ＪＷＴ", None, 1, True, ["JWT"], {"typ": "JWT"},
]  # fmt: skip
FORBIDDEN: dict[str, list[object]] = {
    "crit": [["exp"], [], ["b64"], None],
    "jku": ["https://evil.example/keys", "http://169.254.169.254/latest", "", None],
    "x5u": ["https://evil.example/cert.pem", None],
    "jwk": [signer("stranger").jwk(), {}, None],
    "x5c": [["MIIB"], [], None],
    "b64": [False, True, None],
    "zip": ["DEF", None],
    "enc": ["A256GCM", None],
    "cty": ["JWT", None],
    "epk": [{}, None],
    "p2c": [1, 2**31, None],
    "p2s": ["c2FsdA"],
    "nonce": ["AQABAAAAAAD", "", None],
}
KIDS: list[object] = [
    ..., None, "", 0, 1, True, [], ["kid-shared"], {"kid": "kid-shared"}, "k" * 257, "k" * 4000,
]  # fmt: skip
UNKNOWN_KIDS = [
    "../../../../dev/null", "/etc/passwd", "file:///dev/null", "' OR '1'='1", "x'; DROP TABLE keys;--", "$(id)", "`id`",
    "|id", "https://evil.example/key", "http://localhost:8081/", "kid-shared\n", "kid-shared\x00", "KID-SHARED",
    " kid-shared", "%6bid-shared", "kid-consumer", "__class__", "k" * 256, "ключ", "{{7*7}}",
]  # fmt: skip

SPELLINGS: dict[str, tuple[str, str]] = {
    "empty": ("", COMPACT),
    "a word": ("token", COMPACT),
    "two dots": ("..", COMPACT),
    "one part": (HEAD, COMPACT),
    "two parts": (f"{HEAD}.{BODY}", COMPACT),
    "four parts": (f"{HONEST}.{TAIL}", COMPACT),
    "five parts": (f"{HEAD}.{BODY}.{TAIL}.{TAIL}.{TAIL}", COMPACT),
    "direct encryption: five parts, one empty": (f"{HEAD}..{BODY}.{TAIL}.{TAIL}", COMPACT),
    "no header": (f".{BODY}.{TAIL}", COMPACT),
    "detached payload": (f"{HEAD}..{TAIL}", COMPACT),
    "no signature": (f"{HEAD}.{BODY}.", COMPACT),
    "space before": (f" {HONEST}", COMPACT),
    "space after": (f"{HONEST} ", COMPACT),
    "line break after": (f"{HONEST}\n", COMPACT),
    "line break inside": (f"{HEAD}.{BODY[:10]}\n{BODY[10:]}.{TAIL}", COMPACT),
    "tab inside": (f"{HEAD}.{BODY[:10]}\t{BODY[10:]}.{TAIL}", COMPACT),
    "byte order mark": (f"\ufeff{HONEST}", COMPACT),
    "NUL after": (f"{HONEST}\0", COMPACT),
    "scheme before": (f"Bearer {HONEST}", COMPACT),
    "quoted": (f'"{HONEST}"', COMPACT),
    "full-width dot": (HONEST.replace(".", "．", 1), COMPACT),
    "non-ASCII letter": (f"{HEAD}.{BODY}é.{TAIL}", COMPACT),
    "a surrogate": (f"{HEAD}.{BODY}\ud800.{TAIL}", COMPACT),
    "padding on the signature": (f"{HEAD}.{BODY}.{TAIL}==", COMPACT),
    "padding on the header": (f"{HEAD}=.{BODY}.{TAIL}", COMPACT),
    "other alphabet": (f"{HEAD}.{BODY}.{TAIL[:-2]}+/", COMPACT),
    "percent-encoded dot": (HONEST.replace(".", "%2E"), COMPACT),
    "JSON serialization": ('{"payload":"e30","signatures":[]}', COMPACT),
    "trailing bits in the signature": (f"{HEAD}.{BODY}.{trailing_bits(TAIL.encode()).decode()}", COMPACT),
    "one letter as signature": (f"{HEAD}.{BODY}.A", COMPACT),
    "16 KiB and one": (f"{HEAD}.{'A' * (jose.MAX_TOKEN - len(HEAD) - len(TAIL) - 1)}.{TAIL}", COMPACT),
    "a megabyte": ("A" * (1 << 20), COMPACT),
    "a megabyte of dots": ("." * (1 << 20), COMPACT),
    "trailing bits in the payload": (
        sign_parts(encoded(header()), trailing_bits(base64url_encode(padded(1)))), PAYLOAD,
    ),
    "one letter too many in the payload": (sign_parts(encoded(header()), base64url_encode(padded(0)) + b"A"), PAYLOAD),
    "one letter as header": (f"e.{BODY}.{TAIL}", HEADER),
    "another signature of the right length": (f"{HEAD}.{BODY}.{base64url_encode(bytes(256)).decode()}", SIGNATURE),
    "psychic: r = s = 0": (f"{HEAD}.{BODY}.{base64url_encode(bytes(64)).decode()}", SIGNATURE),
    "short signature": (f"{HEAD}.{BODY}.AA", SIGNATURE),
    "signature with a zero before it": (
        f"{HEAD}.{BODY}.{base64url_encode(bytes(1) + base64url_decode(TAIL.encode())).decode()}", SIGNATURE,
    ),
    "a stranger's signature": (mint(by="stranger"), SIGNATURE),
    "another payload": (f"{HEAD}.{encoded(claims(oid='x')).decode()}.{TAIL}", SIGNATURE),
    "another header": (f"{encoded(header(x='y')).decode()}.{BODY}.{TAIL}", SIGNATURE),
    "HS256 with the public key, honest header": (hmac_token(PUBLIC_PEM), SIGNATURE),
}  # fmt: skip
CONFUSED = {
    f"{alg} with the public key as {form}": hmac_token(key, alg=alg)
    for alg in ("HS256", "HS384", "HS512")
    for form, key in {"PEM": PUBLIC_PEM, "PKCS 1": PUBLIC_PKCS1, "DER": PUBLIC_DER, "nothing": b""}.items()
}
BAD_JSON: dict[str, bytes] = {
    "empty object's start": b"{",
    "array": b"[]",
    "string": b'"RS256"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "too large a number": b'{"a":1e999}',
    "trailing comma": b'{"a":1,}',
    "comment": b'{"a":1}//',
    "two values": b"{}{}",
    "NUL after": b"{}\0",
    "control character": b'{"a":"\n"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "Latin-1": b'{"a":"\xe9"}',
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "encoded surrogate": b'{"a":"\xed\xa0\x80"}',
    "half a pair": b'{"a":"\\ud800"}',
    "half a pair as name": b'{"\\udfff":1}',
    "duplicate": b'{"a":1,"a":1}',
    "duplicate by escape": b'{"alg":"RS256","\\u0061lg":"none"}',
    "duplicate below": b'{"x":[{"a":1,"a":2}]}',
    "33 levels": b'{"a":' * 33 + b"1" + b"}" * 33,
    "thousands of levels": b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "unclosed levels": b"[" * 9000,
    "single quotes": b"{'a':1}",
}


def test_an_honest_token_passes() -> None:
    """The tables below prove something, because the token that they spoil is accepted."""
    assert Bench().refused_by(HONEST) is None


@pytest.mark.parametrize(
    "head",
    [header(typ=...), header(typ="jwt"), header(typ="Jwt"), header(x5t="x"), header(x5t=1), header(unknown={"a": 1})],
)
def test_honest_headers_pass(head: Mapping[str, object]) -> None:
    """`typ` may be absent or in any case, and unknown parameters are ignored (reference 2.5)."""
    assert Bench().refused_by(mint(head=head)) is None


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_are_refused(name: str) -> None:
    """Every other spelling of a token is refused, by the check that owns the rule (reference 2.6, 2.13)."""
    token, check = SPELLINGS[name]
    assert Bench().refused_by(token) == check


@pytest.mark.parametrize("name", CONFUSED)
def test_algorithm_confusion_is_refused(name: str) -> None:
    """A public key is never an HMAC secret (reference 2.13)."""
    assert Bench().refused_by(CONFUSED[name]) == HEADER


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_only_rs256_is_known(alg: object) -> None:
    """`alg` is exactly RS256, even where the signature is a good RS256 signature (reference 2.5)."""
    assert Bench().refused_by(mint(head=header(alg=alg))) == HEADER


@pytest.mark.parametrize("typ", TYPES)
def test_other_types_are_refused(typ: object) -> None:
    """`typ` is absent or JWT; every other kind of token is refused (reference 2.5)."""
    assert Bench().refused_by(mint(head=header(typ=typ))) == HEADER


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FORBIDDEN.items() for value in values])
def test_forbidden_parameters_are_refused(name: str, value: object) -> None:
    """Whatever brings its own key, compression or extension is refused, null included (reference 2.5)."""
    assert Bench().refused_by(mint(head=header(**{name: value}))) == HEADER


@pytest.mark.parametrize("kid", KIDS)
def test_kid_must_be_a_short_string(kid: object) -> None:
    """`kid` is a string of 1 to 256 characters (reference 2.5)."""
    assert Bench().refused_by(mint(head=header(kid=kid))) == HEADER


@pytest.mark.parametrize("kid", UNKNOWN_KIDS)
def test_kid_is_a_lookup_and_nothing_else(kid: str) -> None:
    """A `kid` that is no published name finds no key, whatever it looks like (reference 2.13)."""
    assert Bench().refused_by(mint(head=header(kid=kid))) == SIGNATURE


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_is_refused(name: str) -> None:
    """Header and payload are strict JSON objects (reference 2.6)."""
    text = BAD_JSON[name]
    assert Bench().refused_by(raw_header(text)) == HEADER
    if text:
        assert Bench().refused_by(raw_payload(text)) == PAYLOAD


def test_a_duplicate_in_an_honest_payload_is_refused() -> None:
    """Of two equal names neither is believed, even under a good signature (reference 2.13)."""
    honest = msgspec.json.encode(claims())
    assert Bench().refused_by(raw_payload(honest)) is None
    assert Bench().refused_by(raw_payload(honest[:-1] + b',"tid":"x"}')) == PAYLOAD


def test_the_limit_is_16_kib() -> None:
    """A token of exactly 16 KiB is read; one character more is refused undecoded (reference 2.6)."""
    body = "e30"
    head = "A" * (jose.MAX_TOKEN - len(body) - 4)
    with pytest.raises(TokenRefused) as refused:
        read_compact(f"{head}.{body}.AA")
    assert refused.value.check is jose.HEADER
    with pytest.raises(TokenRefused, match="longer"):
        read_compact(f"{head}A.{body}.AA")


def test_the_longest_kid_is_looked_up() -> None:
    """256 characters are allowed."""
    assert read_compact(mint(head=header(kid="k" * 256))).kid == "k" * 256


def test_long_headers_are_not_remembered() -> None:
    """Anybody can send a header that passes; one that is longer than any of Entra's takes no memory."""
    long = header(kid="k", padding="x" * 2000)
    before = jose._read_short_header.cache_info()
    assert read_compact(mint(head=long)).header == long
    assert jose._read_short_header.cache_info() == before


def test_a_part_has_few_values() -> None:
    """A token made of brackets costs nothing to refuse."""
    many = b'{"x":[' + b"{}," * 3000 + b"1]}"
    assert Bench().refused_by(raw_header(many)) == HEADER
    with pytest.raises(TokenRefused) as refused:
        read_compact(raw_payload(many))
    assert refused.value.check is jose.PAYLOAD


def test_a_token_does_not_show_its_signature() -> None:
    """What is logged of a token by accident has no signature in it."""
    token = read_compact(HONEST)
    assert repr(token.signature)[2:20] not in repr(token)


# --- key documents -----------------------------------------------------------------------------------------------


def document(*members: object) -> bytes:
    """Write a key document."""
    return msgspec.json.encode({"keys": members})


def b64(number: int) -> str:
    """Encode a Base64urlUInt."""
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


GOOD = signer("shared").jwk()
UNUSABLE: dict[str, object] = {
    "not an object": "key",
    "null": None,
    "another type": {**GOOD, "kty": "EC"},
    "symmetric": {"kty": "oct", "k": "c2VjcmV0", "kid": "kid-shared"},
    "type in lower case": {**GOOD, "kty": "rsa"},
    "no type": {name: value for name, value in GOOD.items() if name != "kty"},
    "for encryption": {**GOOD, "use": "enc"},
    "use null": {**GOOD, "use": None},
    "another algorithm": {**GOOD, "alg": "RS512"},
    "HMAC": {**GOOD, "alg": "HS256"},
    "no kid": {name: value for name, value in GOOD.items() if name != "kid"},
    "empty kid": {**GOOD, "kid": ""},
    "long kid": {**GOOD, "kid": "k" * 257},
    "kid a number": {**GOOD, "kid": 1},
    "issuer a number": {**GOOD, "issuer": 1},
    "no modulus": {name: value for name, value in GOOD.items() if name != "n"},
    "modulus a number": {**GOOD, "n": 1},
    "modulus not base64url": {**GOOD, "n": GOOD["n"] + "="},
    "modulus not ASCII": {**GOOD, "n": "é"},
    "empty modulus": {**GOOD, "n": ""},
    "1024 bits": {**GOOD, "n": b64((1 << 1023) + 1)},
    "2047 bits": {**GOOD, "n": b64((1 << 2046) + 1)},
    "8193 bits": {**GOOD, "n": b64((1 << 8192) + 1)},
    "a million bits": {**GOOD, "n": "A" + "B" * 200_000},
    "even modulus": {**GOOD, "n": b64(1 << 2047)},
    "exponent 1": {**GOOD, "e": "AQ"},
    "exponent 3": {**GOOD, "e": "Aw"},
    "exponent 65539": {**GOOD, "e": b64(65539)},
    "even exponent": {**GOOD, "e": b64(65536)},
    "no exponent": {name: value for name, value in GOOD.items() if name != "e"},
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_keys_are_left_out(name: str) -> None:
    """A key that the rules of 2.5 do not admit is left out; alone, it makes the document unusable."""
    good = signer("other").jwk()
    assert [key.kid for key in parse_key_set(document(UNUSABLE[name], good))] == ["kid-other"]
    with pytest.raises(ValueError, match="no usable"):
        parse_key_set(document(UNUSABLE[name]))


@pytest.mark.parametrize(
    "member",
    [
        {name: value for name, value in GOOD.items() if name != "use"},
        {**GOOD, "alg": "RS256"},
        {**GOOD, "x5c": ["MII"], "key_ops": ["verify"]},
        {**GOOD, "n": b64((1 << 2047) + 1)},
        {**GOOD, "n": b64((1 << 8191) + 1)},
    ],
)
def test_usable_keys_are_kept(member: object) -> None:
    """2048 to 8192 bits, use absent or sig, alg absent or RS256 (reference 2.5)."""
    assert len(parse_key_set(document(member))) == 1


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[]", b"null", b'{"keys":{}}', b'{"keys":null}', b'{"keys":[]}', b'{"keys":[],"keys":[]}', b"\xff"],
)
def test_no_key_document(raw: bytes) -> None:
    """What is not a JWK set is refused whole, so that it never replaces a good one."""
    with pytest.raises(ValueError, match="key document"):
        parse_key_set(raw)


def test_two_keys_of_one_name_are_both_found() -> None:
    """Two keys under one `kid` are both tried."""
    twin = {**signer("other").jwk(), "kid": "kid-shared"}
    assert len(parse_key_set(document(GOOD, twin)).find("kid-shared")) == 2


def test_only_so_many_keys_are_read() -> None:
    """A document of very many keys is cut."""
    assert len(parse_key_set(document(*[{**GOOD, "kid": f"k{n}"} for n in range(300)]))) == jose.MAX_KEYS
