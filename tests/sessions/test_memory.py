"""The bounded map of callers."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from doorward.identity.admission import Recognised, Via
from doorward.sessions.memory import Kind, Memory, key_of
from doorward.sessions.presenting import Presenter
from doorward.sessions.session import Caller, Session
from tests.support.sessions import NOW, person, plan_of

PRESENT = Presenter(plan_of(), profile="current", redact=False, with_refresh_token=True)


def caller(session_id: str | None, size: int = 0) -> Caller:
    """Give a caller of a session, whose body has so many bytes."""
    principal, _ = PRESENT(person(), refreshed=False)
    parts: dict[str, Any] = {
        "provider": "aad", "user_id": "jane", "identity": person(), "principal": principal, "me": b"",
        "refreshed": False, "generation": 0, "created_at": NOW, "expires_at": NOW, "token_expires_at": None,
    }  # fmt: skip
    session = None if session_id is None else Session(id=session_id, **parts)
    return Caller(credential=Recognised(via=Via.COOKIE, principal=principal), session=session, me=b"x" * size)


def test_what_was_used_longest_ago_goes_first() -> None:
    """Beyond the bound the caller that was asked for longest ago is forgotten."""
    memory = Memory(most_callers=3)
    for name in ("a", "b", "c"):
        memory.put(name.encode(), caller(name))
    assert memory.get(b"a")
    memory.put(b"d", caller("d"))
    assert [memory.get(key) is not None for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]


def test_large_sessions_count_for_more() -> None:
    """The bound in bytes holds as well: nobody fills the memory with long claims, and what is alone too long goes."""
    memory = Memory(most_bytes=100_000)
    for number in range(50):
        memory.put(bytes([number]), caller(str(number), size=10_000))
    assert 0 < len(memory) < 10
    memory.put(b"huge", caller("huge", size=200_000))
    assert memory.get(b"huge") is None
    assert memory.get(bytes([49])) is None
    assert len(memory) == 0


def test_a_session_is_dropped_with_all_its_keys() -> None:
    """All credentials of a session go together, and nobody else's."""
    memory = Memory()
    for key, name in ((b"1", "a"), (b"2", "a"), (b"3", "b"), (b"4", None)):
        memory.put(key, caller(name))
    memory.drop("a")
    memory.drop("nobody")
    assert [memory.get(key) is not None for key in (b"1", b"2", b"3", b"4")] == [False, False, True, True]
    memory.clear()
    assert len(memory) == 0
    memory.drop("b")


def test_a_credential_means_one_thing() -> None:
    """The same text has another key as cookie, as session token and as bearer."""
    assert len({key_of(kind, b"text") for kind in Kind}) == 3


@given(st.lists(st.tuples(st.sampled_from("pfdg"), st.integers(0, 5), st.integers(0, 3))))
def test_whatever_happens_nothing_is_left_over(steps: list[tuple[str, int, int]]) -> None:
    """After any row of steps, dropping every session leaves nothing behind."""
    memory = Memory(most_callers=4)
    for step, key, session in steps:
        match step:
            case "p":
                memory.put(bytes([key]), caller(str(session)))
            case "f":
                memory.forget(bytes([key]))
            case "d":
                memory.drop(str(session))
            case _:
                memory.get(bytes([key]))
        assert len(memory) <= 4
    for session in range(4):
        memory.drop(str(session))
    assert (len(memory), memory._bytes, memory._keys) == (0, 0, {})
