"""The command line of the benchmarks: `scripts/bench exchange [OPTIONS]`, and so on for the other suites."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import easyauth, exchange, gateway
from benchmarks.ratios import Ratios
from benchmarks.report import print_tables, write_docs, write_json
from benchmarks.results import Results
from benchmarks.tools import MissingToolError

ENGINES = ("sqlite", "postgres")


def main(arguments: list[str]) -> int:
    """Run the chosen benchmark and give the exit status: 1 where a figure that must be reached was missed.

    It is 2 where a program to compare with can neither be found nor fetched; nothing is measured then.
    """
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    try:
        results = _SUITES[given.suite](given)
    except MissingToolError as error:
        print(f"scripts/bench {given.suite}: {error}", file=sys.stderr)
        return 2
    print_tables(results)
    print(f"\nwritten to {write_json(given.suite, results)}")
    if given.write_docs:
        write_docs(given.suite, results, Path("docs/performance.md"))
    return 0 if all(figure.is_reached for figure in results.figures()) else 1


def _end(number: int, _: object) -> None:
    """Leave as after an error, so that what was started is ended, too."""
    sys.exit(128 + number)


def _exchange(given: argparse.Namespace) -> Results:
    plan = exchange.Plan(
        engines=tuple(given.engine or ENGINES),
        users=given.users,
        connections=given.connections,
        seconds=0.5 if given.quick else given.seconds,
        rounds=2 if given.quick else given.rounds,
        million=given.million,
        access_log=given.access_log,
    )
    return exchange.measure(plan)


def _easyauth(given: argparse.Namespace) -> Ratios:
    plan = easyauth.Plan(
        sessions=given.sessions,
        connections=given.connections,
        seconds=1 if given.quick else given.seconds,
        rounds=2 if given.quick else given.rounds,
    )
    return easyauth.measure(plan)


def _gateway(given: argparse.Namespace) -> Ratios:
    plan = gateway.Plan(
        sessions=given.sessions,
        further=1_000_000 if given.million else 0,
        seconds=given.seconds,
        rounds=given.rounds,
        quick=given.quick,
        large=given.large << 30,
        allows_missing=given.allow_missing,
    )
    return gateway.measure(plan)


_SUITES: dict[str, Callable[[argparse.Namespace], Results | Ratios]] = {
    "exchange": _exchange,
    "easyauth": _easyauth,
    "gateway": _gateway,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    words = parser.add_subparsers(required=True, dest="suite", metavar="BENCHMARK")
    _add_exchange(words.add_parser("exchange", help="logins, first sign-ins and introspections against their floor"))
    _add_easyauth(words.add_parser("easyauth", help="/.auth/me and nginx with our decision, against bare servers"))
    _add_gateway(words.add_parser("gateway", help="requests through the gateway, against bare proxies"))
    return parser


def _add_gateway(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", type=int, default=10_000, help="people who are signed in (10000)")
    parser.add_argument("--million", action="store_true", help="have a million further sessions in the database")
    parser.add_argument(
        "--large", type=int, nargs="?", default=0, const=10, metavar="GIB",
        help="send bodies of so many GiB each way, too (10)",
    )  # fmt: skip
    parser.add_argument("--allow-missing", action="store_true", help="go on without a proxy that cannot be had")
    _add_common(parser)


def _add_easyauth(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", type=int, default=1_000, help="people who are signed in (1000)")
    _add_connections(parser)
    _add_common(parser)


def _add_exchange(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", action="append", choices=ENGINES, help="measure on this engine only")
    parser.add_argument("--users", type=int, default=10_000, help="people who have signed in before (10000)")
    parser.add_argument("--million", action="store_true", help="compare the latency at 1 000 and 1 000 000 users, too")
    parser.add_argument("--access-log", action="store_true", help="let the service write its access log")
    _add_connections(parser)
    _add_common(parser)


def _add_connections(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connections", type=int, default=32, help="connections of the load generator (32)")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (2)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts (5)")
    parser.add_argument("--quick", action="store_true", help="two short rounds: to see that it runs, not how fast")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/performance.md")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
