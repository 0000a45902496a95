"""The benchmark of the exchange: the service and its floor, in turn, in the same minutes on the same machine.

Machines are shared and noisy, so every figure that counts is a ratio of two measurements of one round, and what is
reported is the median of the rounds' ratios.
"""

import shutil
import statistics
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.crowd import INTROSPECT, LOGIN, Person, Provider, introspect_request, login_body, login_request
from benchmarks.databases import Database, Places, fill, places_of
from benchmarks.firsts import seconds_of_first
from benchmarks.floor import Login, Part, parts_of, sample_answer
from benchmarks.processes import LOAD_CORE, ROOT, SERVER_CORE, Child, generate, pin, python
from benchmarks.results import EngineResults, Growth, Results, Round
from doorward.protocol.jose_sign import RsaSigner
from tests.support.programs import free_ports

_LOGINS_PER_SECOND, _FIRSTS_PER_SECOND = 5000, 2500
_STARTS = 5
_INTROSPECTED = 2000
_FEW, _MANY, _LATENCIES = 1000, 1_000_000, 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure, and how long: `seconds` for one measurement, each made once in every round."""

    engines: tuple[str, ...]
    users: int
    connections: int
    seconds: float
    rounds: int
    million: bool
    access_log: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """Answers per second, and the seconds of processor that one of them took the server."""

    rate: float
    processor: float


def measure(plan: Plan) -> Results:
    """Measure everything that `plan` asks for."""
    scratch_parent = ROOT / "bench-results"
    scratch_parent.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=scratch_parent, prefix="work-"))  # on the checkout's disk: /tmp may be memory
    directory.chmod(0o755)
    try:
        with _Bench(plan, directory).open() as bench:
            return Results(
                users=plan.users,
                connections=plan.connections,
                rounds=plan.rounds,
                access_log=plan.access_log,
                engines=[bench.measure_engine(engine) for engine in plan.engines],
                growth=[bench.measure_growth(engine) for engine in plan.engines if plan.million],
            )
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class _Bench:
    """One run: the provider, its people's tokens, the bare server."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        self._plan = plan
        self._directory = directory
        self._provider = Provider(RsaSigner.generate())
        self._bare_port = free_ports(1)
        host = f"http://127.0.0.1:{self._bare_port}"
        self._key_urls = (f"{host}/keys/v1", f"{host}/keys/v2")
        self._logins = self._login_bodies(_LOGINS_PER_SECOND, 1, plan.users)
        self._firsts = self._login_bodies(_FIRSTS_PER_SECOND, plan.users + 1, 10**9)
        self._floor = Login(self._provider)
        self._bare: Child
        pin(LOAD_CORE)

    def _login_bodies(self, per_second: int, first: int, people: int) -> list[list[bytes]]:
        """Write the bodies of every round, no two with the same token."""
        count = int(per_second * self._plan.seconds)
        jobs = [(Person(first + serial % people), serial) for serial in range(count * self._plan.rounds)]
        bodies = [login_body(job[0], token) for job, token in zip(jobs, self._provider.tokens(jobs), strict=True)]
        return [bodies[at : at + count] for at in range(0, len(bodies), count)]

    @contextmanager
    def open(self) -> Generator["_Bench"]:
        """Start the bare server, which also publishes the keys."""
        answers = {
            LOGIN: sample_answer(),
            INTROSPECT: _SAMPLE_INTROSPECTION,
            "/keys/v1": self._provider.key_document(with_issuer=False),
            "/keys/v2": self._provider.key_document(with_issuer=True),
        }
        file = self._directory / "answers"
        file.write_bytes(msgspec.msgpack.encode(answers))
        with Child(python("-m", "benchmarks.bare", self._bare_port, file), self._directory) as bare:
            bare.wait_for(self._key_urls[0])
            self._bare = bare
            yield self

    def measure_engine(self, engine: str) -> EngineResults:
        """Measure everything on one engine."""
        with places_of(engine, self._directory) as places:
            database, spare = (self._filled(places, self._plan.users) for _ in range(2))
            ready, idle_memory = self._starts(database)
            with self._serving(database) as (service, port):
                service.wait_for(f"http://127.0.0.1:{port + 1}/readyz")
                rounds = [self._round(service, port, database, spare, n) for n in range(self._plan.rounds)]
                memory = service.peak_memory
            return EngineResults(
                engine=engine, ready_seconds=ready, idle_memory=idle_memory, memory=memory, rounds=rounds
            )

    def _filled(self, places: Places, users: int) -> Database:
        return fill(places.new_url(), self._provider, self._key_urls, users)

    def _starts(self, database: Database) -> tuple[float, float]:
        """Start and stop the service several times; gives the median seconds until it is ready, and its memory then."""
        ready: list[float] = []
        memory: list[float] = []
        for _ in range(_STARTS):
            with self._serving(database) as (service, port):
                ready.append(service.wait_for(f"http://127.0.0.1:{port + 1}/readyz"))
                memory.append(service.peak_memory)
        return statistics.median(ready), statistics.median(memory)

    @contextmanager
    def _serving(self, database: Database) -> Generator[tuple[Child, int]]:
        """Start the service as users do, with its defaults but for the access log; gives its process and port."""
        port = free_ports(2)
        config = self._directory / f"doorward-{port}.toml"
        values = {
            "port": port,
            "admin": port + 1,
            "access_log": str(self._plan.access_log).lower(),
            "url": database.url,
            "v1": self._key_urls[0],
            "v2": self._key_urls[1],
        }
        config.write_text(_CONFIG.format_map(values))
        with Child(python("-m", "doorward.cli.main", "serve", "--config", config), self._directory) as service:
            yield service, port

    def _round(self, service: Child, port: int, database: Database, spare: Database, number: int) -> Round:
        """Measure everything once, the floor on a database of its own."""
        host = f"127.0.0.1:{port}"
        before, first_database = self._floor_of(spare)
        logins = self._file("logins", [login_request(host, body) for body in self._logins[number]])
        firsts = self._file("firsts", [login_request(host, body) for body in self._firsts[number]])
        asked = [introspect_request(host, database.credentials, p.platform_token) for p in self._asked_about(number)]
        once, again = self._file("introspections", asked), self._file("introspections.cycle", asked)
        bare = (self._bare, self._bare_port)
        ours = (service, port)
        bare_login, login = self._load(*bare, logins), self._load(*ours, logins)
        after, _ = self._floor_of(spare)  # on both sides of the logins, since the machine's speed drifts
        first = self._load(*ours, firsts)
        bare_introspection = self._load(*bare, again)
        first_introspection, introspection = self._load(*ours, once), self._load(*ours, again)
        return Round(
            parts={part.name: (part.seconds + again.seconds) / 2 for part, again in zip(before, after, strict=True)},
            bare_login=bare_login.rate,
            login=login.rate,
            first=first.rate,
            first_database=first_database,
            bare_introspection=bare_introspection.rate,
            first_introspection=first_introspection.rate,
            introspection=introspection.rate,
            processor={
                "bare login": bare_login.processor,
                "login": login.processor,
                "bare introspection": bare_introspection.processor,
                "introspection": introspection.processor,
            },
        )

    def _asked_about(self, number: int) -> list[Person]:
        """Give the people whose tokens are introspected in a round: others in each, as long as there are enough."""
        users = self._plan.users
        return [Person(1 + (n + number * _INTROSPECTED) * 7919 % users) for n in range(min(_INTROSPECTED, users))]

    def _floor_of(self, spare: Database) -> tuple[list[Part], float]:
        """Measure the floor's parts on the server's core, and what a first sign-in asks of the database."""
        pin(SERVER_CORE)
        try:
            return parts_of(self._floor, spare, self._plan.users), seconds_of_first(spare)
        finally:
            pin(LOAD_CORE)

    def measure_growth(self, engine: str) -> Growth:
        """Compare the latency of a login with a thousand and with a million users."""
        with places_of(engine, self._directory) as places:
            few, many = (self._filled(places, users) for users in (_FEW, _MANY))
            with self._serving(few) as (small, small_port), self._serving(many) as (large, large_port):
                for service, port in ((small, small_port), (large, large_port)):
                    service.wait_for(f"http://127.0.0.1:{port + 1}/readyz")
                pairs = [
                    (self._latency(small_port, _FEW, number), self._latency(large_port, _MANY, number))
                    for number in range(self._plan.rounds)
                ]
        p50_few, p50_many = (statistics.median(column) for column in zip(*pairs, strict=True))
        return Growth(engine=engine, few=_FEW, many=_MANY, p50_few=p50_few, p50_many=p50_many)

    def _latency(self, port: int, users: int, number: int) -> float:
        """Give the median latency of logins of people all over the table."""
        jobs = [(Person(1 + n * 7919 % users), n + number * _LATENCIES) for n in range(_LATENCIES)]
        tokens = self._provider.tokens(jobs)
        bodies = [login_body(person, token) for (person, _), token in zip(jobs, tokens, strict=True)]
        requests = self._file("latency", [login_request(f"127.0.0.1:{port}", body) for body in bodies])
        return generate(port, self._plan.connections, 10.0, requests).p50

    def _file(self, name: str, requests: Sequence[bytes]) -> Path:
        file = self._directory / name
        file.write_bytes(msgspec.msgpack.encode(requests))
        return file

    def _load(self, server: Child, port: int, requests: Path) -> _Loaded:
        before = server.processor_seconds
        load = generate(port, self._plan.connections, self._plan.seconds, requests)
        return _Loaded(rate=load.rate, processor=(server.processor_seconds - before) / load.requests)


_SAMPLE_INTROSPECTION = msgspec.json.encode(
    {
        "active": True,
        "iss": "http://127.0.0.1:8080/auth-service",
        "sub": "12345",
        "aud": "platform",
        "client_id": "5b1f9a10-3c2d-4e5f-8a6b-7c8d9e0f1a2b",
        "username": "person.12345@contoso.com",
        "token_type": "bearer",
        "iat": 1800000000,
        "exp": 1800604800,
    }
)
_CONFIG = """
[server]
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:{admin}"
access_log = {access_log}

[database]
url = "{url}"

[secrets]
encryption_key = "b3a1c5d7e9f1032547698badcfe0123456789abcdef0123456789abcdef01234"
signing_key = "a4b2c6d8eaf2132547698badcfe0123456789abcdef0123456789abcdef01235"

[clouds.global]
keys_v1 = "{v1}"
keys_v2 = "{v2}"
"""
