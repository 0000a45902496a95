"""Signing a pretend person in at the gateway, as their browser would: redirects, cookies, the provider's answer.

Everything is real but the click on the provider's page, which the emulator makes for whoever asks.
"""

from collections.abc import Sequence
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from doorward.emulator.messages import AUTHORIZE_PATH, AuthorizeAs, Authorized
from doorward.protocol.easyauth import SESSION_COOKIE
from doorward.testing.caller import Response, call


class SignInRefused(AssertionError):
    """Somebody was not signed in; `response` is the answer that ended it."""

    def __init__(self, where: str, response: Response) -> None:
        """Fail at `where` with the answer."""
        super().__init__(f"{where} answered {response.status_code}: {response.text}")
        self.response = response


def sign_in(gateway: str, emulator: str, provider: str, email: str, faults: Sequence[str] = ()) -> str:
    """Sign `email` in with a provider and give the session cookie's value.

    `gateway` is the address of Easy Auth's own paths (`http://127.0.0.1:1234/.auth`), `emulator` that of the pretend
    providers; `faults` are what is to go wrong there, by the emulator's names. Raises `SignInRefused`.
    """
    begun = call("GET", f"{gateway}/login/{provider}?post_login_redirect_uri=/")
    if begun.status_code != 302:
        raise SignInRefused("the sign-in address", begun)
    wish = AuthorizeAs(url=begun.headers["location"], email=email, faults=tuple(faults))
    asked = call("POST", f"{emulator}{AUTHORIZE_PATH}", {"Content-Type": "application/json"}, wish.to_json())
    if asked.status_code != 200:
        raise SignInRefused("the pretend provider", asked)
    ended = _come_back(Authorized.from_json(asked.content), begun)
    cookie = _cookies(ended).get(SESSION_COOKIE)
    if ended.status_code != 302 or not cookie:
        raise SignInRefused("the callback", ended)
    return cookie


def _come_back(told: Authorized, begun: Response) -> Response:
    """Bring the gateway what the provider said, with the cookies of the beginning."""
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in _cookies(begun).items())}
    if told.method == "GET":
        return call("GET", told.url, headers)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return call("POST", told.url, headers, urlencode(told.fields).encode())


def _cookies(response: Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in response.set_cookies:
        found |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
    return found
