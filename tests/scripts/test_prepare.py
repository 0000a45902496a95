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
def test_a_missing_browser_is_installed_by_root_and_named_to_others(tmp_path: Path, user: str) -> None:
    """Root gets Chromium from Debian; anybody else is told how, and the tests go on without it."""
    tools = {
        "id": f"echo {0 if user == 'root' else 1000}",
        "apt-get": 'echo "$@" >> "$LOG"; : > "$BIN/chromium"; /bin/chmod +x "$BIN/chromium"',
    }
    for name, body in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"
    log.touch()
    command = ["/bin/sh", "-eu", "-c", f'. "{ROOT}/scripts/prepare.sh"; find_browser']
    env = {"PATH": str(tmp_path), "LOG": str(log), "BIN": str(tmp_path)}
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert ("chromium" in log.read_text()) == (user == "root")
    assert ("apt-get install chromium" in said.stderr) == (user != "root")
