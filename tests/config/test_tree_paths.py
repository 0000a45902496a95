"""Paths and targets of the auth tree: what is accepted, and what could never match."""

import pytest

from doorward.config.addresses import Unsuitable
from doorward.config.tree_paths import lies_below, read_excluded_path, read_route, read_target


@pytest.mark.parametrize(
    ("text", "route"),
    [("", ""), ("/.auth", "/.auth"), ("/.auth/", "/.auth"), ("/a/b-c_d~e.f", "/a/b-c_d~e.f"), ("/authservice",) * 2],
)
def test_routes_lose_the_slash_at_their_end(text: str, route: str) -> None:
    """A plain path is taken as it is, but for a slash at its end."""
    assert read_route(text) == route


@pytest.mark.parametrize(
    "text",
    [
        "/", "//", "a", ".auth", "/a//b", "/./a", "/a/../b", "/a b", "/a?b", "/a#b", "/a%2Fb", "/a;b", "/a\\b", "/é",
        "/a\x00", "/auth-service", "/auth-service/x", "/Auth-Service", "/.well-known", "/.well-known/x",
        "/" + "a" * 300, "https://a.example/x",
    ],
)  # fmt: skip
def test_routes_that_are_no_plain_path_are_refused(text: str) -> None:
    """Dot segments, escapes, spaces, and what belongs to another door are no place for the endpoints."""
    with pytest.raises(Unsuitable):
        read_route(text)


@pytest.mark.parametrize(
    "text", ["/", "/*", "/a", "/a/*", "/a/b.css", "/.well-known/*", "/caf\u00e9", "/a%20b", "/a b/*", "/a.b/*"]
)
def test_excluded_paths_are_kept_as_written(text: str) -> None:
    """Exact paths and prefixes are taken as they are."""
    assert read_excluded_path(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "*", "a/*", "/a*", "/*/a", "/**", "/a/**", "/*.css", "/a?x", "/a#x", "/a//b", "/a/../b", "/./a",
        "/a/.", "/a;b", "/a\\b", "/a%2Fb", "/a%2eb", "/a%5Cb", "/a%zz", "/a%", "/a%252f", "/a/...", "/a\n", "/" * 3000,
    ],
)  # fmt: skip
def test_excluded_paths_that_could_never_match_are_refused(text: str) -> None:
    """What no request can be taken for is no excluded path, and its writer hears of it."""
    with pytest.raises(Unsuitable):
        read_excluded_path(text)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("https://a.example", "https://a.example"),
        ("https://a.example/x/?q=1", "https://a.example/x/"),
        ("https://a.example:8443/x#f", "https://a.example:8443/x"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("app://easyauth.callback", "app://easyauth.callback"),
        ("com.example.app:/callback", "com.example.app:/callback"),
    ],
)
def test_targets_lose_their_query(text: str, target: str) -> None:
    """Queries do not count when targets are compared, so they are dropped when they are read."""
    assert read_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "", "a.example", "/x", "//a.example", "*.example.com", "https://*.example.com", "https://", "https:/a.example",
        "javascript:alert(1)", "data:text/html,x", "file:///etc", "https://u:p@a.example", "https://a.example\\b",
        "https://a example", "https://a.example/\n", "https://%61.example",
    ],
)  # fmt: skip
def test_targets_that_no_browser_may_be_sent_to_are_refused(text: str) -> None:
    """An entry is a whole, plain address of a place, not a pattern and not a script."""
    with pytest.raises(Unsuitable):
        read_target(text)


def test_below_ends_where_a_segment_ends() -> None:
    """/ab does not lie below /a."""
    assert lies_below("/a", "/a")
    assert lies_below("/a/b", "/a")
    assert not lies_below("/ab", "/a")
