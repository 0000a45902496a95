"""The pages that end a sign-in with a token: for native apps, for popups, and the hidden frame that hands on.

Easy-auth reference 1.2. A popup's page holds the envelope in an attribute that its script takes away before it speaks,
and speaks to one origin by name, which was judged at the beginning and is judged again. Nothing secret is ever shown,
and every page says enough to somebody whose browser runs no script.
"""

import msgspec

from doorward.base.errors import DoorwardError
from doorward.easyauth.ending import Ending, read_query, refuse_origin
from doorward.easyauth.parts import Parts
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply, Route
from doorward.pages import page_headers, render

RECEIVER = "zumo-login-receiver"
"""The name of the frame in which the page that opened the window holds the receiver (easy-auth reference 1.2)."""

DONE_SCRIPT = """\
(function(){
var s=document.getElementById("said"),m=/^#(?:.*&)?(token|authorization_code|error)=/.exec(location.hash);
if(m){s.textContent=document.title=m[1]==="error"?s.dataset.failed:s.dataset.signedIn}
})()"""
POPUP_SCRIPT = f"""\
(function(){{
var d=document.getElementById("over").dataset,m=JSON.parse(d.envelope),o=d.origin,w=window.opener;
delete d.envelope;
if(!w){{return}}
if(d.way==="iframe"){{w.frames["{RECEIVER}"].postMessage(m,location.origin)}}else{{w.postMessage(m,o)}}
}})()"""
RECEIVER_SCRIPT = """\
(function(){
var o=document.getElementById("relay").dataset.origin;
addEventListener("message",function(e){
if(e.origin===location.origin&&e.source!==window&&e.data&&e.data.type==="LoginCompleted"&&parent!==window){
parent.postMessage(e.data,o)}
})
})()"""


def routes(parts: Parts) -> list[Route]:
    """Give the pages below `/.auth/login` that belong to sign-ins by token."""
    login = f"{parts.plan.api_prefix}/login"

    async def done(_visit: Visit, _body: bytes) -> Reply:
        return Reply(200, render("done.html", script=DONE_SCRIPT), page_headers(script=DONE_SCRIPT))

    async def receive(visit: Visit, _body: bytes) -> Reply:
        origin = dict(read_query(visit)).get("completion_origin", "")
        refuse_origin(origin, parts.site(visit), parts.plan.allowed_targets)
        page = render("receiver.html", script=RECEIVER_SCRIPT, origin=origin)
        return Reply(200, page, page_headers(script=RECEIVER_SCRIPT, framed_by=origin))

    return [
        Route(method="GET", path=f"{login}/done", handler=done),
        Route(method="GET", path=f"{login}/iframereceiver", handler=receive),
    ]


def signed_in_page(ending: Ending, answer: bytes) -> Reply:
    """Give the page of a popup that hands `answer`, the JSON for a new session token, to who opened the window."""
    return _page(200, ending, success_envelope(answer), title="You are signed in", code="", request_id="")


def refused_page(ending: Ending, visit: Visit, refusal: DoorwardError) -> Reply:
    """Give the page of a popup that says to who opened the window, and to who reads it, why there is no token."""
    row = refusal.row
    envelope = failure_envelope(row.message)
    return _page(row.status, ending, envelope, title=row.message, code=row.code, request_id=visit.request_id)


def success_envelope(answer: bytes) -> bytes:
    """Give the message for a sign-in that succeeded, around the JSON for a new session token."""
    return msgspec.json.encode({"type": "LoginCompleted", "oauth": msgspec.Raw(answer)})


def failure_envelope(message: str) -> bytes:
    """Give the message for a sign-in that failed."""
    return msgspec.json.encode({"type": "LoginCompleted", "error": message})


def _page(status: int, ending: Ending, envelope: bytes, **shown: str) -> Reply:
    way, origin = ending.completion_type, ending.completion_origin
    page = render("popup.html", script=POPUP_SCRIPT, envelope=envelope.decode(), origin=origin, way=way, **shown)
    return Reply(status, page, page_headers(script=POPUP_SCRIPT))
