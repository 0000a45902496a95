import os
import uuid
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from doorward.base.entropy import SeededEntropy, SystemEntropy, opaque_token, ordered_id

MOMENTS = st.floats(0, 2**40 / 1000, allow_nan=False)


@given(now=MOMENTS, seed=st.binary(max_size=8))
def test_ordered_ids_are_uuid_7(now: float, seed: bytes) -> None:
    """An id is a UUID of version 7 and the RFC's variant, and its first 48 bits are the milliseconds."""
    made = uuid.UUID(text := ordered_id(SeededEntropy(seed), now))
    assert (made.version, made.variant, str(made)) == (7, uuid.RFC_4122, text)
    assert made.int >> 80 == int(now * 1000)


@given(first=MOMENTS, second=MOMENTS)
def test_ordered_ids_sort_by_time(first: float, second: float) -> None:
    """Of two ids of different milliseconds the earlier is the smaller text."""
    if int(first * 1000) < int(second * 1000):
        assert ordered_id(SystemEntropy(), first) < ordered_id(SystemEntropy(), second)


def test_ids_of_one_moment_differ() -> None:
    """Two ids of the same millisecond are different."""
    entropy = SystemEntropy()
    assert len({ordered_id(entropy, 1.0) for _ in range(1000)}) == 1000


def test_opaque_tokens() -> None:
    """A token is 64 lower-case hexadecimal digits, and no two are equal."""
    tokens = {opaque_token(SystemEntropy()) for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 64 and set(token) <= set("0123456789abcdef") for token in tokens)


@given(sizes=st.lists(st.integers(0, 100), max_size=10))
def test_seeded_entropy_repeats_itself(sizes: list[int]) -> None:
    """One seed gives one sequence, of the sizes asked for."""
    one, other = SeededEntropy(b"x"), SeededEntropy(b"x")
    assert [one.draw(size) for size in sizes] == [other.draw(size) for size in sizes]
    assert len(one.draw(33)) == 33
    assert SeededEntropy(b"x").draw(32) != SeededEntropy(b"y").draw(32)


def test_no_byte_of_the_system_is_given_twice() -> None:
    """Pieces of any size, also drawn by many threads at once, are all different and of the size that was asked for."""
    entropy = SystemEntropy()
    with ThreadPoolExecutor(8) as threads:
        drawn = list(threads.map(entropy.draw, [16] * 5000))
    assert len(set(drawn)) == 5000
    assert [len(entropy.draw(size)) for size in (0, 1, 32, 33, 4096)] == [0, 1, 32, 33, 4096]


def test_a_forked_child_draws_its_own_bytes() -> None:
    """A child does not repeat what its parent will draw."""
    entropy = SystemEntropy()
    entropy.draw(1)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, entropy.draw(32))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 32) != entropy.draw(32)
