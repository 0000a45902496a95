"""The documents agree with the code, and nothing in the repository names a machine or a registry."""

import re
import subprocess
from pathlib import Path

from scripts import write_docs
from tests.support.sources import ROOT

ARCHITECTURE = ROOT / "ARCHITECTURE.md"

# Addresses of package registries and their mirrors, and directories of somebody's machine. Written so that this file
# does not contain them.
FORBIDDEN = [
    r"py[p]i\.(?:org|python)", r"python[h]osted\.org", r"--(?:extra-)?index-url\s", r"registry\.np[m]js", r"crates\.io",
    r"proxy\.golang", r"repo1?\.maven", r"deb\.debian", r"(?<![\w.<>*$}-])/(?:root|work|home/\w+)/",
]  # fmt: skip


TEXT = {".cfg", ".conf", ".in", ".json", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml", ""}


def test_signposts_lead_somewhere() -> None:
    """Every path in the signpost table of ARCHITECTURE.md exists."""
    section = ARCHITECTURE.read_text().partition("## Signposts")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
    named = [path for row in rows for path in re.findall(r"`([^`]+)`", row.split("|")[2])]
    assert named, "the signpost table is gone"
    missing = [path for path in named if not any((base / path).exists() for base in (ROOT, ROOT / "src" / "doorward"))]
    assert not missing


def test_generated_pages_are_current() -> None:
    """Pages made from the code say what the code says; the error catalogue among them."""
    stale = [path.name for path, text in write_docs.pages().items() if not path.exists() or path.read_text() != text]
    assert not stale, "run scripts/docs"


def test_no_file_names_a_registry_or_a_machine() -> None:
    """Whoever clones this brings a registry and a home directory of their own."""
    # The owner of a clone may be another user than the one who runs its tests.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    texts = {name: (ROOT / name).read_text() for name in tracked if _is_text(ROOT / name)}
    assert texts
    found = [f"{name}: {match}" for name, text in texts.items() for match in re.findall("|".join(FORBIDDEN), text)]
    assert not found


def _is_text(path: Path) -> bool:
    return path.is_file() and path.suffix in TEXT


def test_locks_hold_hashes() -> None:
    """Every requirement that is installed is pinned to a version and to its files' hashes."""
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        requirements = re.split(r"\n(?=\S)", lock.read_text().strip())
        loose = [text for text in requirements if "==" not in text or "--hash=sha256:" not in text]
        assert not loose, lock.name
