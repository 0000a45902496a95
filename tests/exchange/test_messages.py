import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.errors import DoorwardError
from doorward.exchange.envelope import ValidationFailed, refuse
from doorward.exchange.messages import LoginRequest, read_form, read_login, read_logout
from tests.support.visits import json_visit, visit

HONEST: dict[str, object] = {"email": "jane@contoso.com", "azure_ad_token": "a.b.c"}
CANARY = "never-repeat-me"
MISSING, STRING, BOOL, INT, VALUE = "missing", "string_type", "bool_type", "int_type", "value_error"


def login(body: bytes | dict[str, object], content_type: str = "application/json") -> LoginRequest:
    """Read a body."""
    return read_login(json_visit(content_type), body if isinstance(body, bytes) else json.dumps(body).encode())


def wrong(body: bytes | dict[str, object], content_type: str = "application/json") -> list[tuple[object, object]]:
    """Give `loc` and `type` of every wrong field."""
    with pytest.raises(ValidationFailed) as refused:
        login(body, content_type)
    assert all(set(item) == {"loc", "msg", "type"} for item in refused.value.items)
    return [(item["loc"], item["type"]) for item in refused.value.items]


def test_an_honest_body() -> None:
    """Two fields are enough; the others have their defaults."""
    assert login(HONEST) == LoginRequest(
        email="jane@contoso.com",
        azure_ad_token="a.b.c",
        full_name=None,
        auto_create=True,
        organization_id=None,
        nonce=None,
        unknown_fields=0,
    )


def test_a_whole_body() -> None:
    """Every field is read; the address and the name are trimmed, and unknown fields are counted."""
    body = {
        **HONEST, "email": " Jane@Contoso.com\n", "full_name": "  Jane Doe ", "auto_create": False,
        "organization_id": 7,
        "nonce": " n ", "client_id": 1, "x": {},
    }  # fmt: skip
    assert login(body) == LoginRequest(
        email="Jane@Contoso.com",
        azure_ad_token="a.b.c",
        full_name="Jane Doe",
        auto_create=False,
        organization_id=7,
        nonce=" n ",
        unknown_fields=2,
    )


@pytest.mark.parametrize("field", ["full_name", "auto_create", "organization_id", "nonce"])
def test_null_is_absent(field: str) -> None:
    """For the optional fields null counts as absent (reference 1.8)."""
    assert login({**HONEST, field: None}) == login(HONEST)


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("email", None, STRING), ("email", 1, STRING), ("email", True, STRING), ("email", [], STRING),
        ("email", {}, STRING),
        ("email", "", VALUE), ("email", " ", VALUE), ("email", "jane", VALUE), ("email", "jane@", VALUE),
        ("email", "a@b@c.d", VALUE), ("email", "j" * 250 + "@contoso.com", VALUE), ("email",
        "ja\0ne@contoso.com", VALUE),
        ("azure_ad_token", None, STRING), ("azure_ad_token", 1, STRING), ("azure_ad_token", [], STRING),
        ("azure_ad_token", {"a": 1}, STRING), ("azure_ad_token", False, STRING),
        ("full_name", 1, STRING), ("full_name", [], STRING), ("full_name", True, STRING), ("full_name", {}, STRING),
        ("full_name", "J" * 201, VALUE), ("full_name", "Ja\nne", VALUE), ("full_name", "Ja\0ne", VALUE),
        ("full_name", "Ja\u200bne", VALUE), ("full_name", "\u202eenaJ", VALUE), ("full_name", "Ja\x7fne", VALUE),
        ("auto_create", "true", BOOL), ("auto_create", "false", BOOL), ("auto_create", 1, BOOL),
        ("auto_create", 0, BOOL),
        ("auto_create", "", BOOL), ("auto_create", [], BOOL), ("auto_create", {}, BOOL),
        ("organization_id", "1", INT), ("organization_id", 1.0, INT), ("organization_id", 1.5, INT),
        ("organization_id", True, INT), ("organization_id", [], INT), ("organization_id", {}, INT),
        ("organization_id", 0, VALUE), ("organization_id", -1, VALUE), ("organization_id", -(10**30), VALUE),
        ("nonce", 1, STRING), ("nonce", [], STRING), ("nonce", True, STRING),
    ],
)  # fmt: skip
def test_wrong_fields(field: str, value: object, kind: str) -> None:
    """Types are not coerced; one item a wrong field, with its own `loc` and `type` (interface, 422)."""
    assert wrong({**HONEST, field: value}) == [(["body", field], kind)]


@pytest.mark.parametrize("value", ["", "   ", "J" * 200, "José Ñandú", "山田 太郎", "O'Neil-Smith", "😀"])
def test_names_that_are_fine(value: str) -> None:
    """Names of up to 200 characters in any script; a blank one is absent."""
    assert login({**HONEST, "full_name": value}).full_name == (value.strip() or None)


@pytest.mark.parametrize("number", [1, 2**31, 2**63 - 1, 2**63, 2**64, 10**19, 10**20 - 1])
def test_organizations_of_any_size(number: int) -> None:
    """An integer of any size passes the schema: an unknown one is for later to refuse."""
    assert login({**HONEST, "organization_id": number}).organization_id == number


@pytest.mark.parametrize("digits", [21, 40, 1000, 60_000])
def test_enormous_organizations(digits: int) -> None:
    """An integer of very many digits is an integer too, and costs nothing."""
    body = json.dumps(HONEST)[:-1] + ',"organization_id":' + "9" * digits + "}"
    assert login(body.encode()).organization_id == 10**20


