import asyncio

from doorward.accounts.audit import record
from doorward.accounts.nouns import Origin
from doorward.base.clock import SystemClock
from doorward.store import open_store
from tests.cli.conftest import CommandLine

MEMBERS = {"id", "time", "event", "code", "user_id", "client_id", "request_id"}


def test_records_are_listed_oldest_first(cli: CommandLine) -> None:
    """Each record names what was done, by whom, and when."""
    cli.ok("orgs", "add", "One")
    cli.ok("users", "add", "a@b.example", "--org", "2")
    trail = cli.json("audit", "list")
    assert [one["event"] for one in trail] == ["organization.created", "user.created"]
    assert set(trail[0]) >= MEMBERS
    assert {one["user_agent"] for one in trail} == {"doorward cli"}
    assert "user.created" in cli.ok("audit", "list").out


def test_records_are_chosen_by_event(cli: CommandLine) -> None:
    """--event gives that event alone."""
    cli.ok("orgs", "add", "One")
    cli.ok("orgs", "disable", "2")
    assert [one["event"] for one in cli.json("audit", "list", "--event", "organization.disabled")] == [
        "organization.disabled"
    ]
    assert cli.json("audit", "list", "--event", "nothing.happened") == []


def test_records_are_chosen_by_age(cli: CommandLine) -> None:
    """--since leaves out what is older."""
    cli.ok("orgs", "add", "One")
    asyncio.run(_write_old_record())
    assert len(cli.json("audit", "list")) == 2
    assert [one["event"] for one in cli.json("audit", "list", "--since", "1h")] == ["organization.created"]
    assert len(cli.json("audit", "list", "--since", "3d")) == 2


async def _write_old_record() -> None:
    store = await open_store("sqlite:///doorward.db", auto_migrate=True)
    await store.append([record("exchange.failed", SystemClock().now() - 2 * 86400, Origin(), code="invalid_token")])
    await store.close()


def test_failures_are_counted_by_hour(cli: CommandLine) -> None:
    """--by-hour gives one row for each hour, event and code, oldest first."""
    cli.ok("orgs", "add", "One")
    asyncio.run(_write_old_record())
    asyncio.run(_write_old_record())
    counted = cli.json("audit", "list", "--by-hour", "--event", "exchange.failed")
    assert sum(int(one["count"]) for one in counted) == 2
    assert {one["code"] for one in counted} == {"invalid_token"}
    assert all(str(one["time"]).endswith(":00:00.000Z") for one in counted)
    assert "exchange.failed" in cli.ok("audit", "list", "--by-hour").out
