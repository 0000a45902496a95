"""What a client posts to sign somebody in: a JSON object of texts (easy-auth reference 1.4 and 3).

Read strictly: a name that is there twice could be read as either value. A field that is missing is told in the words
of App Service, which clients know.
"""

from collections.abc import Mapping

from doorward.base.errors import DoorwardError
from doorward.base.refusals_providers import LOGIN_BODY_MALFORMED
from doorward.base.strict_json import FEW_PARTS, NotStrictJson, decode_object
from doorward.identity.visit import Visit
from doorward.providers.spec import ProviderSpec

MAX_BODY = 64 * 1024
MAX_TEXT = 16 * 1024


class FieldMissing(Exception):
    """A body has not the field that it must have."""

    def __init__(self, name: str) -> None:
        """Miss the field `name`."""
        super().__init__(f"'{name}' field is required.")


def read_posted(visit: Visit, body: bytes, names: tuple[str, ...]) -> dict[str, str]:
    """Read the fields of these names that are there and not empty; all others are left unread.

    Numbers are taken for `expires_in` alone. Raises `DoorwardError` (`login_body_malformed`).
    """
    if (visit.header(b"content-type") or b"").partition(b";")[0].strip().lower() != b"application/json":
        raise DoorwardError(LOGIN_BODY_MALFORMED, reason="the Content-Type is not application/json")
    try:
        members = decode_object(body, FEW_PARTS)
    except NotStrictJson as error:
        raise DoorwardError(LOGIN_BODY_MALFORMED, reason=str(error)) from error
    texts = {name: _text(name, members[name]) for name in names if members.get(name) is not None}
    return {name: text for name, text in texts.items() if text}


def require_fields(spec: ProviderSpec, posted: Mapping[str, str]) -> None:
    """Hold a body to the fields that its provider needs; raises `FieldMissing`."""
    if spec.posted_instead and spec.posted_instead in posted:
        return
    for name in spec.posted:
        if name not in posted:
            raise FieldMissing(name)


def fields_of(spec: ProviderSpec) -> tuple[str, ...]:
    """Give every field that a body for this provider may have."""
    return (*spec.posted, *spec.posted_beside, *((spec.posted_instead,) if spec.posted_instead else ()))


def _text(name: str, value: object) -> str:
    if name == "expires_in":
        return _seconds(value)
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isascii() or not value.isprintable():
        raise DoorwardError(LOGIN_BODY_MALFORMED, reason=f"{name} is no text of visible characters, or too long")
    return value


def _seconds(value: object) -> str:
    """Read a number of seconds, which some clients write as text."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not (text.isascii() and text.isdecimal()) or len(text) > 10:
        raise DoorwardError(LOGIN_BODY_MALFORMED, reason="expires_in is no number of seconds")
    return text
