"""Who is signed in at a pretend provider in which browser: its own session, so that a second sign-in is silent.

One cookie for the emulator, one row of people for each provider behind it, the last one first. Kept in memory: after a
restart a browser is asked again.
"""

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy, opaque_token
from doorward.base.frozen import frozen

COOKIE = "emulator_session"
BROWSERS_AT_MOST = 1000


@frozen
class SignedIn:
    """A person who is signed in at a provider. `at` is when, in seconds; `session` names the provider's session."""

    email: str
    at: float
    session: str


class Lobby:
    """The browsers that the providers know."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        """Begin with nobody."""
        self._clock = clock
        self._entropy = entropy
        self._browsers: dict[str, dict[str, list[SignedIn]]] = {}

    def people(self, browser: str, provider: str) -> list[SignedIn]:
        """Give who is signed in at a provider in a browser, named by its cookie; the last one first."""
        return list(self._browsers.get(browser, {}).get(provider, ()))

    def enter(self, browser: str, provider: str, email: str) -> tuple[str, SignedIn]:
        """Sign a person in; gives the cookie, a new one where the browser has none of ours."""
        if browser not in self._browsers:
            browser = opaque_token(self._entropy)
            while len(self._browsers) >= BROWSERS_AT_MOST:
                del self._browsers[next(iter(self._browsers))]
            self._browsers[browser] = {}
        others = [one for one in self.people(browser, provider) if one.email != email]
        here = SignedIn(email=email, at=self._clock.now(), session=self._entropy.draw(16).hex())
        self._browsers[browser][provider] = [here, *others]
        return browser, here

    def leave(self, browser: str, provider: str) -> list[SignedIn]:
        """Sign everybody out of a provider in a browser; gives who it was."""
        return self._browsers.get(browser, {}).pop(provider, [])


def set_cookie(browser: str) -> tuple[bytes, bytes]:
    """Give the header that sets the cookie: of this browser session, unreadable for scripts."""
    return (b"set-cookie", f"{COOKIE}={browser}; Path=/; HttpOnly; SameSite=Lax".encode())
