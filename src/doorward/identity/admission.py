"""May this request pass: pure, from the facts of a request and the credential that was found in it.

Easy-auth reference section 10 and interface sections 5 and 7. Every door asks `decide` and writes what it says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias, final

from doorward.base.errors import ErrorRow
from doorward.identity.principal import Principal

Action = Literal["RedirectToLoginPage", "AllowAnonymous", "Return401", "Return403", "Return404"]


class Via(Enum):
    """How a caller was recognised."""

    SESSION_TOKEN = "X-ZUMO-AUTH"
    BEARER = "provider bearer"
    PLATFORM_TOKEN = "platform token"
    COOKIE = "session cookie"


@final
@dataclass(frozen=True, slots=True)
class Anonymous:
    """No credential of ours came with the request, or a cookie that says nothing (any more)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A good credential."""

    via: Via
    principal: Principal


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A credential that is present and does not pass: 401 or 403 by `row`, never a fallback (interface section 5)."""

    row: ErrorRow
    facts: Mapping[str, object]


Credential: TypeAlias = Anonymous | Recognised | Bad


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """Forward, as `principal`, or without identity where there is none. `rule` names the rule that decided."""

    principal: Principal | None
    rule: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Ask for a sign-in: by a redirect (`redirect`), or by 401 with the challenge header.

    `provider` is the alias to go straight to; None is the page to choose one.
    """

    redirect: bool
    provider: str | None
    row: ErrorRow
    rule: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """Refuse, with the status of `row`."""

    row: ErrorRow
    rule: str
    facts: Mapping[str, object]


Decision: TypeAlias = Allow | Challenge | Deny


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRules:
    """What the auth tree and the settings say about requests.

    `provider` is the alias that RedirectToLoginPage goes straight to, None for the page to choose; `providers` counts
    those configured. `csrf_sites` are the entries of allowedExternalRedirectUrls beside the site itself.
    """

    enabled: bool
    action: Action
    provider: str | None
    providers: int
    excluded_paths: tuple[str, ...] = ()
    warmup_path: str | None = None
    csrf_sites: tuple[str, ...] = ()
    scripts_get_401: bool = False
