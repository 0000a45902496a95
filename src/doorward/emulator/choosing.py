"""Choosing who signs in: the page with the people and the faults, what comes back from it, and what a script says.

The page is one form without scripts. Whoever is chosen there, or named by a script in a header, is signed in at the
provider from then on.
"""

from collections.abc import Callable

from doorward.base.frozen import frozen
from doorward.base.text import email_key
from doorward.emulator.faults import ANSWER_FAULTS, FAULTS, ID_TOKEN_FAULTS, check_faults
from doorward.emulator.lobby import SignedIn
from doorward.emulator.messages import BadMessage
from doorward.emulator.people import Person, tenant_of_person
from doorward.emulator.stage import Stage
from doorward.emulator.web import Ask, Reply, page
from doorward.protocol.parameters import Pairs
from doorward.providers.aad import CONSUMER_TENANT

PERSON_HEADER = "x-emulator-person"
FAULTS_HEADER = "x-emulator-faults"


@frozen
class Choice:
    """What was chosen on the page, or named by a script: who, and what shall go wrong. No e-mail is a no."""

    email: str
    faults: tuple[str, ...]


@frozen
class Offer:
    """What the page shows: for whom, where its form goes, which people come first or not at all, what may go wrong."""

    stage: Stage
    provider: str
    label: str
    action: str
    application: str
    site: str
    scopes: str = ""
    hint: str = ""
    domain: str = ""
    has_id_tokens: bool = True
    may_enter: Callable[[Person], bool] = lambda _: True


def choice_of(chosen: Pairs, ask: Ask) -> Choice | None:
    """Give what was chosen, None where nothing was yet; raises `BadMessage` for nobody and for an unknown fault."""
    given = dict(chosen)
    if given:
        faults = tuple(name.removeprefix("fault.") for name in given if name.startswith("fault."))
        email = "" if "deny" in given else given.get("person") or given.get("other", "")
        if not email and "deny" not in given:
            raise BadMessage("nobody was chosen")
        return Choice(email=email, faults=check_faults(faults))
    if person := ask.header(PERSON_HEADER):
        return Choice(email=person, faults=check_faults(_names(ask.header(FAULTS_HEADER))))
    return None


def offer_page(offer: Offer, signed_in: list[SignedIn]) -> Reply:
    """Show the people to choose from: who is meant first, then who is signed in."""
    everybody = offer.stage.people.all()
    people = [person for person in everybody if is_of_domain(person, offer.domain)] or list(everybody)
    listed = {email_key(person.email) for person in people}
    known = {email_key(one.email) for one in signed_in}
    people += [offer.stage.people.find(one.email) for one in signed_in if email_key(one.email) not in listed]
    people.sort(key=lambda p: (email_key(p.email) != email_key(offer.hint), email_key(p.email) not in known))
    return page(
        "emulator_sign_in.html",
        note="asked who it is",
        action=offer.action,
        provider=offer.label,
        application=offer.application,
        site=offer.site,
        scopes=offer.scopes.split(),
        people=[_row(offer, person, known) for person in people],
        hint=offer.hint,
        groups=[
            *([("The id_token", list(ID_TOKEN_FAULTS.items()))] if offer.has_id_tokens else []),
            ("The answers", list(ANSWER_FAULTS.items())),
        ],
        preset=[FAULTS[name] for name in offer.stage.switches.peek(offer.provider)],
    )


def is_of_domain(person: Person, domain: str) -> bool:
    """Say whether a person belongs to what a domain hint names: a domain, a tenant, organizations, consumers."""
    match domain:
        case "" | "*":
            return True
        case "organizations":
            return tenant_of_person(person) != CONSUMER_TENANT
        case "consumers":
            return tenant_of_person(person) == CONSUMER_TENANT
        case _:
            return (email_key(person.email) or "").endswith(f"@{domain}") or tenant_of_person(person) == domain


def _row(offer: Offer, person: Person, known: set[str | None]) -> dict[str, str]:
    notes = {
        "signed in": email_key(person.email) in known,
        "guest": person.guest,
        "may not sign in here": not offer.may_enter(person),
    }
    shown = ", ".join(note for note, holds in notes.items() if holds)
    return {"email": person.email, "name": person.name, "note": shown}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)