def test_all_wrong_fields_at_once() -> None:
    """Every wrong field is named in one answer."""
    body: dict[str, object] = {"email": 1, "full_name": [], "auto_create": "no", "organization_id": 0, "nonce": {}}
    assert wrong(body) == [
        (["body", "email"], STRING), (["body", "azure_ad_token"], MISSING), (["body", "full_name"], STRING),
        (["body", "auto_create"], BOOL), (["body", "organization_id"], VALUE), (["body", "nonce"], STRING),
    ]  # fmt: skip
    assert wrong({}) == [(["body", "email"], MISSING), (["body", "azure_ad_token"], MISSING)]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", MISSING), (b" ", "json_invalid"), (b"{", "json_invalid"), (b"{}{}", "json_invalid"), (b"'",
        "json_invalid"),
        (b'{"email":}', "json_invalid"), (b"email=x", "json_invalid"), (b"\xef\xbb\xbf{}", "json_invalid"), (b"\xff",
        "json_invalid"),
        ("{}".encode("utf-16"), "json_invalid"), (b'{"x":1e400}', "json_invalid"), (b'{"x":NaN}', "json_invalid"),
        (b'{"x":"\\ud800"}', "json_invalid"), (b'{"email":"' + CANARY.encode(), "json_invalid"),
        (b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "json_invalid"), (b"[" * 60_000, "json_invalid"),
        (b'{"x":' * 40 + b"1" + b"}" * 40, "json_invalid"), (b"{}\0", "json_invalid"), (b"{}//", "json_invalid"),
        (b'{"email":"a@b","email":"a@b"}', VALUE), (b'{"x":{"a":1,"a":1}}', VALUE),
        (b'{"email":1,"\\u0065mail":1}', VALUE),
        (b"[]", VALUE), (b"null", VALUE), (b"1", VALUE), (b'"x"', VALUE), (b"true", VALUE),
    ],
)  # fmt: skip
def test_bodies_that_are_no_object(body: bytes, kind: str) -> None:
    """Malformed JSON, a duplicate name, another value or no body have `loc` ["body"] (interface, 422)."""
    assert wrong(body) == [(["body"], kind)]


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", " application/json ",
     'application/json; profile="x"', "application/json;"],
)  # fmt: skip
def test_content_types_of_json(content_type: str) -> None:
    """`application/json` in any case, with any parameters."""
    assert login(HONEST, content_type)


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", "application/jsonx",
     "application/json+x", "application/problem+json", "application/*", "application/json, text/plain", "json"],
)  # fmt: skip
def test_other_content_types(content_type: str) -> None:
    """A wrong Content-Type is a 422, never a 415 (reference 1.4)."""
    assert wrong(HONEST, content_type) == [(["body"], VALUE)]


@pytest.mark.parametrize("headers", [[], [("Content-Type", "application/json")] * 2])
def test_content_type_stands_once(headers: list[tuple[str, str]]) -> None:
    """A missing Content-Type, or two, is refused like a wrong one."""
    with pytest.raises(ValidationFailed):
        read_login(visit(*headers), json.dumps(HONEST).encode())


@given(body=st.dictionaries(st.sampled_from([*HONEST, "full_name", "organization_id", CANARY]), st.just(CANARY)))
def test_nothing_is_repeated(body: dict[str, object]) -> None:
    """Whatever is wrong, the answer does not repeat what was sent (reference 1.5)."""
    with pytest.raises(ValidationFailed) as refused:
        login({**body, "auto_create": CANARY})
    assert CANARY.encode() not in refuse(json_visit(), refused.value).body
    assert CANARY not in str(refused.value)


@given(body=st.binary(max_size=80))
def test_any_bytes(body: bytes) -> None:
    """Any bytes are refused as a body, and by nothing else."""
    with pytest.raises(ValidationFailed):
        login(body)


@pytest.mark.parametrize(
    ("body", "everything"),
    [
        (b"", False),
        (b" \n", False),
        (b"{}", False),
        (b'{"all":null}', False),
        (b'{"all":false}', False),
        (b'{"all":true}', True),
    ],
)
def test_logout(body: bytes, *, everything: bool) -> None:
    """The body of a logout may be absent; `all` is a boolean."""
    assert read_logout(json_visit(), body) is everything


@pytest.mark.parametrize("body", [b'{"all":1}', b'{"all":"true"}', b"[]", b"{", b'{"all":true,"all":true}'])
def test_logout_refuses(body: bytes) -> None:
    """Another body is a 422."""
    with pytest.raises(ValidationFailed):
        read_logout(json_visit(), body)


# --- forms ---------------------------------------------------------------------------------------------------------

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}), (b"a=1&b=2", {"a": "1", "b": "2"}), (b"a=", {}), (b"a", {}), (b"a=x+y%20z", {"a": "x y z"}),
        (b"a=%C3%A9", {"a": "é"}), (b"a=1;b=2", {"a": "1;b=2"}), (b"%61=1", {"a": "1"}), (b"&&a=1&", {"a": "1"}),
    ],
)  # fmt: skip
def test_forms(body: bytes, form: dict[str, str]) -> None:
    """Forms are read as RFC 6749 appendix B says; empty parameters count as absent."""
    assert read_form(visit(("Content-Type", f"{FORM}; charset=UTF-8")), body) == form


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"a=1&a=2", FORM), (b"a=1&%61=2", FORM), (b"a=1&a=", FORM), (b"a=\xff", FORM), (b"a=%FF", FORM), (b"a=1",
    "text/plain"),
     (b"&".join(b"p%d=1" % n for n in range(40)), FORM), (b"a=1", "application/json"), (b"a=1", "")],
)  # fmt: skip
def test_forms_that_are_refused(body: bytes, content_type: str) -> None:
    """A repeated parameter, other encodings, too many parameters and other types are `invalid_request`."""
    with pytest.raises(DoorwardError) as refused:
        read_form(visit(("Content-Type", content_type)), body)
    assert refused.value.code == "invalid_request"
