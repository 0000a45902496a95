import pytest

from doorward.base.loopback import is_loopback_host


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "127.0.0.1", "127.255.255.254", "::1", "[::1]", "0:0:0:0:0:0:0:1"]
)
def test_this_machine(host: str) -> None:
    """The name localhost and literal loopback addresses are this machine."""
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "[::]",  # noqa: S104 - nobody binds here
     "localhost.", "localhost.example", "127.0.0.1.nip.io", "127.1", "2130706433", "0x7f.1",
     "127.0.0.01", "[127.0.0.1", "128.0.0.1", "192.168.0.1", "[::2]", "app.example.com", "localhost:80"],
)  # fmt: skip
def test_everybody_else(host: str) -> None:
    """Names that would have to be resolved, and other spellings, are not."""
    assert not is_loopback_host(host)
