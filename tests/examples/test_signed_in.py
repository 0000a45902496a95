"""The examples that stand behind the gateway, each behind a real one, with people who sign in."""

import runpy
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from doorward.testing import DoorwardServer, running_server
from doorward.testing.caller import call
from tests.support.programs import Program, free_port
from tests.support.sources import ROOT

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("signed_in_*.py"))
HEADER = "X-MS-CLIENT-PRINCIPAL"


@dataclass(frozen=True)
class Behind:
    """A running example and the gateway in front of it."""

    url: str
    server: DoorwardServer


@pytest.fixture(scope="module", params=[name for name in EXAMPLES if not name.endswith("streamlit")])
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """Give each example in turn, as its docstring says; Streamlit's is drawn by its own program, see below."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(ROOT / "examples" / f"{request.param}.py"), str(port)]
    with (
        Program(command, cwd=tmp_path_factory.mktemp(request.param)) as program,
        running_server(app=url) as server,
    ):
        program.wait_for_url(url, status=401)
        yield Behind(url, server)


@pytest.mark.parametrize("provider", ["aad", "google", "contoso"])
def test_whoever_signed_in_is_greeted(behind: Behind, provider: str) -> None:
    """The app knows provider, id and name of a person who came through the gateway."""
    client = behind.server.client_for("jane@contoso.com", provider)
    told = client.get("/")
    assert told.status_code == 200, told.text
    assert told.json()["provider"] == provider
    assert told.json()["name"] == client.get("/.auth/me").json()[0]["user_id"]
    assert told.json()["id"]


def test_names_arrive_whole(behind: Behind) -> None:
    """A name beyond ASCII is the same in every framework."""
    client = behind.server.client_for("josé@contoso.com", "google")
    assert client.get("/").json()["name"] == "josé@contoso.com"


def test_nobody_is_nobody(behind: Behind) -> None:
    """Without a sign-in the gateway answers, and past it the app."""
    assert behind.server.stranger.get("/", {HEADER: b64encode(b"{}").decode()}).status_code == 401
    assert call("GET", behind.url).status_code == 401


@pytest.mark.parametrize("value", ["e30=", "!", "A" * 20])
def test_what_no_gateway_sends_is_400(behind: Behind, value: str) -> None:
    """Whoever reaches the app past the gateway with headers made up badly is refused, and nothing breaks."""
    assert call("GET", behind.url, {HEADER: value}).status_code == 400


class Stopped(Exception):
    """The script ended early, as `st.stop` has it."""


def shown_by_streamlit(headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the example of Streamlit with the four things that it takes of Streamlit, and give what it shows."""

    def stop() -> None:
        raise Stopped

    shown: list[str] = []
    context = SimpleNamespace(headers=headers)
    few = SimpleNamespace(context=context, error=shown.append, write=shown.append, stop=stop)
    monkeypatch.setitem(sys.modules, "streamlit", few)
    with suppress(Stopped):
        runpy.run_path(str(ROOT / "examples" / "signed_in_streamlit.py"))
    return shown


def test_streamlit_greets(doorward_server: DoorwardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of Streamlit greets whoever signed in, knows nobody, and refuses what no gateway sends."""
    client = doorward_server.client_for("jane@contoso.com", "google")
    greeting = shown_by_streamlit(client.identity_headers, monkeypatch)
    assert greeting[0].startswith("Hello jane@contoso.com, google:")
    assert shown_by_streamlit({}, monkeypatch) == ["Nobody is signed in"]
    assert shown_by_streamlit({HEADER: "!"}, monkeypatch) == ["Request is malformed"]
