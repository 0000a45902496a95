"""Where a browser may be sent: the site and what the operator listed, whatever is tried."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doorward.base.targets import TARGET_MAX, allowed_target

SITE = "https://app.example.com"
LISTED = (
    "https://other.example/landing?ignored=1",
    "https://Open.Example",
    "https://ports.example:8443/",
    "http://plain.example/",
    "app://easyauth.callback",
    "com.example.app:/callback",
    "javascript://evil.example/",
    "data:/text",
)
FOREIGN = [
    "",
    "home",
    "./home",
    "../home",
    "?a=b",
    "#a",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "//app.example.com/",
    "\\\\evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/\\/evil.example",
    "/a\\b",
    "/a?b=\\",
    "/%5cevil.example",
    "/%5C%5Cevil.example",
    "/%2fevil.example",
    "/%2F%2Fevil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/a/..//evil.example",
    "/%2e%2e//evil.example",
    "/.%2f/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\x00//evil.example",
    "/%09/evil.example",
    "/%0d%0aLocation:%20x",
    "/a\r\nSet-Cookie: a=b",
    "/a\x7f",
    "/a\x85b",
    "/a\u2028b",
    "/\ud800",
    "/\u202eevil",
    "/%zz",
    "/%4",
    "/a%",
    "http:evil.example",
    "http:/evil.example",
    "http:///evil.example",
    "https:evil.example",
    "https:/app.example.com/",
    "https:///app.example.com/",
    "https:\\\\app.example.com/",
    "https:app.example.com",
    "https://evil.example",
    "https://evil.example/?https://app.example.com",
    "https://evil.example#@app.example.com/",
    "https://evil.example\\@app.example.com/",
    "https://app.example.com@evil.example/",
    "https://app.example.com:443@evil.example/",
    "https://user@app.example.com/",
    "https://user:password@app.example.com/",
    "https://@app.example.com/",
    "https://app.example.com.evil.example/",
    "https://app.example.com%2eevil.example/",
    "https://app.example.com%00.evil.example/",
    "https://app.example.com%2f.evil.example/",
    "https://app.example.com\t.evil.example/",
    "https://app\u3002example\u3002com/",
    "https://\u24d0pp.example.com/",
    "https://app.example.com./",
    "https://app.example.com:443/",
    "https://app.example.com:8443/",
    "https://app.example.com:/",
    "https://APP.example.com/",
    "HTTPS://app.example.com/",
    "http://app.example.com/",
    "https://.app.example.com/",
    "https://xapp.example.com/",
    "https://example.com/",
    "https://",
    "https:",
    "://app.example.com/",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\nscript:alert(1)",
    "javascript://app.example.com/%0aalert(1)",
    "javascript://evil.example/",
    "data:text/html,x",
    "data:/text",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://app.example.com/1",
    "ftp://app.example.com/",
    "wss://app.example.com/",
    "mailto:a@b.example",
    "https://other.example/",
    "https://other.example/landing2",
    "https://other.example/landin",
    "https://other.example/landing/../admin",
    "https://other.example/landing/%2e%2e/admin",
    "https://other.example/landing/..%2fadmin",
    "https://other.example/Landing",
    "https://other.example:443/landing",
    "http://other.example/landing",
    "https://other.example@evil.example/landing",
    "https://ports.example/",
    "https://OPEN.example/",
    "https://open.example.evil.example/",
    "https://sub.open.example/",
    "https://plain.example/",
    "app://easyauth.callback.evil",
    "app://easyauth",
    "app:easyauth.callback",
    "app:/easyauth.callback",
    "apps://easyauth.callback",
    "com.example.app:/callbacks",
    "com.example.app://callback",
    "com.example.app:callback",
    "/" + "a" * TARGET_MAX,
]
ALLOWED = [
    "/",
    "/a",
    "/a/b?c=d&e=f#g",
    "/a//b",
    "/a/../b",
    "/.auth/login/done",
    "/a;b=c/d",
    "/a%20b/%C3%A9?q=%",
    "/a?next=https://evil.example/",
    "/a?next=//evil.example",
    "/a#//evil.example",
    "/a?a[]=1",
    "/a?r=%0d%0a",
    "/@evil.example",
    "/:80/",
    "/https://evil.example",
    SITE,
    f"{SITE}/",
    f"{SITE}/a?b#c",
    f"{SITE}?a=b",
    f"{SITE}//evil.example",
    "https://other.example/landing",
    "https://other.example/landing/",
    "https://other.example/landing/deep?x=../..#y",
    "https://open.example/any",
    "https://Open.Example/any",
    "https://open.example",
    "https://ports.example:8443/a",
    "http://plain.example/x",
    "app://easyauth.callback",
    "app://easyauth.callback/",
    "app://easyauth.callback#token=x",
    "app://easyauth.callback?x=y",
    "com.example.app:/callback",
    "com.example.app:/callback/x?code=1",
]


def whatwg_origin(target: str, site: str) -> str:
    """Give the origin at which a browser ends up that is on `site` and is sent to `target` (URL Standard, reduced)."""
    text = re.sub(r"[\t\r\n]", "", re.sub(r"^[\x00-\x20]+|[\x00-\x20]+$", "", target))
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", text)
    if scheme is None:
        if re.match(r"[/\\]{2}", text) is None:
            return site
        return f"{site.partition(':')[0]}://{_whatwg_host(text)}"
    name, rest = scheme[1].lower(), text[scheme.end() :]
    if name in {"http", "https"}:
        if name == site.partition(":")[0] and re.match(r"[/\\]{2}", rest) is None:
            return whatwg_origin(rest, site)  # "https:x" is relative where the base has the same scheme
        return f"{name}://{_whatwg_host(rest)}"
    return f"{name}:{'//' + re.split('[/?#]', rest[2:])[0] if rest.startswith('//') else ''}"


def _whatwg_host(rest: str) -> str:
    authority = re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0]
    return authority.rpartition("@")[2].lower()


@pytest.mark.parametrize("target", FOREIGN)
def test_foreign_targets_are_refused(target: str) -> None:
    """No spelling that somebody could read as another place is a target."""
    assert allowed_target(target, SITE, LISTED) is None


@pytest.mark.parametrize("target", ALLOWED)
def test_targets_of_the_site_and_of_the_list_come_back_as_they_are(target: str) -> None:
    """What is on the site or below a listed address is allowed, and not a byte of it is changed."""
    assert allowed_target(target, SITE, LISTED) == target


def test_nothing_foreign_is_allowed_without_a_list() -> None:
    """Without a list, only the site remains."""
    assert [target for target in ALLOWED if allowed_target(target, SITE) is None] == ALLOWED[-14:]


@pytest.mark.parametrize(
    ("target", "written"),
    [
        ("/my file", "/my%20file"),
        ("/caf\u00e9?q=\u00fc#\u00df", "/caf%C3%A9?q=%C3%BC#%C3%9F"),
        ('/a"<b>', "/a%22%3Cb%3E"),
        (f"{SITE}/\U0001f600", f"{SITE}/%F0%9F%98%80"),
    ],
)
def test_what_an_address_cannot_hold_is_encoded(target: str, written: str) -> None:
    """Spaces, quotation marks and letters beyond ASCII are written as a Location header can carry them."""
    assert allowed_target(target, SITE) == written


def test_an_additional_host_is_a_site_of_its_own() -> None:
    """A site with a port is the target's origin with that port and no other."""
    assert allowed_target("http://127.0.0.1:8080/a", "http://127.0.0.1:8080") == "http://127.0.0.1:8080/a"
    assert allowed_target("http://127.0.0.1/a", "http://127.0.0.1:8080") is None
    assert allowed_target("http://localhost:8080/a", "http://127.0.0.1:8080") is None
    assert allowed_target("http://[::1]:8080/a", "http://[::1]:8080") == "http://[::1]:8080/a"


