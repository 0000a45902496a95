"""docs/python.md: every block of code is part of an example that runs, or runs here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from doorward.asgi import EasyAuth
from doorward.client import PlatformTokens
from doorward.testing import DoorwardServer, running_server
from tests.support.programs import environment
from tests.support.sources import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text()
BLOCKS: list[str] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [path.read_text() for path in (ROOT / "examples").glob("*.py")]
FILES = {match[1]: block for block in BLOCKS if (match := re.match(r"# (\w+\.py)\n", block))}
QUOTES = [block for block in BLOCKS if any(block in text for text in EXAMPLES)]
PROGRAMS = [block for block in BLOCKS if block not in QUOTES and block not in FILES.values()]


def test_every_block_is_held() -> None:
    """Blocks of code are in Python, and each is quoted from an example, a file of the tests, or a program."""
    assert PAGE.count("\n```") == 2 * len(BLOCKS)
    assert (len(FILES), len(QUOTES), len(PROGRAMS)) == (5, 6, 5)


def test_the_tests_on_the_page_pass(tmp_path: Path) -> None:
    """What the page shows of testing an app works in an empty directory, with the plugin alone."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    env = environment(tmp_path, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}) | {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "doorward", "-p", "no:cacheprovider"]
    finished = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert "7 passed" in finished.stdout, finished.stdout + finished.stderr


def run(block: str, server: DoorwardServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Run a block as a program of its own; gives its names."""
    client_id, secret = server.client_credentials
    settings = {"AUTH_URL": server.base_url, "AUTH_CLIENT_ID": client_id, "AUTH_CLIENT_SECRET": secret}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    names: dict[str, object] = {"__name__": "page"}
    exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102 - our own page
    return names


def test_the_first_program_greets(doorward_server: DoorwardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The opening of the page does what it says for a user and for a stranger."""
    names = run(PROGRAMS[2], doorward_server, monkeypatch)
    greet = names["greet"]
    assert callable(greet)
    token = doorward_server.exchange("dora@contoso.com").platform_token
    assert str(greet(f"Bearer {token}")).startswith("Hello dora@contoso.com, number ")
    assert greet(None) == "401 Authentication required"


def test_the_headers_on_the_page_greet(doorward_server: DoorwardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's reader of headers knows a person, nobody, and what no gateway sends."""
    greet = run(PROGRAMS[0], doorward_server, monkeypatch)["greet_by_headers"]
    assert callable(greet)
    cookie = doorward_server.sign_in("dora@contoso.com", "google")
    assert str(greet(doorward_server.identity_headers(cookie))).startswith("Hello dora@contoso.com, google:")
    assert greet({}) == "401 Nobody is signed in"
    assert greet({"X-MS-CLIENT-PRINCIPAL": "!"}) == "400 Request is malformed"


def test_the_gateway_on_the_page_is_made(
    doorward_server: DoorwardServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's app inside the gateway reads its settings; `tests/test_asgi.py` says what it then does."""
    (tmp_path / "doorward.toml").write_text('[auth.globalValidation]\nunauthenticatedClientAction = "Return401"\n')
    monkeypatch.chdir(tmp_path)
    assert isinstance(run(PROGRAMS[1], doorward_server, monkeypatch)["app"], EasyAuth)


def test_the_keys_on_the_page_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's way without asking verifies a token of a service that signs with ES256, as the page's own does."""
    with running_server({"token_service.signing_algorithm": "ES256"}) as server:
        tokens = run(PROGRAMS[3], server, monkeypatch)["tokens"]
        assert isinstance(tokens, PlatformTokens)
        assert tokens.verify(server.exchange("jane@contoso.com").access_token).email is None


def test_a_server_of_its_own_serves(doorward_server: DoorwardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's `with` statement gives tokens."""
    pair = run(PROGRAMS[4], doorward_server, monkeypatch)["pair"]
    assert isinstance(pair, tuple)


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", PAGE))
def test_links_lead_somewhere(target: str) -> None:
    """Every file that the page points to is there."""
    assert (ROOT / "docs" / target).exists()
