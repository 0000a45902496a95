"""What a person has granted to an application, and the codes and tokens that stand for it.

A code is used once: at its second use everything that came of it is revoked (RFC 6749 section 4.1.2). So is a family
of refresh tokens when one that was exchanged comes again (RFC 9700 section 4.14.2). Refresh tokens are kept in a file
where one is given, so that an application's sessions outlive a restart; codes and access tokens end with the process.
"""

import os
from pathlib import Path

import msgspec

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.base.frozen import frozen
from doorward.protocol.jose import base64url_encode

CODE_SECONDS = 300
REFRESH_SECONDS = 90 * 86400
KEPT_AT_MOST = 2000


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """That `email` let `client_id` of `provider` in.

    `realm` is the part of the provider at which it happened (Entra: tenant and version). `family` names everything that
    came of one sign-in. `faults` are what goes wrong with it on purpose.
    """

    provider: str
    realm: str = ""
    client_id: str
    email: str
    redirect_uri: str = ""
    scope: str = ""
    resource: str = ""
    nonce: str = ""
    code_challenge: str = ""
    signed_in_at: int = 0
    session: str = ""
    offline: bool = False
    faults: tuple[str, ...] = ()
    family: str = ""

    def has_scope(self, name: str) -> bool:
        """Say whether a scope was granted."""
        return name in self.scope.split()


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A code or token: what it stands for, until when, and whether it was exchanged."""

    grant: Grant
    ends_at: float
    used: bool = False


@frozen(kw_only=False)
class NotGranted(Exception):
    """A code or token is not good; `reason` says why."""

    reason: str


class Grants:
    """All codes and tokens."""

    def __init__(self, clock: Clock, entropy: Entropy, file: Path | None = None) -> None:
        """Read the refresh tokens from `file`; None keeps them in memory."""
        self._clock = clock
        self._entropy = entropy
        self._file = file
        self._codes: dict[str, Issued] = {}
        self._access: dict[str, Issued] = {}
        self._refresh: dict[str, Issued] = self._read()
        self._seen: dict[str, None] = {}
        self._consented: set[tuple[str, str, str]] = set()

    def new_text(self, size: int = 32) -> str:
        """Draw text that nobody can guess, from `size` bytes."""
        return base64url_encode(self._entropy.draw(size)).decode()

    # --- codes ---

    def code_for(self, grant: Grant, seconds: float = CODE_SECONDS) -> str:
        """Make a code."""
        code = f"0.{self.new_text(40)}"
        _keep(self._codes, code, Issued(grant=grant, ends_at=self._clock.now() + seconds))
        return code

    def peek(self, code: str) -> Issued:
        """Look at a code without using it; raises `NotGranted`."""
        issued = self._codes.get(code)
        if issued is None:
            raise NotGranted("the code is not known")
        return issued

    def use_code(self, code: str) -> Grant:
        """Use a code; raises `NotGranted`, and revokes what it was used for when it comes a second time."""
        issued = self.peek(code)
        if issued.used:
            self.revoke(issued.grant.family)
            raise NotGranted("the code was used before; its tokens are revoked")
        self._codes[code] = msgspec.structs.replace(issued, used=True)
        if self._clock.now() >= issued.ends_at:
            raise NotGranted("the code has expired")
        return issued.grant

    # --- tokens ---

    def note_access(self, token: str, grant: Grant, seconds: float) -> None:
        """Note what an access token stands for."""
        _keep(self._access, token, Issued(grant=grant, ends_at=self._clock.now() + seconds))

    def of_access(self, token: str) -> Issued:
        """Give what an access token stands for; raises `NotGranted`."""
        issued = self._access.get(token)
        if issued is None:
            raise NotGranted("the access token is not known, or revoked")
        if self._clock.now() >= issued.ends_at:
            raise NotGranted("the access token has expired")
        return issued

    def refresh_for(self, grant: Grant, seconds: float = REFRESH_SECONDS) -> str:
        """Make a refresh token."""
        token = f"1.{self.new_text(48)}"
        _keep(self._refresh, token, Issued(grant=grant, ends_at=self._clock.now() + seconds))
        self._write()
        return token

    def of_refresh(self, token: str) -> Grant:
        """Give what a refresh token stands for; raises `NotGranted`, and revokes its family when it was exchanged."""
        issued = self._refresh.get(token)
        if issued is None:
            raise NotGranted("the refresh token is not known, or revoked")
        if issued.used:
            self.revoke(issued.grant.family)
            raise NotGranted("the refresh token was exchanged before; its family is revoked")
        if self._clock.now() >= issued.ends_at:
            raise NotGranted("the refresh token has expired")
        return issued.grant

    def spend_refresh(self, token: str) -> None:
        """Mark a refresh token as exchanged for the next one."""
        self._refresh[token] = msgspec.structs.replace(self._refresh[token], used=True)
        self._write()

    def revoke(self, family: str) -> None:
        """Revoke every token of a family."""
        for tokens in (self._access, self._refresh):
            for token in [token for token, issued in tokens.items() if issued.grant.family == family]:
                del tokens[token]
        self._write()

    def revoke_all(self, provider: str, email: str) -> None:
        """Revoke everything that a person granted at a provider, consent included."""
        for tokens in (self._access, self._refresh):
            granted = [(token, issued.grant) for token, issued in tokens.items()]
            for token, grant in granted:
                if (grant.provider, grant.email) == (provider, email):
                    del tokens[token]
        self._consented = {key for key in self._consented if (key[0], key[2]) != (provider, email)}
        self._write()

    def is_new(self, name: str) -> bool:
        """Say whether something that may be used once comes for the first time, and note it."""
        if name in self._seen:
            return False
        while len(self._seen) >= KEPT_AT_MOST:
            del self._seen[next(iter(self._seen))]
        self._seen[name] = None
        return True

    # --- consent ---

    def has_consent(self, provider: str, client_id: str, email: str) -> bool:
        """Say whether a person has let an application in before."""
        return (provider, client_id, email) in self._consented

    def note_consent(self, provider: str, client_id: str, email: str) -> None:
        """Note that a person has let an application in."""
        self._consented.add((provider, client_id, email))

    # --- the file ---

    def _read(self) -> dict[str, Issued]:
        if self._file is None or not self._file.exists():
            return {}
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, Issued])
        except (OSError, msgspec.MsgspecError):
            return {}  # of another version, or torn: people sign in again

    def _write(self) -> None:
        if self._file is None:
            return
        now = self._clock.now()
        self._refresh = {token: issued for token, issued in self._refresh.items() if issued.ends_at > now}
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._file.with_suffix(".new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(self._refresh))
        beside.replace(self._file)


def _keep(issued: dict[str, Issued], name: str, one: Issued) -> None:
    """Add one, and forget the oldest of too many."""
    while len(issued) >= KEPT_AT_MOST:
        del issued[next(iter(issued))]
    issued[name] = one
