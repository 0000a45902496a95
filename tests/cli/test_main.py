"""What holds for every command."""

import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest

from doorward import __version__
from doorward.base.errors import DoorwardError
from doorward.base.faults import VALUE_REFUSED
from doorward.cli import main
from doorward.cli.docs import leaves
from doorward.cli.frame import Shared
from tests.cli.conftest import CommandLine
from tests.support.canaries import canary
from tests.support.programs import DOORWARD, environment, run_doorward

explain = importlib.import_module("doorward.cli.explain")
CONTEXTS = list(leaves(click.Context(main.doorward, info_name="doorward", obj=Shared())))
PATHS = [context.command_path for context in CONTEXTS]


def test_version_names_the_program(cli: CommandLine) -> None:
    """`--version` prints name and version, and touches no file."""
    assert cli.ok("--version").out == f"doorward {__version__}\n"
    assert list(cli.directory.iterdir()) == []


def test_version_loads_nothing_else(tmp_path: Path) -> None:
    """`--version` is quick because it loads neither the database nor cryptography nor the server."""
    loaded = "import sys; from doorward.cli.main import run; run(['--version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert not {"sqlite3", "cryptography", "uvicorn", "asyncpg", "alembic", "doorward.house"} & set(done.stdout.split())


def test_the_program_runs_as_a_process(tmp_path: Path) -> None:
    """The exit status and both streams are those of a process."""
    done = run_doorward("orgs", "disable", "7", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: There is nothing of that name: organization 7 [not_there]\n"
        "fix: The list command of the same noun shows what there is.\n"
    )


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    """`doorward … | head -1` ends without a word on standard error."""
    command = subprocess.Popen(
        [DOORWARD, "config", "show"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment(tmp_path),
    )
    assert command.stdout is not None
    command.stdout.close()
    _, told = command.communicate()
    assert told == b""
    assert command.returncode in {1, main.BROKEN_PIPE}


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
@pytest.mark.parametrize("words", ["orgs list", "--help", "config show", "explain not_found"])
def test_lost_output_is_told(tmp_path: Path, words: str, redirection: str) -> None:
    """Results that nobody got are an error in two lines, and no defect."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" {words} {redirection}', DOORWARD],
        stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment(tmp_path), check=False,
    )  # fmt: skip
    what, fix = done.stderr.splitlines()
    assert (done.returncode, what.endswith("[output_lost]"), fix.startswith("fix: ")) == (1, True, True)


def test_an_interrupt_is_quiet(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command without a traceback."""

    def interrupt() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(explain, "_read_input", interrupt)
    outcome = cli("explain", "-")
    assert (outcome.status, outcome.out, outcome.err.strip()) == (main.INTERRUPTED, "", "")


@pytest.mark.parametrize("arguments", [
    ("--config", "a.toml", "orgs", "list"),
    ("orgs", "--config", "a.toml", "list"),
    ("orgs", "list", "--config", "a.toml"),
    ("orgs", "list", "--config=a.toml"),
])  # fmt: skip
def test_config_stands_anywhere(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    """`--config` counts before, between and after a command's words."""
    (cli.directory / "a.toml").write_text('[database]\nurl = "sqlite:///a.db"\n')
    cli.ok(*arguments)
    assert (cli.directory / "a.db").exists()
    assert not (cli.directory / "doorward.db").exists()


@pytest.mark.parametrize("arguments", [
    ("--config", "a.toml", "orgs", "list", "--config", "b.toml"),
    ("orgs", "--config", "a.toml", "list", "--config", "b.toml"),
    ("orgs", "list", "--config", "a.toml", "--config", "b.toml"),
    ("--config", "a.toml", "--config", "a.toml", "orgs", "list"),
])  # fmt: skip
def test_two_configs_are_one_too_many(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    """Of two settings files none is read, wherever they are named."""
    for name in "ab":
        (cli.directory / f"{name}.toml").write_text(f'[database]\nurl = "sqlite:///{name}.db"\n')
    assert "--config" in cli.misused(*arguments).err
    assert not list(cli.directory.glob("*.db"))


@pytest.mark.parametrize("path", PATHS)
def test_every_command_takes_config_and_help(cli: CommandLine, path: str) -> None:
    """Every command has a page of help that names --config."""
    shown = cli.ok(*path.split()[1:], "--help").out
    assert "--config FILE" in shown


@pytest.mark.parametrize("context", CONTEXTS, ids=PATHS)
def test_every_option_says_what_it_does(context: click.Context) -> None:
    """No command and no option goes without a sentence."""
    assert context.command.help
    options = [one for one in context.command.get_params(context) if isinstance(one, click.Option)]
    assert all(option.help for option in options)


@pytest.mark.parametrize("path", [path for path in PATHS if path.split()[-1] in {"list", "show", "add"}])
def test_every_list_show_and_add_takes_json(path: str) -> None:
    """`--json` is there wherever the interface promises it."""
    context = CONTEXTS[PATHS.index(path)]
    assert "as_json" in {parameter.name for parameter in context.command.params}


@pytest.mark.parametrize("arguments", [
    ("nonsense",), ("orgs", "nonsense"), ("orgs", "list", "--nonsense"), ("orgs", "add"), ("users", "show", "seven"),
    ("users", "add", "a@b.example"), ("registrations", "add", "x"), ("audit", "list", "--since", "yesterday"),
    ("emulator", "token", "--claim", "novalue"),
    ("registrations", "add", "x", "--name", "n", "--tenant", "t", "--org", "o"),
])  # fmt: skip
def test_wrong_usage_is_two(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    """What cannot be understood is exit status 2, and no database is made."""
    assert cli.misused(*arguments).err
    assert not (cli.directory / "doorward.db").exists()


@pytest.mark.parametrize("bad", ["\udcff", "a\udcff", "a\0b"])
@pytest.mark.parametrize("words", [
    ("audit", "list", "--event"), ("tokens", "revoke"), ("clients", "remove"), ("orgs", "add"), ("explain",),
    ("--config",), ("users", "list", "--config"),
])  # fmt: skip
def test_arguments_are_text(cli: CommandLine, words: tuple[str, ...], bad: str) -> None:
    """What is not UTF-8, or holds a NUL, is wrong usage everywhere: no database could hold it."""
    assert f"Argument {len(words) + 1} is not UTF-8" in cli.misused(*words, bad).err
    assert not (cli.directory / "doorward.db").exists()


def test_bad_settings_are_told_whole(cli: CommandLine) -> None:
    """A command over bad settings tells every finding with its line, and makes no database."""
    (cli.directory / "doorward.toml").write_text('[server]\nlisten = 5\n[database]\nurll = "x"\n')
    told = cli.refused_settings("users", "list").err
    assert "doorward.toml:2" in told
    assert "doorward.toml:4" in told
    assert list(cli.directory.iterdir()) == [cli.directory / "doorward.toml"]


def test_an_error_is_one_line_and_a_fix() -> None:
    """Facts stand beside the message, on the same line whatever they hold."""
    told = main.told(DoorwardError(VALUE_REFUSED, email="is\nnot\x1b[2J one", nothing=None))
    assert told.splitlines()[0] == "error: A value is not acceptable: email is not[2J one [value_refused]"
    assert len(told.splitlines()) == 2


def test_a_defect_tells_no_values(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is told by its class alone; its text may quote a secret."""
    monkeypatch.setitem(main.MODULES, "serve", canary("defect"))
    outcome = cli("serve")
    assert outcome.status == 1
    assert outcome.err.splitlines()[0] == (
        "error: Unexpected ModuleNotFoundError: a defect in Doorward [internal_error]"
    )


def test_a_traceback_is_had_by_asking(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOORWARD_DEBUG=1 adds the traceback."""
    monkeypatch.setitem(main.MODULES, "serve", "doorward.nowhere")
    monkeypatch.setenv("DOORWARD_DEBUG", "1")
    assert "Traceback" in cli("serve").err
