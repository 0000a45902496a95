"""OAuth 1.0a: its messages with both directions, signing them, and checking a signature (RFC 5849, HMAC-SHA1).

The client signs what the pretend provider checks. Secrets and tokens are never printed, and what is signed is never
logged.
"""

import hmac
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from doorward.base.frozen import frozen
from doorward.protocol.parameter_message import ParameterMessage
from doorward.protocol.parameters import BadMessage, Pairs, refuse_repeated, write_parameters

METHOD = "HMAC-SHA1"
logging.getLogger("oauthlib").setLevel(logging.WARNING)  # its debug lines hold what is signed, tokens included
_PART = re.compile(r'([A-Za-z0-9_.~%-]+)="([^",]*)"')
_NEEDED = ("oauth_consumer_key", "oauth_nonce", "oauth_signature", "oauth_signature_method", "oauth_timestamp")


@frozen
class Consumer:
    """An application: its key and secret."""

    key: str
    secret: str = field(repr=False)


@frozen
class Token:
    """A request token or an access token, with its secret; both empty where there is none yet."""

    token: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


@frozen
class RequestTokenAnswer(ParameterMessage):
    """The answer to a request for a request token (RFC 5849 section 2.1)."""

    oauth_token: str = field(default="", repr=False)
    oauth_token_secret: str = field(default="", repr=False)
    oauth_callback_confirmed: str = ""
    further: Pairs = field(default=(), repr=False)


@frozen
class CallbackAnswer(ParameterMessage):
    """What the browser brings back (section 2.2); `denied` is the request token of who said no."""

    oauth_token: str = field(default="", repr=False)
    oauth_verifier: str = field(default="", repr=False)
    denied: str = field(default="", repr=False)
    further: Pairs = field(default=(), repr=False)


@frozen
class AccessTokenAnswer(ParameterMessage):
    """The answer to a request for an access token (section 2.3), with whose it is as Twitter adds it."""

    oauth_token: str = field(default="", repr=False)
    oauth_token_secret: str = field(default="", repr=False)
    user_id: str = ""
    screen_name: str = ""
    further: Pairs = field(default=(), repr=False)


def sign(
    method: str,
    url: str,
    consumer: Consumer,
    token: Token | None = None,
    *,
    nonce: str,
    timestamp: int,
    callback: str = "",
    verifier: str = "",
    form: Iterable[tuple[str, str]] = (),
) -> str:
    """Give the Authorization header for a request (section 3.5.1).

    `nonce` must be new for each request, `timestamp` is in seconds. The query of `url` and the parameters of `form`,
    which is sent as the body, are signed with it.
    """
    from oauthlib.oauth1 import Client  # noqa: PLC0415  X alone needs it, and a start need not wait for it

    held = token or Token()
    make: Any = Client  # typed narrower than what it takes
    client = make(
        consumer.key,
        client_secret=consumer.secret,
        resource_owner_key=held.token or None,
        resource_owner_secret=held.secret or None,
        callback_uri=callback or None,
        verifier=verifier or None,
        signature_method=METHOD,
        nonce=nonce,
        timestamp=str(timestamp),
    )
    body = write_parameters(form)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    _, signed, _ = client.sign(url, http_method=method, body=body or None, headers=headers)
    return str(signed["Authorization"])


def read_authorization(header: str) -> Mapping[str, str]:
    """Read a signed Authorization header (section 3.5.1), without its realm.

    Raises `BadMessage` when it is another one, says something twice, lacks what every request needs, or names another
    method or version.
    """
    scheme, _, rest = header.partition(" ")
    parts = [_PART.fullmatch(part.strip()) for part in rest.split(",")]
    if scheme.lower() != "oauth" or None in parts:
        raise BadMessage("the Authorization header is not OAuth 1.0a")
    pairs = [(unquote(part[1]), unquote(part[2])) for part in parts if part is not None]
    refuse_repeated(pairs)
    given = {name: value for name, value in pairs if name != "realm"}
    if absent := [name for name in _NEEDED if not given.get(name)]:
        raise BadMessage(f"{absent[0]} is absent")
    if given["oauth_signature_method"] != METHOD or given.get("oauth_version", "1.0") != "1.0":
        raise BadMessage(f"the signature is not {METHOD} of version 1.0")
    timestamp = given["oauth_timestamp"]
    if not (timestamp.isascii() and timestamp.isdecimal()):
        raise BadMessage("oauth_timestamp is not a number of seconds")
    return given


def is_signed(
    method: str, url: str, given: Mapping[str, str], consumer: Consumer, token: Token, form: Pairs = ()
) -> bool:
    """Say whether `given`, as `read_authorization` gave it, holds the signature of a request (section 3.2).

    `url` is the whole address as it was called, with its query.
    """
    query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    if any(name.startswith("oauth_") for name, _ in (*query, *form)):
        return False  # one parameter in two places could be read as two different ones
    signed = [(name, value) for name, value in given.items() if name != "oauth_signature"]
    from oauthlib.oauth1 import Client  # noqa: PLC0415  as above
    from oauthlib.oauth1.rfc5849 import signature  # noqa: PLC0415  as above

    rules: Any = signature  # its types are partly unknown
    base = rules.signature_base_string(
        method, rules.base_string_uri(url), rules.normalize_parameters([*query, *form, *signed])
    )
    client: Any = Client(consumer.key, client_secret=consumer.secret, resource_owner_secret=token.secret or None)
    expected = str(rules.sign_hmac_sha1_with_client(base, client))
    return hmac.compare_digest(expected.encode(), given["oauth_signature"].encode())
