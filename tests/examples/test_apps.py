"""The apps in examples/ as their readers run them, each against a real service."""

import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from doorward.testing import DoorwardServer, Response, running_server
from doorward.testing.caller import call
from tests.support.canaries import canary, keep_secret
from tests.support.programs import Program, free_port
from tests.support.sources import ROOT

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*_app.py"))


@dataclass(frozen=True)
class App:
    """A running example."""

    url: str

    def me(self, *authorization: str) -> Response:
        """Ask who calls."""
        headers = {"Authorization": authorization[0]} if authorization else {}
        return call("GET", f"{self.url}/me", headers)


@contextmanager
def running(name: str, directory: Path, auth_url: str, client: tuple[str, str]) -> Generator[App]:
    """Run an example, as its docstring says."""
    port = free_port()
    env = {"AUTH_URL": auth_url, "AUTH_CLIENT_ID": client[0], "AUTH_CLIENT_SECRET": keep_secret(client[1])}
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), str(port)]
    with Program(command, cwd=directory, env=env) as program:
        url = f"http://127.0.0.1:{port}"
        program.wait_for_url(url)
        yield App(url)


@pytest.fixture(scope="module", params=EXAMPLES)
def app(
    request: pytest.FixtureRequest, doorward_server: DoorwardServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """Give each example in turn."""
    directory = tmp_path_factory.mktemp(request.param)
    with running(request.param, directory, doorward_server.base_url, doorward_server.client_credentials) as app:
        yield app


def bearer(token: str) -> str:
    """Give the header's value; the token is looked for in everything that is written."""
    return f"Bearer {keep_secret(token)}"


def test_a_good_token_gives_the_user(app: App, doorward_server: DoorwardServer) -> None:
    """A person who signed in is known by name, the second time too."""
    token = bearer(doorward_server.exchange("cleo@contoso.com").platform_token)
    for _ in range(2):
        answer = app.me(token)
        assert (answer.status_code, answer.json()) == (200, {"id": answer.json()["id"], "email": "cleo@contoso.com"})


def test_without_a_token_the_challenge_is_bare(app: App) -> None:
    """A request without credentials is told which are wanted, and of no error (RFC 6750 section 3.1)."""
    for answer in (app.me(), app.me("Basic eDp5")):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="platform"'
        assert "Authentication required" in answer.text


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "a.b.c", "two words"])
def test_a_token_that_nobody_made_is_refused(app: App, token: str) -> None:
    """Whatever is presented, the answer is 401 and never an error of the app."""
    answer = app.me(f"Bearer {token}")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.headers["cache-control"] == "no-store"


def test_a_revoked_token_is_refused(app: App, doorward_server: DoorwardServer) -> None:
    """Whoever signed out is a stranger."""
    pair = doorward_server.exchange("cleo@contoso.com")
    doorward_server.revoke(pair.platform_token)
    assert app.me(bearer(pair.platform_token)).status_code == 401


def test_the_other_kind_of_token_is_refused(app: App, doorward_server: DoorwardServer) -> None:
    """The JWT for `/auth-service`, and an id_token of the provider, open nothing here."""
    assert app.me(bearer(doorward_server.exchange("cleo@contoso.com").access_token)).status_code == 401
    assert app.me(bearer(doorward_server.token_for("cleo@contoso.com"))).status_code == 401


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_expired_token_is_refused(name: str, tmp_path: Path) -> None:
    """A token that was good, and is remembered as good, ends with its time."""
    with (
        running_server({"token_service.platform_token_lifetime": "2s"}) as server,
        running(name, tmp_path, server.base_url, server.client_credentials) as app,
    ):
        token = bearer(server.exchange("cleo@contoso.com").platform_token)
        assert app.me(token).status_code == 200
        while app.me(token).status_code == 200:
            time.sleep(0.02)  # for at most two seconds
        assert app.me(token).status_code == 401


@pytest.mark.parametrize("name", EXAMPLES)
def test_while_the_service_is_away_nobody_gets_in(name: str, tmp_path: Path) -> None:
    """Whom nobody can vouch for is not let in, and is not told that the token is bad."""
    with running(name, tmp_path, f"http://127.0.0.1:{free_port()}", ("app", canary("lonely app"))) as app:
        answer = app.me("Bearer " + "0" * 64)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert app.me().status_code == 401
