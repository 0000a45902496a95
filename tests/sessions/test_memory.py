"""The bounded map of callers."""

import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from doorward.identity.admission import Recognised, Via
from doorward.sessions.memory import LONGEST_LINE, MOST_LINE_BYTES, Kind, Memory, key_of
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


def test_a_header_is_worth_what_its_key_is() -> None:
    """A whole Cookie header leads to a key, and to nobody once the key was forgotten, however that came about."""
    memory = Memory(most_callers=2)
    memory.put(b"1", caller("a"))
    memory.put_line(b"x=1", b"1")
    memory.put_line(b"x=1; y=2", b"1")
    assert memory.get_by_line(b"x=1") is memory.get_by_line(b"x=1; y=2") is memory.get(b"1") is not None
    assert memory.get_by_line(b"x=2") is None
    memory.drop("a")
    assert memory.get_by_line(b"x=1") is None
    memory.put(b"1", caller("a"))
    assert memory.get_by_line(b"x=1") is memory.get(b"1")
    memory.put(b"2", caller("b"))
    memory.put(b"3", caller("c"))
    assert memory.get_by_line(b"x=1") is None
    memory.clear()
    memory.put(b"1", caller("a"))
    assert memory.get_by_line(b"x=1") is None


def test_headers_are_bounded() -> None:
    """One that is too long is not kept, and the oldest make room: nobody fills the memory with spellings."""
    memory = Memory()
    memory.put(b"1", caller("a"))
    memory.put_line(b"x" * (LONGEST_LINE + 1), b"1")
    assert memory.get_by_line(b"x" * (LONGEST_LINE + 1)) is None
    most = MOST_LINE_BYTES // LONGEST_LINE
    lines = [(b"%d" % number).ljust(LONGEST_LINE) for number in range(most)]
    for line in lines:
        memory.put_line(line, b"1")
    assert memory.get_by_line(lines[0]) is None
    assert memory.get_by_line(lines[-1]) is not None
    assert memory.line_bytes <= MOST_LINE_BYTES


def test_threads_look_while_another_changes() -> None:
    """Whoever looks gets the caller of its key or nobody, whatever is remembered and forgotten meanwhile."""
    memory, callers, wrong = Memory(most_callers=4), {bytes([n]): caller(str(n)) for n in range(8)}, list[object]()

    def look(turns: int) -> None:
        try:
            for turn in range(turns):
                key = bytes([turn % 8])
                memory.put_line(b"line" + key, key)
                if memory.get(key) not in (None, callers[key]) or memory.get_by_line(b"line" + key) not in (
                    None,
                    callers[key],
                ):
                    wrong.append(key)
        except Exception as defect:  # noqa: BLE001 - a thread's failure would not be seen otherwise
            wrong.append(defect)

    threads = [threading.Thread(target=look, args=(3000,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for number, (key, one) in enumerate(callers.items()):
            memory.put(key, one)
            memory.drop(str(number // 2))
        memory.clear()
    assert not wrong
