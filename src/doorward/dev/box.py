"""The box: what runs where, who can sign in, and commands to paste."""

import msgspec

from doorward.config.dev_keys import DEV_CLIENT, DEV_CLIENT_SECRET
from doorward.config.settings import Settings
from doorward.dev.options import DATA, SETTINGS_FILE, DevOptions, emulator_url
from doorward.dev.samples import FIRST_PERSON, Samples
from doorward.emulator.messages import MINT_PATH
from doorward.emulator.people import CONTOSO, FABRIKAM, PEOPLE, Person, tenant_of
from doorward.exchange import api
from doorward.exchange.envelope import PREFIX


def box(settings: Settings, given: DevOptions, samples: Samples) -> str:
    """Give the text that `dev` prints: what runs where, who can sign in, and commands to paste."""
    people = ", ".join(f"{person.name} <{person.email}>" for person in PEOPLE if _may_sign_in(person))
    rule = "-" * 100
    commands = "\n\n".join(f"{says}:\n{command}" for says, command in _commands(settings, given, samples))
    return f"""
{rule}
Doorward in development mode: nothing leaves this machine. Stop it with Ctrl-C.

{_places(settings, given)}
  people            {people}
  data              {DATA}/   (empty it with --fresh; other commands work on it with --config {DATA / SETTINGS_FILE})

{commands}
{rule}
"""


def _places(settings: Settings, given: DevOptions) -> str:
    """Say what stands where."""
    site, plan, upstream = settings.server.public_url, settings.auth.plan, ", ".join(settings.app.upstream)
    places: list[tuple[str, str]] = []
    if plan is not None and plan.enabled:
        names = ", ".join(plan.providers)
        places += [("open", f"{site}/   sign in as anybody: {names}"), ("behind it", upstream)]
    places += [
        ("token service", f"{site}{PREFIX}"),
        ("probes, metrics", f"http://{settings.server.admin_listen}/readyz  /livez  /metrics"),
        ("pretend providers", f"{emulator_url(given)}   people, faults, and a log of every redirect"),
    ]
    return "\n".join(f"  {name:<17} {what}" for name, what in places)


def _commands(settings: Settings, given: DevOptions, samples: Samples) -> list[tuple[str, str]]:
    """Give each command as one line to paste, and what it does; none of them needs another to run first."""
    site, key = settings.server.public_url, settings.token_service.subscription_key.reveal()
    login = msgspec.json.encode({"email": FIRST_PERSON.email, "azure_ad_token": samples.id_token}).decode()
    json, bearer = "-H 'Content-Type: application/json'", f"-H 'Authorization: Bearer {samples.pair.access_token}'"
    subscribed = f" -H 'Ocp-Apim-Subscription-Key: {key}'" if key else ""
    client, token = f"-u '{DEV_CLIENT}:{DEV_CLIENT_SECRET}'", f"-d 'token={samples.pair.platform_token}'"
    mint = f'curl -sS -X POST {emulator_url(given)}{MINT_PATH} {json} -d \'{{"email":"you@contoso.com"}}\''
    ours = [
        ("Exchange an id_token for both platform tokens", f"-X POST {site}{api.LOGIN} {json} -d '{login}'"),
        ("Refresh the pair", f"-X POST {site}{api.REFRESH} {bearer}"),
        ("Ask who the token belongs to", f"{site}{api.ME} {bearer}"),
        ("Introspect the opaque platform token", f"-X POST {site}{api.OAUTH}/introspect {client} {token}"),
    ]
    bearer_of_app = f"-H 'Authorization: Bearer {samples.pair.platform_token}'"
    plan = settings.auth.plan
    if plan is not None and plan.enabled and plan.token_store:
        ours.append(("Come to the gateway with the platform token", f"{site}{plan.api_prefix}/me {bearer_of_app}"))
    served = [(says, f"curl -sS{subscribed} {rest}") for says, rest in ours] if settings.token_service.enabled else []
    return [*served, ("Have the pretend Entra make an id_token for anybody", mint)]


def _may_sign_in(person: Person) -> bool:
    return not person.guest and tenant_of(person.email) in (CONTOSO, FABRIKAM)
