"""What the pages name exists, and what exists is named: links, settings, commands, codes, events, metrics, paths."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorward.base import refusals
from doorward.base.errors import ErrorRow
from doorward.config.settings import every_row
from doorward.operations.metrics import FAMILIES
from scripts import write_docs
from tests.support.programs import DOORWARD, environment
from tests.support.sources import ROOT, sources

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
GENERATED = {"commands.md", "errors.md", "settings.md"}
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")
EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
FILE_ENDINGS = {"bak", "cfg", "conf", "db", "json", "key", "md", "py", "service", "sh", "toml", "txt"}


def written() -> list[Path]:
    """Give the pages that are written by hand."""
    return [page for page in PAGES if page.name not in GENERATED]


def prose(page: Path) -> str:
    """Give a page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link within the repository names a page that exists, and a heading of it."""
    for target in LINK.findall(prose(page)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        named = (page.parent / name).resolve() if name else page
        assert named.exists(), target
        assert not anchor or anchor in anchors(named), target


def test_the_index_lists_every_page() -> None:
    """Whoever begins at docs/index.md finds every page of docs/."""
    listed = {(DOCS / link).resolve() for link in LINK.findall((DOCS / "index.md").read_text())}
    assert {page.resolve() for page in DOCS.rglob("*.md") if page.name != "index.md"} <= listed


def test_every_code_of_http_is_on_the_page_of_the_exchange() -> None:
    """A client developer finds every code that a client can meet, with its status and message."""
    text = (DOCS / "exchange.md").read_text()
    # Those of sign-in and of the gateway stand elsewhere: tests/test_sign_in_pages.py.
    entered = [row for row in vars(refusals).values() if isinstance(row, ErrorRow)]
    rows = {row.code: row for row in entered}
    assert not [code for code in rows if f"`{code}`" not in text]
    told = re.findall(r"^\| (\d{3}) \| `([a-z_]+)` \| ([A-Z].*) \|$", text, re.MULTILINE)
    assert told
    for status, code, message in told:
        expected = "Organization not found" if code == "organization_not_found" else rows[code].message
        assert (int(status), message) == (rows[code].status, expected)


def test_every_code_is_documented() -> None:
    """docs/errors.md has a section for every row of the catalogue."""
    text = (DOCS / "errors.md").read_text()
    assert not [row.code for row in write_docs.all_rows() if f"\n### `{row.code}`\n" not in text]


def test_settings_that_are_named_exist() -> None:
    """Every `section.key` and every variable on a written page is a setting."""
    rows = {f"{entry.name}.{key}" for entry, key, _ in every_row()}
    sections = {name.partition(".")[0] for name in rows}
    for page in written():
        for span in SPAN.findall(prose(page)):
            name = span.partition(" ")[0]
            is_code = "(" in span
            if (
                re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z_0-9]+", name)
                and name.partition(".")[0] in sections
                and not is_code
            ):
                assert name in rows or name.rpartition(".")[2] in FILE_ENDINGS, f"{page.name}: {span}"
        for section, key in re.findall(r"DOORWARD_([A-Z]+(?:_[A-Z]+)*?)__([A-Z_]+[A-Z])", page.read_text()):
            assert f"{section.lower()}.{key.lower().removesuffix('_file')}" in rows, f"{page.name}: {key}"


def known_commands() -> dict[str, str]:
    """Give the text about every command, by its words."""
    parts = re.split(r"^## `doorward (.+)`$", (DOCS / "commands.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def named_commands(page: Path) -> Iterator[str]:
    """Give every command line of a page, inline or in a block, without the program's name."""
    text = page.read_text().replace("\\\n", " ")
    for line in [*SPAN.findall(text), *text.splitlines(), *re.findall(r"\$\((.+?)\)", text)]:
        found = re.match(r"\s*(?:\S*/)?(?:doorward|operator)(?: --config \S+)? ([a-z][a-z-]+.*)", line)
        if found and "|" not in line[:3]:
            yield found[1]


def test_commands_that_are_named_exist() -> None:
    """Every command line on a written page is one of the program's, with options that it has."""
    commands = known_commands()
    seen = 0
    for page in written():
        for line in named_commands(page):
            words = line.split()
            name = next((n for n in (" ".join(words[:2]), words[0]) if n in commands), None)
            assert name is not None, f"{page.name}: doorward {line}"
            own = line.partition(" | ")[0].partition(" > ")[0]
            options = set(re.findall(r"(?<=\s)--[a-z-]+", own)) - {"--config"}
            assert not {o for o in options if f"`{o}" not in commands[name]}, f"{page.name}: doorward {line}"
            seen += 1
    assert seen > 50


def texts_of(*logs: str) -> set[str]:
    """Give the event names that the code hands to calls of these names."""
    names: set[str] = set()
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in logs:
                texts = [n.value for a in node.args for n in ast.walk(a) if isinstance(n, ast.Constant)]
                names |= {t for t in texts if isinstance(t, str) and EVENT.fullmatch(t)}
    return names


def test_log_lines_and_audit_events_are_explained() -> None:
    """Every event that the log or the audit trail can hold stands on the page for trouble."""
    levels = [f"{log}.{level}" for log in ("log", "_log", "access_log") for level in ("debug", "info", "warning")]
    errors = [f"{log}.{level}" for log in ("log", "_log") for level in ("error", "log")]
    events = texts_of(*levels, *errors, "record", "_change", "_audit", "_announce")
    text = (DOCS / "troubleshooting.md").read_text()
    assert "exchange.succeeded" in events
    assert not sorted(event for event in events if f"`{event}`" not in text)


def test_metrics_are_explained() -> None:
    """Every metric stands on the page about deploying, under the name that a scrape shows."""
    text = (DOCS / "deploying.md").read_text()
    shown = [family.name + ("_total" if family.kind == "counter" else "") for family in FAMILIES]
    assert not [name for name in shown if f"`{name}`" not in text]


def test_paths_that_are_named_exist() -> None:
    """Every file of the repository that a written page names is there."""
    tops = "src|tests|docs|scripts|deploy|requirements|examples|benchmarks"
    for page in written():
        for span in SPAN.findall(page.read_text()):
            if re.fullmatch(rf"(?:{tops})/[\w./-]*", span) and "NAME" not in span:
                assert (ROOT / span).exists(), f"{page.name}: {span}"


def test_every_room_is_on_the_picture() -> None:
    """Every package and module at the top of src/doorward stands on the picture in ARCHITECTURE.md, and no other."""
    picture = (ROOT / "ARCHITECTURE.md").read_text().split("```")[1]
    shown = set(re.findall(r"^ ([a-z_]+(?:/|\.py)) ", picture, re.MULTILINE))
    house = ROOT / "src" / "doorward"
    packages = {f"{path.parent.name}/" for path in house.glob("*/__init__.py")}
    modules = {path.name for path in house.glob("*.py") if not path.name.startswith("__")}
    assert shown == packages | modules


def test_settings_for_deploying_are_good(tmp_path: Path) -> None:
    """The settings file below deploy/ passes `doorward check`, with the database's directory one that is here."""
    command = [str(DOORWARD), "check", "--config", str(ROOT / "deploy" / "doorward.toml")]
    env = {**environment(tmp_path), "DOORWARD_DATABASE__URL": "sqlite:///doorward.db"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_container_file_copies_what_is_there() -> None:
    """The image is made from files that exist, and from the locked requirements."""
    lines = (ROOT / "deploy" / "Containerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert copied
    assert not [name for name in copied if not (ROOT / name).exists()]
    assert any("--require-hashes" in line for line in lines)
