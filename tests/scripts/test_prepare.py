"""The scripts say what is missing, and change nothing before they know."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sources import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a checkout without an environment, in a directory whose name has a space."""
    root = tmp_path / "a checkout"
    for part in ("scripts", "requirements"):
        shutil.copytree(ROOT / part, root / part)
    (root / "src" / "doorward").mkdir(parents=True)
    for file in ("pyproject.toml", "src/doorward/__init__.py"):
        shutil.copy(ROOT / file, root / file)
    return root


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """Give a directory for PATH that has what the scripts use of the system, and nothing else."""
    path = tmp_path / "bin"
    path.mkdir()
    for tool in ("dirname", "id", "sh"):
        (path / tool).symlink_to(shutil.which(tool) or "")
    return path


def _dev(checkout: Path, path: Path, python: Path | str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(path), "PYTHON": str(python), "HOME": str(checkout)}
    command = ["sh", str(checkout / "scripts" / "dev")]
    return subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, check=False)


def test_an_old_python_is_named(checkout: Path, bare_path: Path) -> None:
    """Where there is no Python that is new enough, the script says which is needed and how to name one."""
    old = bare_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    said = _dev(checkout, bare_path, old)
    assert said.returncode == 1
    assert "Doorward needs Python 3.11 or newer" in said.stderr
    assert str(old) in said.stderr
    assert not (checkout / ".venv").exists()


def test_a_missing_venv_module_is_named(checkout: Path, bare_path: Path) -> None:
    """Where Python lacks its venv module, the script names the package that has it."""
    lacking = bare_path / "lacking-python"
    lacking.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
    lacking.chmod(0o755)
    said = _dev(checkout, bare_path, lacking)
    assert said.returncode == 1
    assert f"apt-get install python3.{sys.version_info.minor}-venv" in said.stderr
    assert not (checkout / ".venv").exists()


def test_a_missing_environment_is_stale(checkout: Path) -> None:
    """Without an environment, `--fresh` says no; with a stamp of the same files, place and interpreter, yes."""
    script = checkout / "scripts" / "prepare.py"
    assert _is_fresh(script) is False
    stamp = "import json, prepare; prepare.ENVIRONMENT.mkdir(); prepare._write_stamp(prepare._wanted('bench'))"
    subprocess.run([sys.executable, "-c", stamp], cwd=script.parent, check=True)
    assert _is_fresh(script) is True
    lock = checkout / "requirements" / "runtime.txt"
    lock.write_text(lock.read_text() + "\n")
    assert _is_fresh(script) is False


def _is_fresh(script: Path) -> bool:
    command = [sys.executable, "-I", str(script), "--fresh", "runtime"]
    return subprocess.run(command, env={"PATH": os.defpath}, check=False).returncode == 0


@pytest.mark.parametrize("user", ["root", "somebody"])
@pytest.mark.parametrize(("program", "package"), [("chromium", "chromium"), ("made-up-server", "made-up-light")])
def test_a_missing_program_is_installed_by_root_and_named_to_others(
    tmp_path: Path, user: str, program: str, package: str
) -> None:
    """Root gets programs that tests use from Debian; anybody else is told how, and the tests go on without them."""
    tools = {
        "id": f"echo {0 if user == 'root' else 1000}",
        "apt-get": f'echo "$@" >> "$LOG"; : > "$BIN/{program}"; /bin/chmod +x "$BIN/{program}"',
    }
    for name, body in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"
    log.touch()
    find = f'. "{ROOT}/scripts/prepare.sh"; find_program {program} {package} "some tests"'
    env = {"PATH": str(tmp_path), "LOG": str(log), "BIN": str(tmp_path)}
    said = subprocess.run(["/bin/sh", "-eu", "-c", find], env=env, capture_output=True, text=True, check=True)
    assert (f" {package}\n" in log.read_text()) == (user == "root")
    assert (f"apt-get install {package}" in said.stderr) == (user != "root")


def test_programs_of_servers_are_found_beside_the_path(tmp_path: Path) -> None:
    """An ordinary user's PATH lacks /usr/sbin, where nginx lies; nobody is asked to install what is there."""
    (server,) = [path for path in (Path("/usr/sbin/nologin"), Path("/sbin/nologin")) if path.exists()][:1]
    find = f'. "{ROOT}/scripts/prepare.sh"; find_program {server.name} nothing "no tests"'
    command = ["/bin/sh", "-eu", "-c", find]
    said = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert said.stderr == ""
