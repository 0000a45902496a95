import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.entropy import SeededEntropy
from doorward.protocol.sealing import NotOpened, Sealer, derive

SECRET = bytes(range(32))
SEALER = Sealer(SECRET, "tests")


@given(plain=st.binary(max_size=200), context=st.text(max_size=30))
def test_what_is_sealed_opens(plain: bytes, context: str) -> None:
    """Any bytes come back under the same key and context."""
    assert SEALER.open(SEALER.seal(plain, context, SeededEntropy()), context) == plain


@pytest.mark.parametrize(
    ("secret", "purpose", "context"),
    [(SECRET, "tests", "row:2"), (SECRET, "other", "row:1"), (SECRET[::-1], "tests", "row:1"), (SECRET, "tests", "")],
)
def test_elsewhere_it_stays_shut(secret: bytes, purpose: str, context: str) -> None:
    """Another key, another purpose or another row does not open it."""
    sealed = SEALER.seal(b"secret", "row:1", SeededEntropy())
    with pytest.raises(NotOpened):
        Sealer(secret, purpose).open(sealed, context)


def test_no_bit_can_be_changed() -> None:
    """Every single changed bit is noticed."""
    sealed = SEALER.seal(b"secret", "row:1", SeededEntropy())
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NotOpened):
            SEALER.open(bytes(changed), "row:1")


def test_no_part_can_be_cut_or_added() -> None:
    """Every shorter and one longer value is refused."""
    sealed = SEALER.seal(b"secret", "row:1", SeededEntropy())
    for size in range(len(sealed)):
        with pytest.raises(NotOpened):
            SEALER.open(sealed[:size], "row:1")
    with pytest.raises(NotOpened):
        SEALER.open(sealed + b"\0", "row:1")


def test_two_sealings_differ() -> None:
    """The same value sealed twice looks different, and neither shows it."""
    entropy = SeededEntropy()
    first, second = (SEALER.seal(b"secret", "row:1", entropy) for _ in range(2))
    assert first != second
    assert b"secret" not in first + second


def test_purposes_get_different_keys() -> None:
    """One secret gives unrelated keys for different purposes, none of them the secret."""
    assert len({SECRET, derive(SECRET, "a"), derive(SECRET, "b"), derive(SECRET, "")}) == 4
