import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.strict_json import FEW_PARTS, DuplicateName, NotStrictJson, decode, decode_object

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**19), 10**19),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
FRAGMENTS = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", ",", ":", '"', '"a"', "1", "-", "0", "1e400", "1E5", "NaN", "-Infinity", "null", "true",
         "\\u",         "\\ud800", "\\n", " ", "\n", "\ufeff", "é", "\0", "9" * 30, '"a":1']
    ),
    max_size=30,
)  # fmt: skip


@given(value=VALUES, ascii_only=st.booleans())
def test_good_json_is_read_as_everybody_reads_it(value: object, *, ascii_only: bool) -> None:
    """What a writer writes is read back equal, escaped or not."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return
    assert decode(raw) == value


@given(pieces=FRAGMENTS)
def test_nothing_but_not_strict_json_is_raised(pieces: list[str]) -> None:
    """Whatever is accepted, json.loads accepts with the same value; whatever is refused is `NotStrictJson`."""
    raw = "".join(pieces).encode()
    try:
        value = decode(raw)
    except NotStrictJson:
        return
    loose = json.loads(raw)
    if "9" * 21 not in raw.decode():
        assert value == loose


@given(raw=st.binary(max_size=60))
def test_bytes_never_break_it(raw: bytes) -> None:
    """Any bytes give a value or `NotStrictJson`."""
    try:
        decode(raw)
    except NotStrictJson:
        return


@given(
    name=st.text(st.characters(codec="utf-8")), wrappers=st.lists(st.sampled_from(["[%s]", '{"x":%s}']), max_size=20)
)
def test_duplicates_at_any_depth(name: str, wrappers: list[str]) -> None:
    """Two equal names are refused at any depth, also where one is escaped."""
    escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else json.dumps(c)[1:-1] for c in name)
    text = f'{{{json.dumps(name)}:1,"{escaped}":2}}'
    for wrapper in wrappers:
        text = wrapper % text
    with pytest.raises(DuplicateName):
        decode(text.encode())


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b'"x"', b"true"])
def test_an_object_is_an_object(raw: bytes) -> None:
    """`decode_object` refuses every other kind of value."""
    decode(raw)
    with pytest.raises(NotStrictJson):
        decode_object(raw)


@pytest.mark.parametrize("levels", [31, 32])
def test_nesting_up_to_the_bound(levels: int) -> None:
    """32 levels are read."""
    assert decode(b"[" * levels + b"]" * levels)


@pytest.mark.parametrize("levels", [33, 1000, 100_000])
@pytest.mark.parametrize("closed", [True, False])
def test_nesting_beyond_the_bound(levels: int, *, closed: bool) -> None:
    """33 levels are refused, and so is any number of them."""
    with pytest.raises(NotStrictJson):
        decode(b"[" * levels + b"]" * levels * closed)


def test_brackets_in_strings_are_no_levels() -> None:
    """Brackets inside a string, and many objects side by side, are not depth."""
    assert decode(b'"' + b"[" * 1000 + b'"')
    assert decode(b"[" + b"{}," * 1000 + b"{}]")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1" + "0" * 19, 10**19), ("9" * 20, 10**20 - 1), ("-" + "9" * 20, 1 - 10**20), ("1" + "0" * 20, 10**20),
        ("9" * 21, 10**20), ("-" + "9" * 21, -(10**20)), ("9" * 100_000, 10**20), ("0", 0), ("-0", 0), ("1e5", 1e5),
    ],
)  # fmt: skip
def test_integers_are_bounded(text: str, value: float) -> None:
    """Integers of more than 20 digits become 10**20 in size; shorter ones are exact."""
    assert decode(text.encode()) == value


@pytest.mark.parametrize(
    "text", ["1e400", "-1e400", "1e99999999", "9" * 400 + ".0", "NaN", "Infinity", "-Infinity", "01", "+1", ".5"]
)
def test_what_is_no_number(text: str) -> None:
    """Numbers that no double holds, and constants that JSON does not know, are refused."""
    with pytest.raises(NotStrictJson):
        decode(text.encode())


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_finite(number: float) -> None:
    """Every number that is read is finite."""
    value = decode(json.dumps(number).encode())
    assert isinstance(value, float)
    assert math.isfinite(value)


@pytest.mark.parametrize("text", ['"\\ud83d\\ude00"', '"\\ud83d\\ude00\\u0041"', '{"\\ud83d\\ude00":1}', '"\\\\ud800"'])
def test_whole_pairs_are_text(text: str) -> None:
    """A whole surrogate pair is one character, and an escaped backslash begins no escape."""
    assert decode(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text", ['"\\ud800"', '"\\ude00\\ud83d"', '{"\\ud800":1}', '[[{"a":["\\udfff"]}]]', '"\\uD800\\u0041"']
)
def test_half_pairs_are_refused(text: str) -> None:
    """Half a pair anywhere is refused: no encoder could write it again."""
    with pytest.raises(NotStrictJson):
        decode(text.encode())


def test_the_reason_does_not_quote() -> None:
    """What is said about a text does not repeat it."""
    with pytest.raises(NotStrictJson) as refused:
        decode(b'{"secret-token":1,"secret-token":2}')
    assert "secret-token" not in str(refused.value)


@pytest.mark.parametrize(
    "raw",
    [b"[" + b"{}," * 21_000 + b"1]", b"[" + (b"[" * 30 + b"]" * 30 + b",") * 1000 + b"1]",
     b"[" + b"1," * 30_000 + b"1]",
     b'{"a":' + b"[" * 2000,
     b'{"a":[' + b'"",' * 2000 + b"1]}"],
)  # fmt: skip
def test_values_are_counted_beforehand(raw: bytes) -> None:
    """More arrays, objects and values than are allowed are refused before any of them is made."""
    for read in (decode, decode_object):
        with pytest.raises(NotStrictJson, match="too many values"):
            read(raw, FEW_PARTS)


@pytest.mark.parametrize("filling", ["[" * 2000, "{,[" * 1000, '\\"[' * 2000, "\\\\" * 3000, "[\\u005b," * 2000])
def test_brackets_in_strings_are_not_counted(filling: str) -> None:
    """Whatever stands in a string counts for nothing, also after an escaped quotation mark."""
    assert decode_object(f'{{"a":"{filling}","b":[1,2]}}'.encode(), FEW_PARTS)["b"] == [1, 2]


def test_counting_takes_no_longer_than_reading() -> None:
    """Strings that never end are looked at once: anything else would be slower than what it protects from."""
    with pytest.raises(NotStrictJson):
        decode(b"[" * 2000 + b'"\\' * 500_000, FEW_PARTS)
    with pytest.raises(NotStrictJson):
        decode(b"[" * 2000 + b'\\"' * 500_000, FEW_PARTS)


@pytest.mark.parametrize("number", ["9" * 41, "-" + "1" * 40, "0." + "1" * 39, "1" + "0" * 9000, "1e" + "0" * 40 + "1"])
def test_numbers_of_tokens_are_bounded(number: str) -> None:
    """An object of a token or a provider holds no number of more than 40 characters, wherever it stands."""
    for text in (f'{{"z": {number}}}', f'{{"z": [{{"y": {number}}}]}}'):
        with pytest.raises(NotStrictJson, match="too long"):
            decode_object(text.encode())


def test_a_body_may_hold_an_integer_of_any_size() -> None:
    """A request body is read with its integers cut to 10**20: that one is no organization, and no reason to refuse."""
    assert decode(b'{"organization_id": ' + b"9" * 5000 + b"}") == {"organization_id": 10**20}
