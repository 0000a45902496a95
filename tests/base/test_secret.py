import json
import logging

import msgspec
import pytest

from doorward.base.secret import MASK, Secret

VALUE = "correct-horse-battery-staple"
SECRET = Secret(VALUE)


@pytest.mark.parametrize(
    "shown",
    [repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET!r}", f"{SECRET!s:>40}", SECRET.__format__(""),
     repr([SECRET]), repr({"a": SECRET}), ascii(SECRET), json.dumps({"a": SECRET}, default=str)],
)  # fmt: skip
def test_a_secret_never_prints_itself(shown: str) -> None:
    """Every way to text gives stars."""
    assert VALUE not in shown
    assert MASK in shown


def test_a_secret_is_not_encoded() -> None:
    """Our JSON encoder refuses a secret, and does not say it while refusing."""
    with pytest.raises(TypeError) as refused:
        msgspec.json.encode({"a": SECRET})
    assert VALUE not in str(refused.value)


def test_a_secret_has_no_dictionary() -> None:
    """Nothing that dumps an object's attributes finds the value."""
    assert not hasattr(SECRET, "__dict__")


def test_a_secret_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """A log line shows stars."""
    logging.getLogger("tests").warning("the key is %s", SECRET)
    assert VALUE not in caplog.text


def test_secrets_compare_by_value() -> None:
    """Equal values are equal secrets, never equal to the bare string; an empty one is false."""
    assert Secret(VALUE) == SECRET
    assert hash(Secret(VALUE)) == hash(SECRET)
    assert Secret("other") != SECRET
    assert VALUE != SECRET
    assert SECRET
    assert not Secret("")
    assert SECRET.reveal() == VALUE
    assert (repr(Secret("")), str(Secret(""))) == ("Secret('')", "")
