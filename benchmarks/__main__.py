"""The command line of the benchmarks: `scripts/bench exchange [OPTIONS]`."""

import argparse
import sys
from pathlib import Path

from benchmarks.exchange import Plan, measure
from benchmarks.report import print_tables, write_docs, write_json

ENGINES = ("sqlite", "postgres")


def main(arguments: list[str]) -> int:
    """Run the chosen benchmark and give the exit status: 1 when a figure that must be reached was missed."""
    given = _parser().parse_args(arguments)
    plan = Plan(
        engines=tuple(given.engine or ENGINES),
        users=given.users,
        connections=given.connections,
        seconds=0.5 if given.quick else given.seconds,
        rounds=2 if given.quick else given.rounds,
        million=given.million,
        access_log=given.access_log,
    )
    results = measure(plan)
    print_tables(results)
    print(f"\nwritten to {write_json(results)}")
    if given.write_docs:
        write_docs(results, Path("docs/performance.md"))
    return 0 if all(figure.is_reached for figure in results.figures()) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    words = parser.add_subparsers(required=True, metavar="BENCHMARK")
    exchange = words.add_parser("exchange", help="logins, first sign-ins and introspections against their floor")
    exchange.add_argument("--engine", action="append", choices=ENGINES, help="measure on this engine only")
    exchange.add_argument("--users", type=int, default=10_000, help="people who have signed in before (10000)")
    exchange.add_argument("--connections", type=int, default=32, help="connections of the load generator (32)")
    exchange.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (2)")
    exchange.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts (5)")
    exchange.add_argument(
        "--million", action="store_true", help="compare the latency at 1 000 and 1 000 000 users, too"
    )
    exchange.add_argument("--access-log", action="store_true", help="let the service write its access log")
    exchange.add_argument("--quick", action="store_true", help="two short rounds: to see that it runs, not how fast")
    exchange.add_argument("--write-docs", action="store_true", help="put the tables into docs/performance.md")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
