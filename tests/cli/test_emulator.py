import json
from pathlib import Path
from typing import Any

import pytest

from doorward.cli.emulator import DEFAULT_URL, STATE, last_started
from doorward.protocol.jose import base64url_decode
from tests.cli.conftest import CommandLine
from tests.support.emulators import RunningEmulator
from tests.support.programs import free_port


def claims_of(token: str) -> dict[str, Any]:
    return json.loads(base64url_decode(token.split(".")[1].encode()))


def test_the_token_stands_alone(cli: CommandLine, emulator: RunningEmulator) -> None:
    """Standard output holds the token and nothing else."""
    outcome = cli.ok("emulator", "token", "--url", emulator.url)
    assert outcome.out.count("\n") == 1
    assert outcome.err == ""
    assert claims_of(outcome.out)["ver"] == "2.0"


def test_every_option_counts(cli: CommandLine, emulator: RunningEmulator) -> None:
    """Options reach the token; a claim is JSON where it parses, else text."""
    audience, tenant = "99999999-0000-4000-8000-000000000009", "88888888-0000-4000-8000-000000000008"
    claims = claims_of(
        cli.ok(
            "emulator", "token", "--url", emulator.url, "--provider", "aad", "--email", "x@y.example", "--name", "Xi",
            "--tenant", tenant, "--audience", audience, "--nonce", "n", "--claim", "acct=1", "--claim", 'roles=["a"]',
            "--claim", "note=a=b", "--without", "rh", "--expired", "--version", "1.0", "--unverified", "--rotate-key",
        ).out
    )  # fmt: skip
    assert (claims["upn"], claims["name"], claims["tid"], claims["aud"]) == ("x@y.example", "Xi", tenant, audience)
    assert (claims["acct"], claims["roles"], claims["note"], claims["nonce"]) == (1, ["a"], "a=b", "n")
    assert claims["exp"] < claims_of(cli.ok("emulator", "token", "--url", emulator.url).out)["iat"]
    assert claims["ver"] == "1.0"
    assert "rh" not in claims
    assert claims.get("xms_edov") is not True


def test_the_emulator_that_dev_started_is_asked(cli: CommandLine, emulator: RunningEmulator) -> None:
    """Without --url the address is the one that dev wrote down in this directory."""
    STATE.parent.mkdir(parents=True)
    STATE.write_text(json.dumps({"url": emulator.url}))
    assert claims_of(cli.ok("emulator", "token").out)


@pytest.mark.parametrize("text", ["", "[]", '{"other": "x"}', '{"url": 5}'])
@pytest.mark.usefixtures("cli")
def test_a_damaged_note_is_no_note(text: str) -> None:
    """Whatever else stands there, the default address is asked."""
    STATE.parent.mkdir(parents=True)
    Path(STATE).write_text(text)
    assert last_started() == DEFAULT_URL


def test_no_emulator_is_told(cli: CommandLine) -> None:
    """Where nothing answers, the error says how to start one."""
    url = f"http://127.0.0.1:{free_port()}"
    told = cli.refused("emulator_unreachable", "emulator", "token", "--url", url).err
    assert url in told
    assert "8082" not in told.replace(url, "")


def test_a_refusal_is_told(cli: CommandLine, emulator: RunningEmulator) -> None:
    """What the emulator does not do, it says."""
    cli.refused("emulator_refused", "emulator", "token", "--url", emulator.url, "--provider", "nobody")
