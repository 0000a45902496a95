"""The emulator's own pages: the overview, the people and their claims, the log. All work without JavaScript."""

from collections.abc import Mapping

import msgspec

from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.emulator.messages import BadMessage
from doorward.emulator.people import Directory, Person, tenant_of
from doorward.emulator.pretend import Pretend
from doorward.emulator.stage import Stage
from doorward.emulator.web import Ask, Refused, Reply, json_reply, page, redirect, refusal_page, refuse_other_pages
from doorward.protocol import parameters
from doorward.protocol.parameters import read_form, read_parameters


def answer(stage: Stage, pretend: Mapping[str, Pretend], ask: Ask) -> Reply | None:
    """Answer at the path of one of the pages, else None; raises `Refused`."""
    if ask.path not in ("/", "/people", "/log", "/log.json"):
        return None
    if ask.method == "POST" and ask.path == "/people":
        return _save(stage.people, ask)
    if ask.method not in ("GET", "HEAD"):
        raise Refused(refusal_page(405, "Wrong method", "Use GET.").with_headers((b"allow", b"GET, HEAD")))
    match ask.path:
        case "/":
            return _overview(stage, pretend)
        case "/people":
            return _people(stage.people, ask)
        case "/log":
            return page("emulator_log.html", entries=stage.traffic.entries())
        case _:
            return json_reply({"entries": stage.traffic.entries()})


def _overview(stage: Stage, pretend: Mapping[str, Pretend]) -> Reply:
    rows = [
        {
            "name": one.name,
            "label": one.label,
            "clients": [f"{client.client_id} ({len(client.redirect_uris)})" for client in stage.clients.of(one.name)],
        }
        for one in pretend.values()
    ]
    return page("emulator_overview.html", providers=rows, address=stage.base_url)


def _people(people: Directory, ask: Ask, error: str = "", given: Mapping[str, str] | None = None) -> Reply:
    rows = [{"email": p.email, "name": p.name, "notes": _notes(p)} for p in people.all()]
    status = 400 if error else 200
    return page("emulator_people.html", status, people=rows, form=given or _form(people, ask), error=error, note=error)


def _notes(person: Person) -> str:
    notes = [*(["guest"] if person.guest else []), *(["address unverified"] if not person.verified else [])]
    notes += [f"tenant {person.tenant}"] if person.tenant else []
    for what, names in (("groups", person.groups), ("roles", person.roles), ("claims for", tuple(person.claims))):
        notes += [f"{what} {', '.join(names)}"] if names else []
    return "; ".join(notes)


def _form(people: Directory, ask: Ask) -> dict[str, str]:
    """Give what the form shows: the person whom `?email=` names, else nothing."""
    try:
        email = dict(read_parameters(ask.query)).get("email", "")
        person = people.find(email) if email else Person(email="", name="")
    except (parameters.BadMessage, BadMessage):
        person = Person(email="", name="")
    return {
        "email": person.email,
        "name": person.name,
        "tenant": person.tenant or "",
        "home": tenant_of(person.email) if person.email else "",
        "groups": " ".join(person.groups),
        "roles": " ".join(person.roles),
        "guest": "1" if person.guest else "",
        "verified": "1" if person.verified else "",
        "claims": msgspec.json.format(msgspec.json.encode(person.claims), indent=2).decode() if person.claims else "",
    }


def _save(people: Directory, ask: Ask) -> Reply:
    """Add or change a person, or forget one."""
    refuse_other_pages(ask)
    given: dict[str, str] = {}
    try:
        given = dict(read_form(ask.body))
        if "remove" in given:
            people.remove(given["remove"])
        else:
            people.put(_person(given))
    except (parameters.BadMessage, BadMessage) as error:
        empty = dict.fromkeys(("email", "name", "tenant", "home", "groups", "roles", "guest", "verified", "claims"), "")
        return _people(people, ask, f"{error}", empty | given)
    return redirect("/people", note="people changed")


def _person(given: Mapping[str, str]) -> Person:
    raw = given.get("claims", "").strip()
    try:
        claims = msgspec.convert(decode_object(raw.encode()), dict[str, dict[str, object]]) if raw else {}
    except (NotStrictJson, msgspec.ValidationError) as error:
        raise BadMessage(f'claims: {error}; write an object of objects, such as {{"google": {{"hd": "x"}}}}') from error
    email, name = given.get("email", "").strip(), given.get("name", "").strip()
    if not name:
        raise BadMessage("a person needs a name")
    return Person(
        email=email,
        name=name,
        guest="guest" in given,
        tenant=given.get("tenant", "").strip() or None,
        groups=tuple(given.get("groups", "").split()),
        roles=tuple(given.get("roles", "").split()),
        verified="verified" in given,
        claims=claims,
    )
