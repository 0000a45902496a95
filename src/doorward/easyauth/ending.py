"""How a sign-in is to end: with a cookie, or with a session token for a page, a popup's opener or a native app.

Easy-auth reference 1.1 and 1.2; interface, "Several providers; guesses in the sign-in". Owns the reading and judging of
`session_mode`, `completion_type`, `completion_origin` and `code_challenge`. Whoever asks for a token in place of a
cookie is held to exactly what was asked, since a token in the wrong hands is the whole session.
"""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Sequence
from dataclasses import field
from urllib.parse import urlsplit

from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals_completion import COMPLETION_NOT_ALLOWED
from doorward.base.refusals_sign_in import SIGN_IN_MALFORMED
from doorward.base.targets import allowed_target
from doorward.identity.visit import Visit
from doorward.protocol.jose import base64url_encode
from doorward.protocol.parameters import BadMessage, Pairs, read_parameters
from doorward.sessions.nonce import PendingSignIn, SessionMode

NAMES = ("session_mode", "completion_type", "completion_origin", "code_challenge", "code_challenge_method")
MAX_ORIGIN = 255
_WEB = frozenset({"http", "https"})
_POPUPS = frozenset({"postMessage", "iframe"})
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# As a browser writes an origin (RFC 6454 section 6.2): lower case, nothing behind host and port.
_ORIGIN = re.compile(r"(https?)://(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
_SHA256 = 32


@frozen
class Ending:
    """How one sign-in ends.

    `completion_type` and `completion_origin` are those of popup sign-ins, empty for all others. `code_challenge` is the
    SHA-256 of a native app's verifier in base64url, whichever encoding it came in; empty where there is none.
    """

    mode: SessionMode = "cookie"
    completion_type: str = ""
    completion_origin: str = ""
    code_challenge: str = field(default="", repr=False)

    @property
    def landing(self) -> str:
        """Give the page below `/.auth/login` that it ends on where nobody said where to go."""
        return "done" if self.mode == "token" else "complete"


BY_COOKIE = Ending()


def read_query(visit: Visit) -> Pairs:
    """Read the parameters of a sign-in address; raises `DoorwardError` when one is there twice or malformed."""
    try:
        return read_parameters(visit.query)
    except BadMessage as error:
        raise _malformed(str(error)) from error


def read_ending(asked: Pairs, target: str | None, site: str, allowed: Sequence[str]) -> Ending:
    """Read how a sign-in is to end from the parameters of its address.

    `target` was judged already. Without `session_mode` it is a token for the schemes of applications and where a popup
    or a code challenge asks for one, and else a cookie. Raises `DoorwardError` (`sign_in_malformed`,
    `completion_origin_not_allowed`).
    """
    given = {name: value for name, value in asked if name in NAMES and value}
    popup, origin = given.get("completion_type", ""), given.get("completion_origin", "")
    challenge = _read_challenge(given)
    wants_token = bool(popup or challenge) or (target is not None and not _is_web(target))
    mode = given.get("session_mode", "token" if wants_token else "cookie")
    if mode == "cookie":
        if popup or challenge:
            raise _malformed("a popup or a code challenge ends with a token, not with a cookie")
        return BY_COOKIE
    if mode != "token":
        raise _malformed("session_mode is neither cookie nor token")
    if popup:
        if popup not in _POPUPS or challenge:
            raise _malformed("completion_type is neither postMessage nor iframe, or stands beside a code challenge")
        refuse_origin(origin, site, allowed)
    return Ending(
        mode="token", completion_type=popup, completion_origin=origin if popup else "", code_challenge=challenge
    )


def ending_of(pending: PendingSignIn | None) -> Ending:
    """Give how a sign-in ends that came back; where nothing of it is known it is by cookie."""
    if pending is None:
        return BY_COOKIE
    return Ending(
        mode=pending.session_mode,
        completion_type=pending.completion_type,
        completion_origin=pending.completion_origin,
        code_challenge=pending.code_challenge,
    )


def refuse_origin(origin: str, site: str, allowed: Sequence[str]) -> None:
    """Raise `DoorwardError` (`completion_origin_not_allowed`) unless a page of `origin` may receive a token.

    That is the site itself, or whatever `login.allowedExternalRedirectUrls` lets browsers be sent to without a path: an
    entry with a path does not stand for its whole origin. It has to be written as browsers write origins, so that it
    means one thing to us, to `postMessage` and to `frame-ancestors`.
    """
    found = _ORIGIN.fullmatch(origin) if len(origin) <= MAX_ORIGIN else None
    if found is None or found[2] == _DEFAULT_PORTS[found[1]] or allowed_target(origin, site, allowed) != origin:
        raise DoorwardError(COMPLETION_NOT_ALLOWED)


def _is_web(target: str) -> bool:
    return target.startswith("/") or urlsplit(target).scheme.lower() in _WEB


def _read_challenge(given: dict[str, str]) -> str:
    """Give the challenge in base64url, as RFC 7636 has it; App Service's own clients send padded base64."""
    text, method = given.get("code_challenge", ""), given.get("code_challenge_method", "")
    if not text and not method:
        return ""
    if method != "S256":
        raise _malformed("code_challenge_method is not S256")
    try:
        plain = b64decode(_padded(text.translate(_TO_BASE64)), validate=True)
    except (Error, ValueError) as error:
        raise _malformed("code_challenge is neither base64 nor base64url") from error
    encoded = base64url_encode(plain).decode()
    # The last character of a spelling may hold bits that say nothing: one challenge has one spelling.
    if len(plain) != _SHA256 or encoded != text.rstrip("=").translate(_TO_BASE64URL):
        raise _malformed("code_challenge is no SHA-256")
    return encoded


def _padded(text: str) -> str:
    return text if text.endswith("=") else text + "=" * (-len(text) % 4)


_TO_BASE64 = str.maketrans("-_", "+/")
_TO_BASE64URL = str.maketrans("+/", "-_")


def _malformed(reason: str) -> DoorwardError:
    return DoorwardError(SIGN_IN_MALFORMED, reason=reason)
