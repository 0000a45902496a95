"""Forms from another site on plain HTTP: the browser is asked to send them once more, from a page of ours.

A provider that answers by form_post makes its page send a POST from another site, and a `SameSite=Lax` cookie does not
come along with that. On https: our cookies are `SameSite=None`, which plain HTTP does not allow, so there the form goes
out again from our own page, with the cookie. It only carries on what came; the nonce decides what it is worth.
"""

from doorward.identity.visit import Visit
from doorward.inbound.door import Reply
from doorward.pages import page_headers, render
from doorward.protocol.easyauth import NONCE_COOKIE, cookie_values
from doorward.protocol.parameters import Pairs

SCRIPT = 'document.getElementById("again").submit()'


def needs_repost(visit: Visit, *, https: bool) -> bool:
    """Say whether the browser held our cookie back: it says itself that the form came from another site."""
    if https or visit.header(b"sec-fetch-site") != b"cross-site":
        return False
    return not cookie_values(visit.raw_headers, NONCE_COOKIE)


def repost_page(visit: Visit, fields: Pairs) -> Reply:
    """Give the page that sends the same fields to the same address.

    Where a form may lead is left open: browsers hold the redirects that follow it to the same list.
    """
    body = render("repost.html", script=SCRIPT, address=visit.path, fields=fields)
    return Reply(200, body, page_headers(script=SCRIPT, form_action=None))
