"""The commands of the pages for beginners and for client developers do what the pages say, against a real service."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.support.programs import DOORWARD, environment, free_ports, start_doorward
from tests.support.sources import ROOT

PAGES = ("README.md", "docs/quickstart.md", "docs/sign-in.md", "docs/forward-auth.md", "docs/exchange.md")
PORTS = 4
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# Numbers that differ from run to run; every other number is as it is printed.
VARYING = {"iat", "exp"}


def blocks(page: str) -> list[tuple[str, str]]:
    """Give language and text of every fenced block of a page, in order."""
    return [(language, text) for _, language, text in FENCE.findall((ROOT / page).read_text())]


def steps(page: str) -> list[tuple[str, str | None]]:
    """Give every command block of a page with the answer that is printed right after it, if one is."""
    found, following = blocks(page), [*blocks(page)[1:], ("", "")]
    return [
        (text, answer if kind == "json" else None)
        for (language, text), (kind, answer) in zip(found, following, strict=True)
        if language == "sh"
    ]


@pytest.mark.parametrize("page", PAGES)
def test_commands_answer_as_the_page_says(page: str, tmp_path: Path) -> None:
    """Every command of the page succeeds in a shell, in order, and every answer is the one that is printed below it."""
    port = free_ports(PORTS)
    with start_doorward("dev", "--port", str(port), cwd=tmp_path, prints_secrets=True) as dev:
        dev.wait_for_output("Have the pretend Entra")
        told = list(run_steps(page, port, tmp_path))
    assert told
    for printed, expected in told:
        if expected is not None:
            assert_matches(json.loads(printed), json.loads(on_ports(expected, port)), "answer")


def run_steps(page: str, port: int, cwd: Path) -> Iterator[tuple[str, str | None]]:
    """Run the page's commands in one shell; gives what each printed, and the answer that the page prints."""
    wanted = steps(page)
    mark = "\x1e"
    script = "".join(f"{on_ports(text, port)}\nprintf '{mark}'\n" for text, _ in wanted)
    script = script.replace(".venv/bin/doorward", str(DOORWARD))
    done = subprocess.run(
        ["sh", "-eu"], input=script, cwd=cwd, env=environment(cwd), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.split(mark)
    assert len(printed) == len(wanted) + 1
    for output, (_, expected) in zip(printed, wanted, strict=False):
        yield output, expected


def on_ports(text: str, port: int) -> str:
    """Put the ports of this run in place of the default ones."""
    for offset in range(PORTS):
        text = text.replace(f"127.0.0.1:{8080 + offset}", f"127.0.0.1:{port + offset}")
    return text


def assert_matches(found: object, expected: object, where: str) -> None:
    """Hold an answer to a sample: the same members in the same order, and the same values but for `…` in a text."""
    if isinstance(expected, dict):
        members = cast("dict[str, object]", expected)
        assert isinstance(found, dict), where
        assert list(cast("dict[str, object]", found)) == list(members), where
        for name, value in members.items():
            if name not in VARYING:
                assert_matches(cast("dict[str, object]", found)[name], value, f"{where}.{name}")
    elif isinstance(expected, str) and "…" in expected:
        pattern = ".+".join(map(re.escape, expected.split("…")))
        assert isinstance(found, str), where
        assert re.fullmatch(pattern, found), where
    else:
        assert found == expected, where


def test_toml_samples_are_legal(tmp_path: Path) -> None:
    """Every settings sample of the documentation passes `doorward check`."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        for number, (language, text) in enumerate(blocks(f"docs/{page.name}")):
            if language != "toml" or page.name == "settings.md":
                continue
            file = tmp_path / f"{page.stem}-{number}.toml"
            file.write_text(re.sub(r"^   ", "", text, flags=re.MULTILINE))
            command = [str(DOORWARD), "check", "--config", file.name]
            # The directories of the samples are those of a real installation.
            env = environment(tmp_path, {"DOORWARD_DATABASE__URL": "sqlite:///doorward.db"})
            done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False)
            assert done.returncode == 0, f"{page.name}: {done.stdout.decode()}{done.stderr.decode()}"


def test_the_two_files_of_sign_in_are_enough(tmp_path: Path) -> None:
    """What the page on sign-in shows for production passes `doorward check` as it stands, with the secret at hand."""
    texts = [text for language, text in blocks("docs/sign-in.md") if language == "text"]
    settings = next(text for text in texts if text.startswith("# doorward.toml\n"))
    (tmp_path / "doorward.toml").write_text(settings)
    (tmp_path / "auth.json").write_text(next(text for text in texts if "identityProviders" in text))
    env = environment(tmp_path, {"MICROSOFT_PROVIDER_AUTHENTICATION_SECRET": "a secret of the provider"})
    done = subprocess.run([str(DOORWARD), "check"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "The settings are usable."), done.stdout + done.stderr
