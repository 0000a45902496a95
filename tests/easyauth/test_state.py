from hypothesis import given
from hypothesis import strategies as st

from doorward.easyauth.state import is_same_state, nonce_in, target_in, write_state

NONCE = "3ca45c180c4145a2b9fc4353ca0cb959_20270115080500"


@given(st.text(min_size=1), st.sampled_from([None, NONCE]))
def test_a_state_reads_back_as_it_was_written(target: str, nonce: str | None) -> None:
    """Whatever the target holds, it comes back whole, and nothing in it passes for a nonce."""
    state = write_state(target, nonce)
    assert state.isascii()
    assert (target_in(state), nonce_in(state)) == (target, nonce)


@given(st.text())
def test_nothing_that_comes_back_breaks_the_reader(state: str) -> None:
    """A state is anybody's text: it is read or it is nothing, and equal to itself alone."""
    assert nonce_in(state) is None or "nonce" in state
    target_in(state)
    assert is_same_state(state, state)
    assert not is_same_state(state, f"{state}x")


def test_the_form_is_app_services() -> None:
    """`redir=` with the target encoded, and the nonce behind it where the provider carries none."""
    assert write_state("/a?b=c", None) == "redir=%2Fa%3Fb%3Dc"
    assert write_state("/.auth/login/done", NONCE) == f"redir=%2F.auth%2Flogin%2Fdone&nonce={NONCE}"


def test_a_repeated_part_is_none() -> None:
    """Two nonces are no nonce."""
    assert nonce_in("redir=%2F&nonce=a&nonce=b") is None
