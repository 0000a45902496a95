import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import environment

USERS_TESTS = """
from pathlib import Path

import pytest
from doorward.client import PlatformTokens
from doorward.testing import DoorwardServer, SignedInClient


def test_a_person_signs_in(signed_in_client: SignedInClient) -> None:
    answer = signed_in_client.get("/auth-service/api/v2/users/me")
    assert answer.status_code == 200
    assert answer.json()["data"]["email"] == "jane@contoso.com"


def test_an_app_is_protected(doorward_server: DoorwardServer, signed_in_client: SignedInClient) -> None:
    tokens = PlatformTokens(doorward_server.base_url, *doorward_server.client_credentials)
    assert tokens.verify_authorization(signed_in_client.headers["Authorization"]).email == "jane@contoso.com"


class TestAnotherPerson:
    @pytest.fixture
    def doorward_person(self) -> str:
        return "omar@contoso.com"

    def test_who(self, signed_in_client: SignedInClient) -> None:
        assert signed_in_client.get("/auth-service/api/v2/users/me").json()["data"]["email"] == "omar@contoso.com"


def test_settings(doorward_server: DoorwardServer, signed_in_client: SignedInClient) -> None:
    tokens = PlatformTokens(doorward_server.base_url, accepts="access", jwks=True)
    assert tokens.verify(signed_in_client.tokens.access_token).kind == "access"


def test_one_server_serves_the_run(doorward_server: DoorwardServer) -> None:
    assert Path("starts").read_text() == "x"
"""
USERS_CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def doorward_settings() -> dict[str, object]:
    with open("starts", "a") as file:
        file.write("x")
    return {"token_service.signing_algorithm": "ES256"}
"""
UNUSED = """
import sys

def test_nothing_was_loaded() -> None:
    loaded = {name for name in sys.modules if name.startswith("doorward.")}
    assert loaded == {"doorward.testing", "doorward.testing.plugin"}
    assert not {"uvicorn", "sqlite3", "click", "cryptography", "msgspec", "asyncpg"} & set(sys.modules)
"""


def run_pytest(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as somebody would who has installed Doorward and no other plugin, with warnings as errors."""
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "doorward", "-p", "no:cacheprovider", *arguments]
    env = environment(directory, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "DOORWARD_TOKEN_SERVICE__ENABLED": "nonsense"})
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, check=False)


def test_a_users_tests_run_against_a_real_service(tmp_path: Path) -> None:
    """Whoever installed Doorward asks for the fixtures by name; one service serves the run, with the settings wanted.

    Their environment's own settings for Doorward change nothing, and no warning is left behind.
    """
    (tmp_path / "test_app.py").write_text(USERS_TESTS)
    (tmp_path / "conftest.py").write_text(USERS_CONFTEST)
    finished = run_pytest(tmp_path, "-v")
    assert "5 passed" in finished.stdout, finished.stdout + finished.stderr
    assert "warning" not in finished.stdout


def test_a_run_without_the_fixtures_pays_nothing(tmp_path: Path) -> None:
    """Pytest loads the plugin in every run of every project; until a fixture is used, that costs one small import."""
    (tmp_path / "test_other.py").write_text(UNUSED)
    finished = run_pytest(tmp_path)
    assert "1 passed" in finished.stdout, finished.stdout + finished.stderr


def test_the_fixtures_explain_themselves(tmp_path: Path) -> None:
    """`pytest --fixtures` lists what there is."""
    finished = run_pytest(tmp_path, "--fixtures", "-v")
    names = ("doorward_server", "doorward_settings", "doorward_app", "doorward_person", "doorward_provider")
    for name in (*names, "signed_in_client"):
        assert name in finished.stdout


@pytest.mark.parametrize("name", ["doorward_server", "signed_in_client"])
def test_the_fixtures_can_be_imported(name: str) -> None:
    """`from doorward.testing import doorward_server, signed_in_client` is the interface's spelling."""
    import doorward.testing  # noqa: PLC0415 - the package is what is tested

    assert getattr(doorward.testing, name) is getattr(doorward.testing.plugin, name)
