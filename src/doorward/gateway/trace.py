"""How one request was decided, step by step: for the error page of development, and for `doorward explain --request`.

Built only when somebody asks for it, from the very functions that decide. Names credentials, rules, and headers; never
the value of a credential or of a header.
"""

from collections.abc import Iterator

from doorward.identity.admission import (
    AdmissionRules,
    Allow,
    Anonymous,
    Bad,
    Challenge,
    Credential,
    Decision,
    Deny,
    Recognised,
    Via,
    is_browser,
    is_cross_site,
)
from doorward.identity.paths import has_control, plain_path
from doorward.identity.visit import Visit
from doorward.protocol.easyauth import is_forgeable, session_cookie_names, session_cookie_value

Step = tuple[str, str]

_SCHEMES = {"Basic", "Bearer", "Digest", "Dpop", "Negotiate"}  # anything else may be a secret without a scheme


def trace(rules: AdmissionRules, visit: Visit, site: str, credential: Credential, decision: Decision) -> list[Step]:
    """Give the steps that led to a decision, each as what was looked at and what was found."""
    return [
        ("Request", f"{visit.method} {visit.path} at {site}"),
        ("Shown", ", ".join(_shown(visit)) or "no credential"),
        ("Credential", _credential(credential)),
        *_checks(rules, visit, site, credential),
        ("Decided by", decision.rule),
        ("Decision", _decision(decision)),
        *_headers(visit, decision),
    ]


def _shown(visit: Visit) -> Iterator[str]:
    if visit.header(b"x-zumo-auth") is not None:
        yield "X-ZUMO-AUTH"
    for value in visit.headers(b"authorization"):
        scheme = value.split(b" ", 1)[0].decode("latin-1").capitalize()
        yield f"Authorization: {scheme if scheme in _SCHEMES else '?'}"
    if names := session_cookie_names(visit.raw_headers):
        readable = session_cookie_value(visit.raw_headers) is not None
        yield f"cookie {', '.join(names)}" + ("" if readable else " (contradicts itself, or is too long)")


def _credential(credential: Credential) -> str:
    match credential:
        case Recognised():
            principal = credential.principal
            return f"{credential.via.value} of {principal.name or principal.id}, by {principal.idp}"
        case Bad():
            facts = "".join(f"; {name}: {value}" for name, value in credential.facts.items())
            return f"does not pass: {credential.row.code}{facts}"
        case Anonymous():
            return "nobody is signed in by what was shown"


def _checks(rules: AdmissionRules, visit: Visit, site: str, credential: Credential) -> Iterator[Step]:
    if not rules.enabled:
        return
    yield "Path", "holds a control character" if has_control(visit.path) else "well formed"
    if isinstance(credential, Recognised) and credential.via is Via.COOKIE:
        yield "Comes from", "another site" if is_cross_site(rules, visit, site) else "this site, or changes nothing"
    if isinstance(credential, Anonymous):
        yield "Open path", _openness(rules, visit)
        yield "Action", f"{rules.action}, {rules.providers} provider{'' if rules.providers == 1 else 's'} configured"
        yield "User-Agent", "a browser's" if is_browser(visit) else "no browser's"


def _openness(rules: AdmissionRules, visit: Visit) -> str:
    if rules.warmup_path is not None and visit.path == rules.warmup_path:
        return "the warm-up path"
    if rules.open_paths.covers(visit.path):
        return "in excludedPaths"
    return "not in excludedPaths" if plain_path(visit.path) is not None else "never, since it can be read in two ways"


def _decision(decision: Decision) -> str:
    match decision:
        case Allow():
            return "passes, without identity" if decision.principal is None else "passes, with identity"
        case Challenge():
            where = decision.provider or "a provider of their choice"
            return f"sent to sign in at {where}" if decision.redirect else _refused(decision)
        case Deny():
            return _refused(decision)


def _refused(decision: Challenge | Deny) -> str:
    return f"{decision.row.status} {decision.row.code}: {decision.row.message}"


def _headers(visit: Visit, decision: Decision) -> Iterator[Step]:
    forged = sorted({name.decode("latin-1") for name, _ in visit.raw_headers if is_forgeable(name)})
    if forged:
        yield "Headers removed", ", ".join(forged)
    if isinstance(decision, Allow):
        names = [] if decision.principal is None else [name.decode() for name, _ in decision.principal.headers]
        yield "Headers added", ", ".join(names) or "none"
