"""A pretend provider made of a provider's specification alone: what a new provider gets without a file here.

One that speaks OpenID Connect is as any custom one, under its own name; one of OAuth 2 has a profile after the sample
of its specification. OAuth 1.0a has too many ways of its own, and wants a file.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar

from doorward.base.text import email_key
from doorward.emulator import custom
from doorward.emulator.clients import Client
from doorward.emulator.custom import PretendCustom
from doorward.emulator.doors import OAuthProvider
from doorward.emulator.grants import Grant
from doorward.emulator.people import Person
from doorward.emulator.pretend import Door, Pretend, Spot
from doorward.emulator.stage import Stage
from doorward.emulator.web import Ask
from doorward.providers.spec import ProviderSpec

ROOT = "/oauth/"
_DOORS: dict[str, Door] = {"authorize": "authorize", "token": "token", "profile": "userinfo", "logout": "end_session"}


def pretend_by(spec: ProviderSpec, stage: Stage) -> Pretend | None:
    """Give the pretend provider of a specification, None where it cannot be made of that alone."""
    match spec.kind:
        case "oidc":
            return PretendCustom(stage, spec.name)
        case "oauth2":
            return PretendProfile(stage, spec)
        case _:
            return None


def addresses(base_url: str, spec: ProviderSpec) -> dict[str, str]:
    """Give the members of `[providers.NAME]` for a provider made of its specification."""
    if spec.kind == "oidc":
        place = f"{base_url}{custom.ROOT}{spec.name}"
        return {"issuer": place}
    place = f"{base_url}{ROOT}{spec.name}"
    return {
        "authorization_endpoint": f"{place}/authorize",
        "token_endpoint": f"{place}/token",
        "userinfo_endpoint": f"{place}/profile",
        "end_session_endpoint": f"{place}/logout",
    }


class PretendProfile(OAuthProvider):
    """A provider of OAuth 2 that tells who somebody is in a profile of its own."""

    response_types: ClassVar[frozenset[str]] = frozenset({"", "code"})
    has_id_tokens: ClassVar[bool] = False
    needs_openid: ClassVar[bool] = False

    def __init__(self, stage: Stage, spec: ProviderSpec) -> None:
        """Pretend on `stage` what `spec` says."""
        super().__init__(stage)
        self._spec = spec
        self.name = spec.name
        self.label = spec.label
        self.default_client = custom.custom_client_id(spec.name)
        self._root = f"{ROOT}{spec.name}/"

    def document(self, path: str) -> Mapping[str, object] | None:
        """Nothing is published."""
        del path

    def door(self, path: str) -> Spot | None:
        """Give the door at a path."""
        door = _DOORS.get(path.removeprefix(self._root)) if path.startswith(self._root) else None
        return Spot(door=door) if door is not None else None

    def wants_refresh(self, grant: Grant, client: Client) -> bool:
        """Refresh tokens come where the provider can refresh at all."""
        del grant, client
        return self._spec.can_refresh

    def profile(self, grant: Grant, person: Person, ask: Ask) -> object:
        """Give the sample with the person's own name, address and number in it."""
        del grant, ask
        own = {"name": person.name, "email": person.email, self._spec.subject_field: self._number(person)}
        sample = dict(self._spec.sample)
        return sample | {name: own[name] for name in own if name in sample} | person.claims_at(self.name)

    def _number(self, person: Person) -> object:
        digest = sha256(f"{self.name}\n{email_key(person.email)}".encode()).digest()
        number = int.from_bytes(digest[:4], "big") + 1
        return number if isinstance(self._spec.sample.get(self._spec.subject_field), int) else str(number)
