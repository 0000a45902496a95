import asyncio
import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.base.errors import DoorwardError
from doorward.emulator import client
from doorward.emulator.aad import cloud_settings
from doorward.emulator.app import EmulatorApp
from doorward.emulator.messages import BadMessage, MintRequest
from doorward.emulator.people import PEOPLE, Person, directory, read_people
from doorward.keys.kept import ForgottenDocuments
from doorward.keys.provider_keys import ProviderKeys
from doorward.outbound import Outbound
from doorward.protocol.jose import read_compact, verify_rs256
from tests.support.emulators import RunningEmulator, running_emulator

NOW = 1_800_000_000.0


@pytest_asyncio.fixture
async def emulator() -> AsyncGenerator[RunningEmulator]:
    """Give an emulator on a real server."""
    async with running_emulator(FrozenClock(NOW)) as running:
        yield running


async def ask(
    emulator: RunningEmulator, request: str, *headers: str, host: str | None = None, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Send a request line and headers; give status, headers and body of the answer."""
    host = f"127.0.0.1:{emulator.port}" if host is None else host
    head = [f"{request} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {len(body)}", *headers]
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    writer.write("\r\n".join([*head, "", ""]).encode() + body)
    lines, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    first, *others = lines.decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in others)
    return int(first.split()[1]), fields, content


async def test_the_command_line_gets_a_token_that_the_published_keys_verify(emulator: RunningEmulator) -> None:
    """Client, server, key cache and signature check work together over real HTTP."""
    token = await asyncio.to_thread(client.mint, emulator.url, MintRequest(email="jane@contoso.com"))
    unverified = read_compact(token)
    keys = ProviderKeys(Outbound(None, {}), ForgottenDocuments(), FrozenClock(NOW), SeededEntropy())
    (key,) = await keys.find(cloud_settings(emulator.url)["keys_v2"], unverified.kid)
    assert verify_rs256(unverified, key)


async def test_a_rotated_key_is_found_by_the_cache_at_once(emulator: RunningEmulator) -> None:
    """`rotate_key` gives a token that forces one refresh and then passes."""
    keys = ProviderKeys(Outbound(None, {}), ForgottenDocuments(), FrozenClock(NOW), SeededEntropy())
    url = cloud_settings(emulator.url)["keys_v1"]
    keys.watch([url])
    assert await keys.refresh_all() == {url: None}
    token = await asyncio.to_thread(client.mint, emulator.url, MintRequest(rotate_key=True, version="1.0"))
    assert len(await keys.find(url, read_compact(token).kid)) == 1
    assert keys.status()[url].forced_refreshes == 1


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/common/v2.0/.well-known/openid-configuration", "get, head"),
        ("/contoso.com/discovery/keys", "get, head"),
        ("/_emulator/people", "get, head, post"),
    ],
)
async def test_documents_are_json_for_get_and_head(emulator: RunningEmulator, path: str, allow: str) -> None:
    """GET gives the document, HEAD its headers, anything else 405 with Allow; nothing may be cached or shared."""
    status, fields, body = await ask(emulator, f"GET {path}")
    assert (status, fields["content-type"], fields["cache-control"]) == (200, "application/json", "no-store")
    assert json.loads(body)
    assert not any(name.startswith("access-control") for name in fields)
    head_status, head_fields, head_body = await ask(emulator, f"HEAD {path}")
    assert (head_status, head_fields["content-length"], head_body) == (200, str(len(body)), b"")
    status, fields, _ = await ask(emulator, f"DELETE {path}")
    assert (status, fields["allow"]) == (405, allow)


async def test_every_answer_has_a_request_id(emulator: RunningEmulator) -> None:
    """Each answer is numbered anew, whatever the client sent of its own."""
    asked = ["GET /_emulator/people", "HEAD /_emulator/people", "GET /nowhere", "PUT /_emulator/token"]
    ids = [(await ask(emulator, one))[1]["x-request-id"] for one in asked]
    assert len(set(ids)) == len(asked)
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)


async def test_the_people_are_listed(emulator: RunningEmulator) -> None:
    """Whoever prints who can sign in asks the emulator."""
    _, _, body = await ask(emulator, "GET /_emulator/people")
    assert [person["email"] for person in json.loads(body)["people"]] == [person.email for person in PEOPLE]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "localhost:1",
        "127.0.0.1.evil.example:{port}",
        "10.0.0.1:{port}",
        "",
    ],
)
async def test_a_foreign_host_is_refused(emulator: RunningEmulator, host: str) -> None:
    """A page whose name was rebound to this machine sends its own Host, and gets nothing."""
    for request in ("GET /common/discovery/keys", "POST /_emulator/token"):
        status, _, body = await ask(
            emulator, request, "Content-Type: application/json", host=host.format(port=emulator.port), body=b"{}"
        )
        assert status in {400, 403}
        assert b"eyJ" not in body


@pytest.mark.parametrize("host", ["localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}", "127.0.0.2:{port}"])
async def test_every_loopback_name_is_its_own(emulator: RunningEmulator, host: str) -> None:
    """The names of this machine with the right port are served."""
    status, _, _ = await ask(emulator, "GET /common/discovery/keys", host=host.format(port=emulator.port))
    assert status == 200


@pytest.mark.parametrize(
    ("headers", "body", "status", "says"),
    [
        (["Content-Type: application/json"], b'{"colour": "red"}', 400, "colour"),
        (["Content-Type: application/json"], b'{"provider": "myspace"}', 400, "aad"),
        (["Content-Type: application/json"], b'{"email": "nobody"}', 400, "nobody"),
        (["Content-Type: application/json"], b"{", 400, "JSON"),
        (["Content-Type: text/plain"], b"{}", 415, "application/json"),
        ([], b"{}", 415, "application/json"),
        (["Content-Type: application/json"], b" " * 70_000, 413, "too long"),
    ],
)
async def test_a_wrong_order_for_a_token_is_refused_in_words(
    emulator: RunningEmulator, headers: list[str], body: bytes, status: int, says: str
) -> None:
    """Unknown knobs, providers and people are 400; a type that any page may send is 415."""
    got, _, content = await ask(emulator, "POST /_emulator/token", *headers, body=body)
    assert got == status
    assert says in json.loads(content)["message"]


async def test_a_token_is_not_given_for_get(emulator: RunningEmulator) -> None:
    """A link or an image cannot order one."""
    status, fields, _ = await ask(emulator, "GET /_emulator/token")
    assert (status, fields["allow"]) == (405, "post")


async def test_unknown_paths_are_404(emulator: RunningEmulator) -> None:
    """Nothing is published anywhere else."""
    assert (await ask(emulator, "GET /nowhere"))[0] == 404


@pytest.mark.parametrize("peer", [("192.0.2.1", 5000), None])
async def test_a_peer_elsewhere_is_refused(peer: tuple[str, int] | None) -> None:
    """Even if somebody made it listen on every address, only this machine is answered."""
    app = EmulatorApp("http://127.0.0.1:8082", FrozenClock(NOW), SeededEntropy())
    sent: list[int] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message.get("status", 0))

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/common/discovery/keys",
        "headers": [(b"host", b"127.0.0.1:8082")],
        "client": peer,
    }
    await app(scope, receive, send)
    assert sent[0] == 403


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:8082", "http://example.com:8082", "http://127.0.0.1", "http://127.0.0.1:8082/x", ""]
)
def test_the_emulator_pretends_on_this_machine_only(url: str) -> None:
    """Any other address is refused when it is made."""
    with pytest.raises(ValueError, match="loopback"):
        EmulatorApp(url, FrozenClock(NOW), SeededEntropy())


# --- the client ----------------------------------------------------------------------------------------------------


async def test_the_client_repeats_the_refusal_in_the_emulators_words(emulator: RunningEmulator) -> None:
    """What is wrong with a knob reaches the person at the command line."""
    with pytest.raises(DoorwardError, match="nobody") as refused:
        await asyncio.to_thread(client.mint, emulator.url, MintRequest(email="nobody"))
    assert refused.value.code == "emulator_refused"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:9", "emulator_unreachable"),
        ("http://example.com:8082", "emulator_refused"),
        ("https://127.0.0.1:8082", "emulator_refused"),
        ("http://127.0.0.1:port", "emulator_refused"),
        ("nonsense", "emulator_refused"),
    ],
)
def test_the_client_asks_this_machine_only(url: str, code: str) -> None:
    """No emulator, or an address elsewhere, is an error with a fix."""
    with pytest.raises(DoorwardError) as refused:
        client.mint(url, MintRequest())
    assert refused.value.code == code


# --- people --------------------------------------------------------------------------------------------------------


def test_people_are_read_from_a_file(tmp_path: Path) -> None:
    """A JSON array of people replaces the built-in ones."""
    file = tmp_path / "people.json"
    file.write_text(
        '[{"email": "zoe@contoso.com", "name": "Zoe"}, {"email": "x@y.example", "name": "X", "guest": true}]'
    )
    people = read_people(file)
    assert directory(people).find("ZOE@contoso.com") == Person(email="zoe@contoso.com", name="Zoe")


@pytest.mark.parametrize("text", [None, "{}", '[{"email": "a@b.example"}]', '[{"email": "nobody", "name": "N"}]', "["])
def test_a_wrong_file_of_people_is_refused(tmp_path: Path, text: str | None) -> None:
    """A missing file, other JSON, and people without an address are errors in words."""
    file = tmp_path / "people.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadMessage, match=r"\w"):
        directory(read_people(file))
