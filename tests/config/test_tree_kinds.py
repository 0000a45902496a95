"""The kinds of value of the auth tree: what each reads, refuses, and writes back."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorward.config import tree_kinds
from doorward.config.addresses import Unsuitable
from doorward.config.tree_kinds import (
    BOOLEAN,
    EXPIRATION,
    HEADER,
    HOURS,
    PAIRS,
    PAIRS_OR_NAMES,
    SPAN,
    STRINGS,
    URL,
    VERSION,
    TreeKind,
    words,
)

WORDS = words("NoProxy", "Standard", "Custom")
KINDS = [kind for kind in vars(tree_kinds).values() if isinstance(kind, TreeKind)] + [WORDS]


@pytest.mark.parametrize(
    ("kind", "value", "parsed"),
    [
        (SPAN, "08:00:00", 28800), (SPAN, "00:00:01", 1), (SPAN, "1.02:00:00", 93600), (SPAN, "00:05:00.0000000", 300),
        (SPAN, "8h", 28800), (SPAN, "36:00:00", 129600),
        (HOURS, 72, 259200), (HOURS, 72.0, 259200), (HOURS, 0.5, 1800), (HOURS, 0, 0),
        (WORDS, "custom", "Custom"), (WORDS, 0, "NoProxy"), (WORDS, 2, "Custom"),
        (EXPIRATION, "IdentityDerived", "IdentityProviderDerived"), (EXPIRATION, 1, "IdentityProviderDerived"),
        (EXPIRATION, "identityproviderderived", "IdentityProviderDerived"), (EXPIRATION, "fixedtime", "FixedTime"),
        (HEADER, "X-Original-Host", "x-original-host"), (HEADER, "", ""), (VERSION, "v3.3", "v3.3"),
        (STRINGS, ["a", "b"], ("a", "b")), (STRINGS, [], ()), (URL, "", ""),
        (URL, "http://127.0.0.1:9/x", "http://127.0.0.1:9/x"),
        (PAIRS, ["scope=openid offline_access", "resource=https://a=b"],
         (("scope", "openid offline_access"), ("resource", "https://a=b"))),
        (PAIRS, ["response_type=code id_token", "prompt="], (("response_type", "code id_token"), ("prompt", ""))),
        (PAIRS_OR_NAMES, ["prompt=login", "acr_values"], ("prompt=login", "acr_values")),
    ],
)  # fmt: skip
def test_what_is_read(kind: TreeKind, value: object, parsed: object) -> None:
    """Values are read as App Service writes them, numbers for words and .NET's durations included."""
    assert kind.parse(value) == parsed


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (BOOLEAN, "true"), (BOOLEAN, 1), (SPAN, 8), (SPAN, ""), (SPAN, "8"), (SPAN, "00:60:00"), (SPAN, "00:00:00.5"),
        (SPAN, "99999.00:00:00"), (SPAN, "-01:00:00"), (HOURS, "72"), (HOURS, True), (HOURS, -0.1), (HOURS, 1e9),
        (HOURS, float("nan")), (WORDS, "proxy"), (WORDS, ""), (WORDS, 3), (WORDS, -1), (WORDS, 1.0), (WORDS, True),
        (EXPIRATION, "Derived"), (HEADER, "a b"), (HEADER, "a:b"), (VERSION, "3.3"), (VERSION, "v3.3/../x"),
        (STRINGS, "a"), (STRINGS, ["a", 0]), (STRINGS, ["a", None]), (STRINGS, ["a\n"]), (STRINGS, {"a": 1}),
        (URL, "http://a.example"), (URL, "https://u:p@a.example"), (URL, "a.example"),
        (PAIRS, ["scope"]), (PAIRS, ["=x"]), (PAIRS, ["a=1", "a=2"]), (PAIRS, ["nonce=1"]), (PAIRS, ["redirect_uri=x"]),
        (PAIRS, ["client_secret=x"]), (PAIRS, ["response_type=token"]), (PAIRS, ["response_mode=fragment"]),
        (PAIRS_OR_NAMES, ["state"]), (PAIRS_OR_NAMES, ["a b"]), (PAIRS_OR_NAMES, ["code_challenge=x"]),
    ],
)  # fmt: skip
def test_what_is_refused(kind: TreeKind, value: object) -> None:
    """A value of another type, or one that could not be followed, is refused."""
    with pytest.raises(Unsuitable):
        kind.parse(value)


@pytest.mark.parametrize(
    ("kind", "text", "parsed"),
    [
        (BOOLEAN, "True", True), (BOOLEAN, "0", False), (HOURS, "1.5", 5400), (WORDS, "2", "Custom"),
        (STRINGS, "a, b,,", ("a", "b")), (STRINGS, '["a", "b,c"]', ("a", "b,c")), (SPAN, "00:01:00", 60),
        (PAIRS, "a=1,b=2", (("a", "1"), ("b", "2"))),
    ],
)  # fmt: skip
def test_what_variables_say(kind: TreeKind, text: str, parsed: object) -> None:
    """Variables hold words, numbers, and lists between commas or as JSON."""
    assert kind.parse(kind.from_text(text)) == parsed


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(max_examples=25, deadline=None)
@given(
    value=st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists), text=st.text()
)
def test_a_kind_reads_or_refuses(kind: TreeKind, value: Any, text: str) -> None:
    """Whatever JSON or text comes, a kind gives a value which it can write and read again, or raises `Unsuitable`."""
    for given_value in (value, kind.from_text(text)):
        try:
            parsed = kind.parse(given_value)
        except Unsuitable:
            continue
        if kind is not tree_kinds.ANYTHING:
            assert kind.parse(json.loads(json.dumps(kind.write(parsed)))) == parsed
