"""`doorward explain --request`: what would become of one request, rule by rule, by the porter that serves.

The request is made up from the command line and sent nowhere; nothing is stored, and no credential is printed.
"""

from dataclasses import field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urlsplit

from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.faults import VALUE_REFUSED
from doorward.base.frozen import frozen
from doorward.base.refusals import HTTPS_REQUIRED
from doorward.cli.output import visible
from doorward.cli.wording import section
from doorward.exchange.envelope import PREFIX
from doorward.identity.admission import Allow, Decision
from doorward.identity.visit import Scheme, Trust, Visit
from doorward.protocol.easyauth import SESSION_COOKIE

if TYPE_CHECKING:
    from doorward.house import BackOffice

_AS_IT_STANDS = "%/:?#[]@!$&'()*+,;=|\\^`{}\"<>"  # what a request line may hold is judged, not mended
_NOT_SENT = "no client"


@frozen
class Asked:
    """A request as the command line has it; `url` is a web address, or a path of the public address."""

    method: str
    url: str
    cookie: str | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)
    user_agent: str | None = None


async def explain_request(office: "BackOffice", asked: Asked) -> str:
    """Explain what would become of a request; raises `DoorwardError` (`value_refused`) for what is none."""
    from doorward.house.rules import requires_https, trust_of  # noqa: PLC0415  knows every room, see backstage.py

    settings = office.settings
    trust = trust_of(settings, office.entropy)
    visit = _visit(asked, trust, settings.server.public_url)
    aside = _answered_by_us(visit, settings.auth.plan.api_prefix if settings.auth.plan else "")
    if aside:
        return aside
    if visit.scheme == "http" and requires_https(settings):
        return _over_http(visit)
    if settings.auth.plan is None:
        return "There is no [auth] section, so nobody is asked to sign in and no path leads to an application: 404."
    decision, steps = await _decided(office, trust, visit)
    lines = [[step, visible(found)] for step, found in steps]
    return "\n\n".join([section(_verdict(decision, has_app=bool(settings.app.upstream)), lines), *_mending(decision)])


async def _decided(office: "BackOffice", trust: Trust, visit: Visit) -> tuple[Decision, list[tuple[str, str]]]:
    """Have the request decided by the parts that serve."""
    from doorward.house.sign_in import build_sign_in  # noqa: PLC0415  knows every room, see backstage.py

    await office.load_registrations()
    await office.load_ring()
    settings = office.settings
    plan = settings.auth.plan
    assert plan is not None  # noqa: S101 - whoever calls has looked
    tokens = office.office if settings.token_service.enabled else None
    doors = build_sign_in(office, settings, plan, trust=trust, office=tokens, explains=False)
    return await doors.porter.explain(visit)


def _visit(asked: Asked, trust: Trust, public_url: str) -> Visit:
    """Make up the visit; the client is on no address that any proxy has."""
    address = _address(asked.url, public_url)
    scheme: Scheme = "https" if address.scheme.lower() == "https" else "http"
    method = asked.method
    if not method or not all(c.isascii() and c.isalpha() for c in method.replace("-", "")):
        raise DoorwardError(VALUE_REFUSED, reason=f"{visible(method)!r} is no method")
    headers = [("host", address.netloc)]
    if asked.user_agent is not None:
        headers.append(("user-agent", asked.user_agent))
    if asked.cookie is not None:
        whole = f"{SESSION_COOKIE}=" in asked.cookie
        headers.append(("cookie", asked.cookie if whole else f"{SESSION_COOKIE}={asked.cookie}"))
    if asked.bearer is not None:
        headers.append(("authorization", f"Bearer {asked.bearer}"))
    return trust.visit(
        method=method.upper(),
        path=_as_sent(address.path or "/"),
        query=_as_sent(address.query),
        raw_headers=[(name.encode(), value.strip().encode()) for name, value in headers],
        peer=_NOT_SENT,
        scheme=scheme,
    )


def _address(url: str, public_url: str) -> SplitResult:
    """Read the address; `urlsplit` would drop tabs and line breaks, which a client cannot send."""
    try:
        address = urlsplit(f"{public_url}{url}" if url.startswith("/") else url)
    except ValueError as error:
        raise DoorwardError(VALUE_REFUSED, reason="the address cannot be read") from error
    if address.scheme.lower() not in {"http", "https"} or not address.netloc:
        raise DoorwardError(VALUE_REFUSED, reason="the address is neither a web address nor a path")
    return address


def _as_sent(text: str) -> str:
    return quote(text, safe=_AS_IT_STANDS)


def _answered_by_us(visit: Visit, api_prefix: str) -> str:
    """Say so of addresses that lead to no application."""
    for prefix, what in ((PREFIX, "the token service"), (api_prefix, "sign-in itself")):
        if prefix and (visit.path == prefix or visit.path.startswith(f"{prefix}/")):
            return f"{visible(visit.path)} is answered by {what}; no rule about the application's paths is asked."
    return ""


def _over_http(visit: Visit) -> str:
    """Say what becomes of plain requests where HTTPS is required, before anything else is asked."""
    if visit.method in {"GET", "HEAD"}:
        return "The request comes over plain HTTP, and HTTPS is required: 301 to the same path of server.public_url."
    return f"The request comes over plain HTTP, and HTTPS is required.\n\n{_row(HTTPS_REQUIRED)}"


def _verdict(decision: Decision, *, has_app: bool) -> str:
    if not isinstance(decision, Allow):
        return "The request does not pass:"
    where = "to the application" if has_app else "at /.auth/check; without app.upstream the gateway itself answers 404"
    return f"The request passes, {where}:"


def _mending(decision: Decision) -> list[str]:
    return [] if isinstance(decision, Allow) else [_row(decision.row)]


def _row(row: ErrorRow) -> str:
    return f"{row.code} (HTTP {row.status}): {row.message}\nCause: {row.cause}\nFix: {row.fix}"
