import pytest

from doorward.base.errors import DoorwardError
from doorward.easyauth.loop_guard import count_redirect


def value_of(header: tuple[bytes, bytes]) -> str:
    """Give the value of a cookie that is set."""
    return header[1].decode().partition("=")[2].partition(";")[0]


def count(value: str | None, target: str = "/a") -> str:
    """Count one more redirect for a browser that holds this cookie."""
    headers = [] if value is None else [(b"cookie", f"x=1; RedirectCount={value}".encode())]
    return value_of(count_redirect(headers, target, https=False))


def test_five_redirects_to_one_place_are_enough() -> None:
    """The sixth is refused; the numbers in between go up by one."""
    value = None
    for number in range(1, 6):
        value = count(value)
        assert value.startswith(f"{number}.")
    with pytest.raises(DoorwardError) as refused:
        count(value)
    assert refused.value.code == "redirect_loop"


def test_another_place_begins_anew() -> None:
    """Who opens many tabs goes in no circle."""
    value = None
    for number in range(20):
        value = count(value, f"/{number}")
        assert value.startswith("1.")


@pytest.mark.parametrize("value", ["", "x", "-1", "999", "1.x", "1.ABCDEF00", "1e3", "٣"])
def test_what_is_no_count_counts_as_none(value: str) -> None:
    """A cookie that somebody made up keeps nobody out."""
    assert count(value.encode("utf-8").decode("latin-1")).startswith("1.")


def test_a_bare_number_counts_for_every_place() -> None:
    """As App Service would have written it."""
    assert count("3").startswith("4.")
    with pytest.raises(DoorwardError):
        count("5")


def test_of_two_cookies_the_higher_counts() -> None:
    """A second cookie of the same name, planted by another host, does not undo the guard."""
    with pytest.raises(DoorwardError):
        count_redirect([(b"cookie", b"RedirectCount=5; RedirectCount=1")], "/a", https=True)