PIECES = st.sampled_from([
    "/", "//", "\\", "@", ":", "#", "?", ".", "..", "%2f", "%5c", "%2e", "\t", "\n", " ", "\x00", "https:", "http:",
    "HTTPS:", "javascript:", "app:", "app.example.com", "evil.example", "other.example/landing", "open.example", ":443",
    "\u3002", "\uff0f", "a", "landing", "easyauth.callback", "[", "]", "%", "%00", ";", "user", "com.example.app:",
])  # fmt: skip
ORIGINS = {
    SITE,
    "https://other.example",
    "https://open.example",
    "https://ports.example:8443",
    "http://plain.example",
    "app://easyauth.callback",
    "com.example.app:",
}


@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=40))
@example("/\\evil.example")
@example("https://open.example@evil.example")
def test_no_target_leads_to_a_foreign_origin(target: str) -> None:
    """Whatever is put together, a browser and Python's own library end up at an allowed origin or nowhere."""
    found = allowed_target(target, SITE, LISTED)
    if found is None:
        return
    assert whatwg_origin(found, SITE) in ORIGINS
    joined = urlsplit(urljoin(f"{SITE}/x/y", found))
    assert f"{joined.scheme}:{'//' if joined.netloc else ''}{joined.netloc}".lower() in ORIGINS
    assert found.isascii()
    assert found.isprintable()
    assert allowed_target(found, SITE, LISTED) == found
