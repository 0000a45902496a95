"""How JSON values are printed as claims."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.identity.claims import IN_PROFILES, Claim, first_value, printed

VALUES: list[tuple[object, list[str]]] = [
    ("text", ["text"]),
    ("", [""]),
    ("1.50", ["1.50"]),
    ("Ålesund \u200d 🙂", ["Ålesund \u200d 🙂"]),
    (0, ["0"]),
    (-7, ["-7"]),
    (1470707155, ["1470707155"]),
    (10**20, ["100000000000000000000"]),
    (1470707155.0, ["1470707155"]),
    (1.5, ["1.5"]),
    (-0.25, ["-0.25"]),
    (1e-7, ["0.0000001"]),
    (1e21, ["1000000000000000000000"]),
    (-0.0, ["0"]),
    (True, ["true"]),
    (False, ["false"]),
    (None, []),
    ([], []),
    (["pwd"], ["pwd"]),
    (["a", "b", "a"], ["a", "b", "a"]),
    ([1, True, "x", 2.5], ["1", "true", "x", "2.5"]),
    (["a", None, "b"], ["a", "b"]),
    ({}, ["{}"]),
    ({"groups": "src1"}, ['{"groups":"src1"}']),
    ([{"b": [1, None]}, "x"], ['{"b":[1,null]}', "x"]),
    ([["a", "b"], []], ['["a","b"]', "[]"]),
    ({"city": "Ålesund", "flag": True}, ['{"city":"Ålesund","flag":true}']),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=repr)
def test_values_are_printed(value: object, expected: list[str]) -> None:
    """A scalar or an object is one claim, an array one for each element, null none (reference 4.7)."""
    assert printed(value) == expected


def test_booleans_of_profiles() -> None:
    """A profile's booleans have a capital, in arrays too; a token's have none."""
    assert printed([True, False], IN_PROFILES) == ["True", "False"]
    assert printed([True, False]) == ["true", "false"]


@given(value=st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_decimal(value: float) -> None:
    """A number is printed in digits, without exponent, and reads back as itself."""
    (text,) = printed(value)
    assert set(text) <= set("-.0123456789")
    assert float(text) == float(value)
    assert not text.endswith(".0")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(value=JSON)
def test_every_value_can_be_printed(value: object) -> None:
    """Whatever a token holds, its claims are text that goes to JSON and comes back."""
    claims = [Claim("typ", text) for text in printed(value)]
    assert msgspec.json.decode(msgspec.json.encode(claims), type=list[Claim]) == claims


def test_objects_are_compact_json() -> None:
    """An object's claim is JSON that says the same, as deep as a token may nest."""
    deep: object = "x"
    for _ in range(30):
        deep = {"a": [deep, 1]}
    (text,) = printed(deep)
    assert json.loads(text) == deep
    assert " " not in text


@pytest.mark.parametrize(
    "raw", [b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e999}', b'{"a":"\\ud800"}']
)
def test_what_cannot_be_printed_is_not_read(raw: bytes) -> None:
    """Numbers without a decimal form and half surrogate pairs never get as far as a claim."""
    with pytest.raises(NotStrictJson):
        decode_object(raw)


def test_the_first_of_a_type() -> None:
    """Where a type is repeated the first claim counts; where it is absent there is no value."""
    claims = (Claim("a", "1"), Claim("b", "2"), Claim("a", "3"))
    assert first_value(claims, "a") == "1"
    assert first_value(claims, "c") is None
