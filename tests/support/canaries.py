"""Secrets that must not come out again.

Tests use `canary(NAME)` wherever a password, client secret, key or code is wanted, and `keep_secret(VALUE)` for secrets
that the program itself made. What the programs under test write (standard output and error, files below a scanned
directory), the log records of this process and its captured output are all searched for them when the run ends; one
find fails the run. A value is also looked for in base64, as it stands in an HTTP Basic header.
"""

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

MARK = "CANARY-SECRET-"
_DIRECTORY = "TEST_RUN_DIRECTORY"
_SHORTEST = 12


def open_directory(directory: Path) -> None:
    """Make `directory` the place of this run; workers started from here on share it."""
    os.environ[_DIRECTORY] = str(directory)
    for part in ("scanned", "unscanned", "secrets"):
        (directory / part).mkdir(exist_ok=True)


def directory() -> Path:
    """Give the directory of this run, shared by all its workers."""
    return Path(os.environ[_DIRECTORY])


def scanned(name: str) -> Path:
    """Make a directory whose contents must hold no secret when the run ends."""
    path = directory() / "scanned" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def unscanned(name: str) -> Path:
    """Make a directory for what is meant to hold secrets, such as the output of a command that prints a token."""
    path = directory() / "unscanned" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def canary(name: str) -> str:
    """Make a secret for tests: the same for the same name, and found wherever it turns up."""
    return f"{MARK}{name}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def keep_secret(value: str) -> str:
    """Have `value` looked for in everything that is written, and give it back."""
    if len(value) < _SHORTEST:
        raise ValueError("too short to be told from other text")
    with (directory() / "secrets" / f"{os.getpid()}.txt").open("a") as file:
        file.write(f"{value}\n")
    return value


def find_leaks() -> Iterator[str]:
    """Give one line for each file of this run in which a secret stands, without the secret."""
    needles = _needles()
    for path in sorted((directory() / "scanned").rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            for needle, name in needles.items():
                if needle in content:
                    yield f"{path.relative_to(directory())}: {name}, at byte {content.index(needle)}"


def _needles() -> dict[bytes, str]:
    kept = {
        line: f"a secret that begins with {line[:6]}"
        for file in (directory() / "secrets").iterdir()
        for line in file.read_text().splitlines()
    }
    return {form: name for value, name in ({MARK: "a canary"} | kept).items() for form in _forms(value.encode())}


def _forms(value: bytes) -> Iterator[bytes]:
    yield value
    for offset in range(3):
        # Base64 turns three bytes into four characters, so a value looks different at each of three offsets; what its
        # neighbours have a share in is cut off.
        coded = base64.b64encode(b"\0" * offset + value)
        yield coded[4 if offset else 0 : len(coded) - 4]
