"""Fragments that survive a sign-in (easy-auth reference 10.4).

A fragment never leaves the browser, so before an automatic sign-in a page of ours takes it down in a cookie that only
the callback is sent, and the last redirect puts it back. The provider does not get to see it.
"""

import hashlib
import re
from urllib.parse import quote, unquote

from doorward.identity.visit import RawHeaders
from doorward.inbound.door import Reply
from doorward.pages import page_headers, render
from doorward.protocol.easyauth import Header, cookie_values

MAX_FRAGMENT = 1024
_VALUE = re.compile(r"(?:[A-Za-z0-9\-._~!*'()]|%[0-9A-Fa-f]{2})+")  # what encodeURIComponent writes
_AS_IT_STANDS = "-._~!$&'()*+,;=:@/?%"  # RFC 3986 section 3.5
SCRIPT = """\
(function(){
var d=document.getElementById("go").dataset,h=location.hash.slice(1);
if(h&&h.length<=1024){document.cookie=d.cookie+"="+encodeURIComponent(h)+d.attributes}
location.replace(d.to)
})()"""
KEEP_FRAGMENT = """\
(function(){
var h=location.hash,n="post_login_redirect_uri";
if(!h||h.length>1024){return}
document.querySelectorAll(".choices a").forEach(function(a){
var u=new URL(a.href),t=u.searchParams.get(n);
if(t&&t.indexOf("#")<0){u.searchParams.set(n,t+h);a.href=u.href}
})
})()"""
"""For the page to choose a provider: browsers carry a fragment there by themselves; it goes on with the target."""


def leave_page(address: str, nonce: str, path: str, *, https: bool, lifetime: float) -> Reply:
    """Give the page that takes the fragment down and goes to `address`; `path` is where the cookie is sent to."""
    kind = "; secure; SameSite=None" if https else "; SameSite=Lax"
    body = render(
        "leave.html",
        script=SCRIPT,
        address=address,
        cookie=_name(nonce),
        attributes=f"; path={path}; max-age={int(lifetime)}{kind}",
    )
    return Reply(200, body, page_headers(script=SCRIPT))


def fragment_of(raw_headers: RawHeaders, nonce: str) -> str:
    """Give the fragment that was taken down for a sign-in, encoded for an address, or an empty text."""
    value = next(iter(cookie_values(raw_headers, _name(nonce))), "")
    if len(value) > 3 * MAX_FRAGMENT or not _VALUE.fullmatch(value):
        return ""
    try:
        return quote(unquote(value, errors="strict"), safe=_AS_IT_STANDS)
    except UnicodeDecodeError:
        return ""


def with_fragment(target: str, raw_headers: RawHeaders, nonce: str) -> str:
    """Give a target with the fragment that was taken down, unless it has one of its own."""
    fragment = "" if "#" in target else fragment_of(raw_headers, nonce)
    return f"{target}#{fragment}" if fragment else target


def clear_fragment(raw_headers: RawHeaders, nonce: str, path: str) -> tuple[Header, ...]:
    """Have the browser forget a fragment, where it holds one."""
    name = _name(nonce)
    if not cookie_values(raw_headers, name):
        return ()
    return ((b"set-cookie", f"{name}=deleted; path={path}; expires=Thu, 01 Jan 1970 00:00:00 GMT".encode()),)


def _name(nonce: str) -> str:
    """Name the cookie of one sign-in, so that tabs do not take each other's fragments."""
    return f"Fragment.{hashlib.sha256(nonce.encode()).hexdigest()[:8]}"
