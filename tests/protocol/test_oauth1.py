from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1 import Client as OauthlibClient

from doorward.protocol.oauth1 import (
    AccessTokenAnswer,
    CallbackAnswer,
    Consumer,
    RequestTokenAnswer,
    Token,
    is_signed,
    read_authorization,
    sign,
)
from doorward.protocol.parameters import BadMessage

# The example of Twitter's own guide to signing; every other implementation is tried with it, too.
EXAMPLE_URL = "https://api.twitter.com/1.1/statuses/update.json?include_entities=true"
EXAMPLE_FORM = (("status", "Hello Ladies + Gentlemen, a signed OAuth request!"),)
EXAMPLE_CONSUMER = Consumer(key="xvz1evFS4wEEPTGEFPHBog", secret="kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw")
EXAMPLE_TOKEN = Token(
    token="370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb", secret="LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"
)
TEXT = st.text(max_size=20)


def signed(**changes: Any) -> tuple[str, str, Any]:
    """Sign a request; gives method, address and what the header says."""
    call: dict[str, Any] = {
        "method": "POST",
        "url": "http://127.0.0.1:8082/twitter/oauth/request_token",
        "consumer": Consumer(key="k", secret="s"),
        "nonce": "n",
        "timestamp": 1,
    } | changes
    header = sign(call.pop("method"), call.pop("url"), call.pop("consumer"), **call)
    return "POST", "http://127.0.0.1:8082/twitter/oauth/request_token", read_authorization(header)


def test_the_signature_is_twitters_own() -> None:
    """The published example gives the published signature."""
    header = sign(
        "POST",
        EXAMPLE_URL,
        EXAMPLE_CONSUMER,
        EXAMPLE_TOKEN,
        nonce="kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
        timestamp=1318622958,
        form=EXAMPLE_FORM,
    )
    given = read_authorization(header)
    assert given["oauth_signature"] == "hCtSmYh+iHYCEqBWrE7C7hYmtUk="
    assert is_signed("POST", EXAMPLE_URL, given, EXAMPLE_CONSUMER, EXAMPLE_TOKEN, EXAMPLE_FORM)


@given(TEXT, TEXT, TEXT, st.dictionaries(TEXT.filter(bool), TEXT, max_size=3))
def test_what_is_signed_is_known_again(secret: str, token_secret: str, callback: str, form: dict[str, str]) -> None:
    """Any secrets, any parameters: the signature is good, and bad under any other secret."""
    consumer, token = Consumer(key="k", secret=secret), Token(token="t", secret=token_secret)
    pairs = tuple((name, value) for name, value in form.items() if not name.startswith("oauth_"))
    url = "http://127.0.0.1:8082/a?b=c%20d&b=e"
    header = sign("POST", url, consumer, token, nonce="n", timestamp=1, callback=callback, form=pairs)
    given = read_authorization(header)
    assert is_signed("POST", url, given, consumer, token, pairs)
    assert given.get("oauth_callback", "") == callback
    assert not is_signed("POST", url, given, Consumer(key="k", secret=f"{secret}x"), token, pairs)
    assert not is_signed("POST", url, given, consumer, Token(token="t", secret=f"{token_secret}x"), pairs)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "GET"},
        {"url": "http://127.0.0.1:8082/twitter/oauth/access_token"},
        {"url": "http://127.0.0.1:8083/twitter/oauth/request_token"},
        {"url": "http://127.0.0.1:8082/twitter/oauth/request_token?x=1"},
        {"form": (("x", "1"),)},
        {"consumer": Consumer(key="k", secret="other")},
        {"token": Token(token="t", secret="t")},
    ],
)
def test_a_signature_of_anything_else_is_bad(changes: dict[str, Any]) -> None:
    """Method, address, query, body and both secrets are signed."""
    method, url, given = signed(**changes)
    assert not is_signed(method, url, given, Consumer(key="k", secret="s"), Token())


def test_oauthlibs_own_client_is_understood() -> None:
    """Another client's header is read, its realm and all."""
    client: Any = OauthlibClient("k", client_secret="s", realm="somewhere")
    url = "http://127.0.0.1:8082/twitter/oauth/request_token"
    _, headers, _ = client.sign(url, http_method="POST")
    given = read_authorization(headers["Authorization"])
    assert is_signed("POST", url, given, Consumer(key="k", secret="s"), Token())


GOOD = {"oauth_consumer_key": "k", "oauth_nonce": "n", "oauth_signature": "s"} | {
    "oauth_signature_method": "HMAC-SHA1",
    "oauth_timestamp": "1",
}


def header_of(**changes: str) -> str:
    """Write a header by hand, its parts as given; an empty one is left out."""
    parts = {name: value for name, value in (GOOD | changes).items() if value}
    return "OAuth " + ", ".join(f'{name}="{value}"' for name, value in parts.items())


def test_a_header_is_read() -> None:
    """The one that the others below are spoilt from."""
    assert read_authorization(header_of()) == GOOD


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer abc",
        "OAuth",
        "OAuth x",
        header_of() + ', oauth_consumer_key="j"',
        *(header_of(**{name: ""}) for name in GOOD),
        header_of(oauth_signature_method="PLAINTEXT"),
        header_of(oauth_timestamp="soon"),
        header_of(oauth_version="2.0"),
    ],
)
def test_another_header_is_refused(header: str) -> None:
    """Other schemes, repetitions, other methods, and what lacks a part."""
    with pytest.raises(BadMessage):
        read_authorization(header)


@pytest.mark.parametrize("kind", [RequestTokenAnswer, CallbackAnswer, AccessTokenAnswer])
@given(st.data())
def test_answers_come_back_as_they_were_sent(kind: Any, data: st.DataObject) -> None:
    """`from(to(x)) == x`, and no secret is printed."""
    names = [one.name for one in fields(kind) if one.name != "further"]
    message = kind(**{name: data.draw(TEXT) for name in names}, further=(("more", data.draw(TEXT)),))
    assert kind.from_form(message.to_form()) == message
    assert kind.from_query(message.to_query()) == message
    assert "s3cr3t" not in repr(kind(oauth_token="s3cr3t", further=(("x", "s3cr3t"),)))
