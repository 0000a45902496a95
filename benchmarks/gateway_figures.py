"""What the benchmark of the gateway measures, by name, and what of it must be reached.

A measurement is named by what it is and by whom it is of, so that the tables have a line for each and a column for
everybody.
"""

from benchmarks.ratios import Mark, of

OURS, OPEN, TWO = "doorward", "doorward without sign-in", "doorward, two workers"
NGINX, HAPROXY, ENVOY, CADDY = "nginx", "haproxy", "envoy", "caddy"
DECIDED, APACHE = "caddy with our decision", "apache with mod_auth_openidc"
USUAL, FEW, MANY = 32, 1, 256
SIZES = {"/": "100 B", "/10k": "10 KiB", "/1m": "1 MiB"}

PROCESSOR, P99 = "µs of processor for a request", "p99, ms"
IDLE, DIRECT = "doorward: idle latency added, ms", "p50 of the application itself, 1 connection, ms"
EVERYBODY = 100_000
DOWN, UP = "MiB per second down, one large body", "MiB per second up, one large body"
LARGE_PROCESSOR, LARGE_MEMORY = "ms of processor for a GiB of it", "MiB of memory that large bodies add"


def rate(path: str = "/", connections: int = USUAL) -> str:
    """Name the requests per second of one size of answer."""
    return f"per second: {SIZES[path]}, {connections} connection{'s' if connections > 1 else ''}"


def memory(people: int) -> str:
    """Name the greatest memory, in MiB, once so many people have come by."""
    return f"MiB of memory with {people} sessions seen"


MARKS = [
    Mark(name="with a session, share of bare nginx", of=of(OURS, rate()), to=of(NGINX, rate()), bound=0.55, aim=0.7),
    Mark(name="with a session, times bare Envoy", of=of(OURS, rate()), to=of(ENVOY, rate()), bound=2.0, aim=2.5),
    Mark(name="with a session, times Apache with mod_auth_openidc", of=of(OURS, rate()), to=of(APACHE, rate()),
         bound=3.5, aim=5.0),
    Mark(name="with a session, share of the gateway without sign-in", of=of(OURS, rate()), to=of(OPEN, rate()),
         bound=0.75, aim=0.85),
    Mark(name="by processor time: share of bare nginx", of=of(NGINX, PROCESSOR), to=of(OURS, PROCESSOR), bound=0.55,
         aim=0.7),
    Mark(name="by processor time: times bare Envoy", of=of(ENVOY, PROCESSOR), to=of(OURS, PROCESSOR), bound=2.0,
         aim=2.5),
    Mark(name="by processor time: times Apache with mod_auth_openidc", of=of(APACHE, PROCESSOR),
         to=of(OURS, PROCESSOR), bound=3.5, aim=5.0),
    Mark(name="by processor time: share of the gateway without sign-in", of=of(OPEN, PROCESSOR),
         to=of(OURS, PROCESSOR), bound=0.75, aim=0.85),
    Mark(name="1 MiB answers, share of bare nginx", of=of(OURS, rate("/1m")), to=of(NGINX, rate("/1m")), bound=0.8),
    Mark(name="idle latency added, ms", of=IDLE, to=None, bound=0.25, at_most=True),
    Mark(name="p99, times Envoy's", of=of(OURS, P99), to=of(ENVOY, P99), bound=1.0, at_most=True),
    Mark(name=f"MiB of memory with {EVERYBODY} sessions", of=of(OURS, memory(EVERYBODY)), to=None, bound=200.0,
         at_most=True),
    Mark(name="MiB of memory that large bodies add", of=of(OURS, LARGE_MEMORY), to=None, bound=16.0, at_most=True),
]  # fmt: skip
