"""The benchmark of the gateway: what a request through it costs, against other proxies and itself without sign-in.

Everybody is on the server's core and has the same application behind it; each round asks all of them in turn, with
browser-like requests that carry the cookies of many sessions. What cannot be measured here is told.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from benchmarks import apache, gateway_large
from benchmarks.easyauth import scratch
from benchmarks.gateway_figures import EVERYBODY, MARKS, OURS, USUAL, memory
from benchmarks.gateway_rounds import Length, Rounds
from benchmarks.gateway_stand import Stand, make_stand, needed_programs, standing
from benchmarks.processes import LOAD_CORE, generate, pin
from benchmarks.ratios import Ratios, of
from benchmarks.signed_in import brief_request, sign_in

_QUICK_SESSIONS, _QUICK_EVERYBODY, _QUICK_ROUNDS = 1_000, 10_000, 2
_WEIGHING_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure, and how long; `sessions` are asked from, `further` ones only lie in the database.

    `quick` is two short rounds with fewer people; `large` is the size in bytes of bodies to be sent each way, if any.
    """

    sessions: int
    further: int
    seconds: float
    rounds: int
    quick: bool = False
    large: int = 0
    allows_missing: bool = False

    @property
    def length(self) -> Length:
        """Say how long a round takes."""
        if self.quick:
            return Length(seconds=1, windows=0, is_whole=False)
        return Length(seconds=self.seconds, windows=3, is_whole=True)


def measure(plan: Plan) -> Ratios:
    """Measure everything that `plan` asks for; raises `MissingToolError` unless it allows for what is missing."""
    if not plan.allows_missing:
        needed_programs()
    people = min(plan.sessions, _QUICK_SESSIONS) if plan.quick else plan.sessions
    count = _QUICK_ROUNDS if plan.quick else plan.rounds
    with scratch() as directory:
        stand = make_stand(directory)
        cookies = sign_in(stand.setting.write(directory), range(1, people + 1))
        others = sign_in(stand.setting.write(directory), range(people + 1, people + plan.further + 1))
        pin(LOAD_CORE)
        with standing(stand, cookies, allows_missing=plan.allows_missing):
            suite = Rounds(plan.length, stand)
            suite.warm_up(cookies)
            rounds = [suite.round() for _ in range(count)]
            _weigh(stand, rounds[-1], _Crowd(known=people, others=others, size=_size(plan)))
        if plan.large:
            rounds[-1] |= gateway_large.measure(stand, plan.large, cookies[0])
    return Ratios(about=_about(plan, people, count), rounds=rounds, marks=MARKS, missing=stand.missing)


def _about(plan: Plan, people: int, rounds: int) -> str:
    return (
        f"Requests with 16 headers from {people} sessions ({apache.PEOPLE} at Apache), with {plan.further} more on"
        f" SQLite; {rounds} rounds, medians; everybody on one core, with one worker unless it says otherwise."
    )


def _size(plan: Plan) -> int:
    return _QUICK_EVERYBODY if plan.quick else EVERYBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crowd:
    """People who come by once: `size` with those that are `known`, and the cookies of others who have signed in."""

    known: int
    others: Sequence[str]
    size: int


def _weigh(stand: Stand, found: dict[str, float], crowd: _Crowd) -> None:
    """Have a crowd come by, and find the greatest memory that the gateway has had.

    What goes wrong is noted as missing: everything else has been measured then, and is worth telling.
    """
    first, wanted = crowd.known + len(crowd.others) + 1, crowd.size - crowd.known
    further = sign_in(stand.setting.write(stand.stage.directory), range(first, first + wanted - len(crowd.others)))
    cookies = [*crowd.others, *further][:wanted]
    file = stand.stage.directory / "crowd"
    file.write_bytes(msgspec.msgpack.encode([brief_request(cookie) for cookie in cookies]))
    try:
        load = generate(stand.everybody[OURS].port, USUAL, _WEIGHING_SECONDS, file)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        stand.missing.append(f"memory with {crowd.size} sessions seen: {error}")
        return
    if load.requests < len(cookies):
        stand.missing.append(f"memory with {crowd.size} sessions seen: only {load.requests} came by in time")
        return
    found[of(OURS, memory(crowd.size))] = stand.ours.peak_memory
