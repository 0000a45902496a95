"""The exchange: the order of its checks, readable from top to bottom (token-exchange reference 1.7).

Steps 1 to 11 never read or write account data, so that answers say nothing about accounts to a caller without a valid
token; steps 12 to 15 are one transaction.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from doorward.accounts.audit import NOBODY, TEXT_MAX, FailureRecords, Subject
from doorward.accounts.nouns import Origin, Registration, TokenPair, User
from doorward.accounts.resolve import SignIn
from doorward.accounts.sign_in import SignInDesk
from doorward.accounts.tokens import digest_of
from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.refusals import EMAIL_MISMATCH, RATE_LIMITED
from doorward.base.text import cleaned, email_key
from doorward.exchange.limits import ExchangeLimits
from doorward.exchange.verification import Verification
from doorward.identity.visit import Visit
from doorward.providers.aad import EntraIdentity, vouched_addresses


class ExchangeObserver(Protocol):
    """Who counts: `code` is `success` or that of the catalogue, `audience` the client ID of a verified token."""

    def exchange(self, code: str, audience: str | None) -> None:
        """Count one exchange."""
        ...

    def unknown_fields(self, fields: int) -> None:
        """Count body fields that nobody knows."""
        ...


@dataclass(slots=True)
class Attempt:
    """What is known of an exchange while it runs; only what a verified token said."""

    subject: Subject = NOBODY


class Login:
    """Exchanges id_tokens."""

    def __init__(
        self,
        *,
        verification: Verification,
        desk: SignInDesk,
        limits: ExchangeLimits,
        failures: FailureRecords,
        observer: ExchangeObserver,
        clock: Clock,
    ) -> None:
        """Take the parts that make the checks, keep the accounts, and count."""
        self._verification = verification
        self._desk = desk
        self._limits = limits
        self._failures = failures
        self._observer = observer
        self._clock = clock
        self._records: set[asyncio.Task[None]] = set()

    async def exchange(self, visit: Visit, read: "ReadRequest", body: bytes) -> tuple[User, TokenPair]:
        """Answer one exchange; `read` makes the request from the body. Raises `DoorwardError`."""
        attempt = Attempt()
        try:
            self._limits.refuse_address(visit)
            request = read(visit, body)
            if request.unknown_fields:
                self._observer.unknown_fields(request.unknown_fields)
            user, pair = await self._steps(visit, request, attempt)
        except DoorwardError as refusal:
            self._note_refusal(visit, attempt, refusal)
            raise
        self._observer.exchange("success", attempt.subject.client_id)
        return user, pair

    async def _steps(self, visit: Visit, request: "TokenRequest", attempt: Attempt) -> tuple[User, TokenPair]:
        now, digest = self._clock.now(), digest_of(request.azure_ad_token)
        attempt.subject = Subject(token_digest=digest.hex()[:16])
        identity, registration = await self._verification.verify(request.azure_ad_token, now, request.nonce)
        attempt.subject = _subject_of(identity, digest)
        self._limits.count_identity(identity.cloud, identity.tid, identity.oid)
        await self._desk.refuse_replay(digest)
        sign_in = SignIn(
            identity=identity,
            registration=registration,
            email=agreed_address(identity, registration, request.email),
            full_name=request.full_name,
            auto_create=request.auto_create,
            organization_id=request.organization_id,
            origin=origin_of(visit),
            token_digest=digest,
        )
        return await self._desk.sign_in(sign_in, now)

    def _note_refusal(self, visit: Visit, attempt: Attempt, refusal: DoorwardError) -> None:
        """Count and record a refusal; the record is written after the answer, and the door logs it."""
        subject = attempt.subject
        self._limits.note_refused(visit, refusal)
        self._observer.exchange(refusal.code, subject.client_id)
        if refusal.row is RATE_LIMITED and not self._limits.is_news(visit):
            self._failures.drop()  # a flood that is held back already must not fill the trail
            return
        record = self._failures.write(
            refusal.code, origin_of(visit), _with_facts(subject, refusal), _detail_of(refusal)
        )
        task = asyncio.create_task(record)
        self._records.add(task)
        task.add_done_callback(self._records.discard)

    async def finish(self) -> None:
        """Wait for the records of refusals that were answered already."""
        await asyncio.gather(*self._records)


class TokenRequest(Protocol):
    """What both doors ask for; `email` is None where the door has no such field."""

    @property
    def email(self) -> str | None:
        """Give the address that must be one of the token's."""
        ...

    @property
    def azure_ad_token(self) -> str:
        """Give the id_token."""
        ...

    @property
    def full_name(self) -> str | None:
        """Give the display name of a user who is created."""
        ...

    @property
    def auto_create(self) -> bool:
        """Say whether an unknown user is created."""
        ...

    @property
    def organization_id(self) -> int | None:
        """Give the organization of a user who is created."""
        ...

    @property
    def nonce(self) -> str | None:
        """Give the nonce that the token must carry."""
        ...

    @property
    def unknown_fields(self) -> int:
        """Count the fields that nobody knows."""
        ...


ReadRequest = Callable[[Visit, bytes], TokenRequest]
"""Makes a request from a body; raises `DoorwardError` when it is none."""


def agreed_address(identity: EntraIdentity, registration: Registration, asked: str | None) -> str:
    """Give the address on which request and token agree, in the token's spelling (reference 2.9).

    Where the request names none, it is the token's first candidate. Raises `DoorwardError` (`email_mismatch`).
    """

    def is_authoritative(domain: str) -> bool:
        return registration.is_authoritative(identity.tid, domain)

    key = None if asked is None else email_key(asked)
    for candidate in vouched_addresses(identity, is_authoritative):
        if asked is None or email_key(candidate) == key:
            return candidate
    raise DoorwardError(EMAIL_MISMATCH)


def origin_of(visit: Visit) -> Origin:
    """Give where a request came from, for the audit trail, cleaned before any transaction begins."""
    return Origin(address=visit.address, user_agent=cleaned(visit.user_agent, TEXT_MAX), request_id=visit.request_id)


def _with_facts(subject: Subject, refusal: DoorwardError) -> Subject:
    """Add what a refusal says of a token that was refused before its identity was accepted."""
    names = ("client_id", "cloud", "tid", "oid", "kid")
    known = {name: value for name in names if isinstance(value := refusal.facts.get(name), str)}
    return subject if subject.client_id else msgspec.structs.replace(subject, **known)


def _detail_of(refusal: DoorwardError) -> str | None:
    """Give the check or rule that refused and its reason; both are our own words, never the token's."""
    words = [str(refusal.facts[name]) for name in ("check", "rule", "reason") if name in refusal.facts]
    return ": ".join(words) or None


def _subject_of(identity: EntraIdentity, digest: bytes) -> Subject:
    return Subject(
        client_id=identity.client_id,
        cloud=identity.cloud,
        tid=identity.tid,
        oid=identity.oid,
        kid=identity.kid,
        token_digest=digest.hex()[:16],
    )
