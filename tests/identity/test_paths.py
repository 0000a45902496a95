"""Which paths anybody may open: what was listed, letter for letter, and nothing that could be read as it."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doorward.identity.paths import OpenPaths, has_control, plain_path

ENTRIES = (
    "/public/*",
    "/health",
    "/caf\u00e9/*",
    "/a b",
    "/.well-known/*",
    "/enc%C3%BC",
    "/",
    "/st*r",
    "x/*",
    "/b/../c/*",
)
OPEN = OpenPaths.of(ENTRIES)


@pytest.mark.parametrize(
    "path",
    [
        "/public/",
        "/public/a/b.css",
        "/public/%41",
        "/%70ublic/a",
        "/public/..a/b..",
        "/public/...a",
        "/public/caf%C3%A9",
        "/public/100",
        "/health",
        "/%68ealth",
        "/caf%C3%A9/menu",
        "/caf\u00c3\u00a9/menu",
        "/a%20b",
        "/.well-known/openid-configuration",
        "/enc%C3%BC",
        "/enc%c3%bc",
        "/",
        "/st*r",
    ],
)
def test_what_is_listed_is_open(path: str) -> None:
    """An exact path, and everything below a prefix, in whatever honest spelling it comes."""
    assert OPEN.covers(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",
        "public/a",
        "http://app.example.com/public/a",
        "/public",
        "/publicity",
        "/Public/a",
        "/health/",
        "/healthz",
        "/health?x",
        "/a%2520b",
        "/star",
        "/c/d",
        "/private",
        "/x/a",
        "/public/.",
        "/public/..",
        "/public/./a",
        "/public/../private",
        "/public/a/..",
        "/public/...",
        "/public/.%20",
        "/public/..%20/private",
        "/public/%2e%2e/private",
        "/public/.%2E/private",
        "/public/%2E",
        "/public/%252e%252e/private",
        "/public/%25",
        "/public//a",
        "//public/a",
        "/public//",
        "/public/a;b",
        "/public;/a",
        "/public/..;/private",
        "/public/%3b",
        "/public/\\a",
        "/public/..\\private",
        "/public/%5c",
        "/public/%5C..",
        "/public%2fa",
        "/public/%2F",
        "/public/a%2fb",
        "/public/%",
        "/public/%4",
        "/public/%zz",
        "/public/%u0041",
        "/public/%ff",
        "/public/%c0%ae%c0%ae/private",
        "/public/%c0%af",
        "/public/%ed%a0%80",
        "/public/\xff",
        "/public/%00",
        "/public/%0a",
        "/public/\x01",
        "/public/%7f",
        "/public/%EF%BC%8F..",
        "/public/%EF%BC%8E%EF%BC%8E/a",
        "/public/%E2%80%A5/a",
        "/public/%EF%BC%BC",
        "/public/%EF%BC%9B",
    ],
)
def test_what_could_be_read_in_two_ways_is_not_open(path: str) -> None:
    """No path that an application could take for another one counts as excluded (interface, section 7)."""
    assert not OPEN.covers(path)


def test_without_entries_nothing_is_open() -> None:
    """An empty list, and entries that cover nothing, leave every path closed."""
    for entries in ((), ("*",), ("",), ("/a/../b/*",), ("/a//b",), ("/a;b",), ("/\\a/*",)):
        listed = OpenPaths.of(entries)
        assert not [path for path in ("/", "/a", "/b/c", "/a//b", "/a;b") if listed.covers(path)]


def test_everything_can_be_excluded() -> None:
    """`/*` opens every path that is not ambiguous."""
    everything = OpenPaths.of(["/*"])
    assert everything.covers("/")
    assert everything.covers("/a/b")
    assert not everything.covers("/a/../b")


PIECES = st.sampled_from([
    "/", "public", "health", "private", ".", "..", "%2e", "%2f", "%2F", "%5c", "\\", ";", "%3b", "%25", "%20", "%",
    "%c3%a9", "%ff", "\xe9", "a", "caf", "//", "%00", "%EF%BC%8F", "st*r", "%73t*r",
])  # fmt: skip


@given(st.lists(PIECES, max_size=10).map(lambda pieces: "/" + "".join(pieces)) | st.text(max_size=20))
@example("/public/\xc3\xa9")
def test_an_open_path_is_a_listed_one_letter_for_letter(path: str) -> None:
    """What counts as excluded equals an entry or begins with one, decoded once, and has no trick in it."""
    if not OPEN.covers(path):
        return
    plain = unquote(path.encode("latin-1"), errors="strict")
    assert plain in {"/health", "/a b", "/enc\u00fc", "/", "/st*r"} or plain.startswith(
        ("/public/", "/caf\u00e9/", "/.well-known/")
    )
    assert not {".", ".."} & set(plain.split("/"))
    assert "//" not in plain
    assert not {";", "\\", "%"} & set(plain)
    assert plain.count("/") == path.count("/")


@given(st.text(st.characters(exclude_characters=".;\\%", codec="utf-8"), max_size=20))
def test_plain_paths_survive_encoding(text: str) -> None:
    """A path of letters that mean nothing special reads back as it was meant, or is refused."""
    assert plain_path("/" + quote(text, safe="/")) in {None, "/" + text}


@pytest.mark.parametrize(
    "path", ["/\x00", "/a\tb", "/a b", "/\x7f", "/%00", "/%0A", "/%0d%0a", "/%1f", "/%7F", "/caf\xe9\x01"]
)
def test_control_characters_are_seen(path: str) -> None:
    """A control character is found as it is and percent-encoded."""
    assert has_control(path)


@pytest.mark.parametrize("path", ["/", "/a%20b", "/caf\xc3\xa9", "/%c3%a9", "/%2f%5c%2e", "/%", "*", "", "/%e0%80"])
def test_other_paths_hold_none(path: str) -> None:
    """What is merely strange is no control character."""
    assert not has_control(path)
