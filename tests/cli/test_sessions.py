import asyncio
from typing import Any

import pytest

from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.store import Append, Store, open_store, sessions
from tests.cli.conftest import CommandLine


async def _sign_in(user_id: str, number: int, lasts: float) -> str:
    """Enter a session as a serving process does; what is sealed in it is nobody's business here."""
    store: Store = await open_store("sqlite:///doorward.db", auto_migrate=True)
    now, session_id = SystemClock().now(), f"session-{number}"
    row: Append = (
        sessions.ADD,
        (
            session_id,
            SystemEntropy().draw(32),
            "aad",
            user_id,
            b"sealed",
            0,
            0,
            now,
            now + lasts,
            None,
            now + lasts,
            None,
            None,
        ),
    )
    await store.append([row])
    await store.close()
    return session_id


def sign_in(user_id: str, number: int, lasts: float = 3600.0) -> str:
    """Enter a session that lasts for so many seconds, and give its id."""
    return asyncio.run(_sign_in(user_id, number, lasts))


@pytest.fixture
def jane(cli: CommandLine) -> str:
    """Give the id of jane's session; john has one, too, and one of jane's has expired."""
    cli.ok("migrate")
    sign_in("jane@contoso.com", 1, -60.0)
    sign_in("john@contoso.com", 2)
    return sign_in("jane@contoso.com", 3)


def test_sessions_are_listed(cli: CommandLine, jane: str) -> None:
    """Living sessions are listed, those of all or of the one whose `user_id` is asked for."""
    assert [session["user_id"] for session in cli.json("sessions", "list")] == ["john@contoso.com", "jane@contoso.com"]
    (listed,) = cli.json("sessions", "list", "--user", "jane@contoso.com")
    assert set(listed) == {"id", "provider", "user_id", "created_at", "expires_at"}
    assert (listed["id"], listed["provider"], listed["user_id"]) == (jane, "aad", "jane@contoso.com")
    assert cli.json("sessions", "list", "--user", "nobody") == []
    assert jane in cli.ok("sessions", "list").out


def test_a_session_is_revoked_once(cli: CommandLine, jane: str) -> None:
    """A session that was revoked is gone, and the trail says by whom; a second time there is none."""
    assert cli.ok("sessions", "revoke", jane).out == f"Session {jane} has ended.\n"
    cli.refused("not_there", "sessions", "revoke", jane)
    assert cli.json("sessions", "list", "--user", "jane@contoso.com") == []
    (entry,) = cli.json("audit", "list", "--event", "session.revoked")
    told: dict[str, Any] = entry
    assert (told["user_agent"], told["detail"]) == ("doorward cli", f"session {jane}")


def test_nobody_is_signed_in(cli: CommandLine) -> None:
    """Without a session nothing is printed but a word to the operator, and nothing can be revoked."""
    assert cli.ok("sessions", "list").err == "Nobody is signed in.\n"
    assert cli.json("sessions", "list") == []
    cli.refused("not_there", "sessions", "revoke", "x")
    cli.misused("sessions", "revoke")
