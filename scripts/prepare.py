"""Keeps `.venv` true to the lock files; run by scripts/dev, scripts/test and scripts/bench through scripts/prepare.sh.

Usage: prepare.py [--fresh] SET, with SET one of runtime, bench, test. With `--fresh` it only says, by its exit status,
whether the environment holds the locked set and the current package. One environment serves all sets: each contains the
one before it, at the same versions, so preparing the smaller never takes anything from the larger.

A stamp inside the environment says for which interpreter, place and files it was made. It is taken away before anything
changes and written last, so an interrupted preparation is repeated. The kernel's file lock lets two starts at once take
turns, and ends with the processes that hold it, however they end. Uses nothing but the standard library.
"""

import fcntl
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn, TextIO

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "doorward-stamp.json"
LOCK = ROOT / ".venv.lock"
SETS = ("runtime", "bench", "test")


def main(arguments: list[str]) -> int:
    """Prepare the environment for a set, or with `--fresh` only look; the result is the exit status."""
    if arguments[0] == "--fresh":
        return 0 if _is_fresh(_read_stamp(), _wanted(arguments[1])) else 1
    with _open_lock() as lock:
        _take(lock)
        stamp, wanted = _read_stamp(), _wanted(arguments[0])
        if not _is_fresh(stamp, wanted):
            _say(
                f"Bringing {ENVIRONMENT} up to date." if stamp else f"Making {ENVIRONMENT}; this takes about a minute."
            )
            _prepare(arguments[0], stamp, wanted, lock)
    return 0


def _wanted(chosen: str) -> dict[str, str]:
    """Give what a stamp must say: the place, the interpreter, the package's metadata, the chosen and smaller sets."""
    sets = SETS[: SETS.index(chosen) + 1]
    locks = {name: _digest(ROOT / "requirements" / f"{name}.txt") for name in sets}
    package = _digest(ROOT / "pyproject.toml", ROOT / "src" / "doorward" / "__init__.py")
    return {"place": str(ROOT), "python": sys.version, "package": package, **locks}


def _is_fresh(stamp: dict[str, str], wanted: dict[str, str]) -> bool:
    return all(stamp.get(name) == value for name, value in wanted.items())


def _prepare(chosen: str, stamp: dict[str, str], wanted: dict[str, str], lock: TextIO) -> None:
    STAMP.unlink(missing_ok=True)
    if any(stamp.get(name) != wanted[name] for name in ("place", "python")):
        # Scripts inside an environment name its place, so a moved one is as useless as one of another Python.
        _run(lock, sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT))
        stamp = {}
    if any(stamp.get(name) != wanted[name] for name in SETS[: SETS.index(chosen) + 1]):
        _pip(lock, "--require-hashes", "-r", str(ROOT / "requirements" / f"{chosen}.txt"))
    _pip(lock, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    _write_stamp(stamp | wanted)


def _pip(lock: TextIO, *arguments: str) -> None:
    _run(lock, str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install", *arguments)


def _run(lock: TextIO, *command: str) -> None:
    # The user's own variables for pip stay in force; its words go to standard error, since ours is for results. It
    # inherits the lock, so that nobody else begins while it still runs, even if this process is killed.
    finished = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, pass_fds=(lock.fileno(),), check=False
    )
    if finished.returncode:
        _give_up(f"`{' '.join(command[1:5])} …` failed. Once its cause is mended, run the same script again.")


def _read_stamp() -> dict[str, str]:
    try:
        return json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}


def _write_stamp(stamp: dict[str, str]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=ENVIRONMENT, delete=False) as file:
        json.dump(stamp, file, indent=1)
    Path(file.name).replace(STAMP)


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def _open_lock() -> TextIO:
    try:
        return LOCK.open("a")
    except OSError as error:
        _give_up(f"{LOCK} cannot be written ({error.strerror}). Use a clone that belongs to you.")


def _take(lock: TextIO) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say(f"Waiting for another preparation of {ENVIRONMENT}.")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _give_up(line: str) -> NoReturn:
    _say(f"{Path(__file__).name}: {line}")
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
