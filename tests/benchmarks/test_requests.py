from pathlib import Path

import pytest

from benchmarks import apache, proxies, wrk
from benchmarks.signed_in import COOKIE, browser_headers, browser_request


def test_a_request_is_like_a_browsers() -> None:
    """It has 16 headers and, with a cookie of the usual length, about 2.2 KB."""
    request = browser_request("x" * 43)
    assert len(browser_headers("x")) == 16
    assert request.count(b"\r\n") == 1 + 16 + 1
    assert 2000 < len(request) < 2400


def test_another_service_gets_its_own_cookie(tmp_path: Path) -> None:
    """The script for it carries no session cookie of ours."""
    lua = wrk.script(tmp_path / "apache.lua", tmp_path / "cookies", "/10k", apache.COOKIE).read_text()
    assert f"{apache.COOKIE}=@COOKIE@;" in lua
    assert "GET /10k HTTP/1.1\n" in lua
    assert COOKIE not in lua


def test_deployed_configurations_are_measured(tmp_path: Path) -> None:
    """What is deployed for nginx and Caddy takes other addresses, and is otherwise as it is."""
    nginx = proxies.nginx_site(tmp_path, 1001, 1002, 1003)
    assert "listen 127.0.0.1:1001;" in nginx
    assert "ssl_certificate" not in nginx
    caddy = proxies.caddy_site(1001, 1002, 1003)
    assert "\nhttp://:1001 {" in caddy
    for text in (nginx, caddy):
        assert "127.0.0.1:1002" in text
        assert "127.0.0.1:1003" in text
        assert "app.example.com" not in text.replace("https://app.example.com", "")


def test_a_change_of_what_is_deployed_is_noticed() -> None:
    """An address that is not there any more stops the benchmark, which would measure something else."""
    with pytest.raises(RuntimeError, match="'b' is not there"):
        proxies.changed("a", {"b": "c"})
