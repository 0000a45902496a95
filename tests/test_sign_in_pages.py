"""The pages about sign-in name codes, keys, settings and places that exist."""

import re
from pathlib import Path

import pytest

from doorward.config.settings import find_row
from doorward.config.tree_keys import keys_of
from doorward.config.website_auth import PREFIX, REPORTED
from doorward.providers import ALL
from scripts.write_docs import all_rows
from tests.support.sources import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING"))])
ABOUT_SIGN_IN = ("sign-in.md", "forward-auth.md", "from-app-service.md", "from-oauth2-proxy.md", "troubleshooting.md")
LINK = re.compile(r"\]\(([^)\s]+)\)")
SECTIONS = ("server", "app", "auth", "easyauth", "secrets", "log", "outbound", "token_service", "audit", "database")


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every link between pages leads to a file, and to a heading where it names one."""
    for link in LINK.findall(page.read_text()):
        target, _, anchor = link.partition("#")
        if target.startswith(("http:", "https:")):
            continue
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), link
        assert not anchor or anchor in anchors(found), link


def test_codes_in_troubleshooting_exist() -> None:
    """Every symptom that is a code is one of the catalogue."""
    codes = {row.code for row in all_rows()}
    section = (DOCS / "troubleshooting.md").read_text().partition("## Sign-in")[2].partition("\n## ")[0]
    named = {code for symptom in re.findall(r"^\*\*(.*?)\*\*", section, re.MULTILINE)
             for code in re.findall(r"`([a-z]+_[a-z_]+)`", symptom)}  # fmt: skip
    assert len(named) > 10
    assert named <= codes


LOGGED = re.compile(r'log(?:ger)?\.(?:debug|info|warning|error|log)\(\s*(?:\w+,\s*)?((?:[^()]*?"[a-z_]+\.[a-z_]+")+)')


def logged(source: Path) -> set[str]:
    """Give the events that a module writes into the log."""
    return {event for call in LOGGED.findall(source.read_text()) for event in re.findall(r'"([a-z_]+\.[a-z_]+)"', call)}


def test_every_line_of_the_log_is_explained() -> None:
    """Whoever finds an event in the log finds it on the page; the pretend providers speak for themselves."""
    sources = [path for path in (ROOT / "src" / "doorward").rglob("*.py") if "emulator" not in path.parts]
    events = set[str]().union(*map(logged, sources))
    text = (DOCS / "troubleshooting.md").read_text()
    assert len(events) > 30
    assert [event for event in sorted(events) if f"`{event}`" not in text] == []


def test_statuses_in_tables_are_those_of_the_codes() -> None:
    """Where a table names status and code, they belong together."""
    statuses = {row.code: row.status for row in all_rows()}
    found = re.findall(r"\b([45]\d\d) `([a-z_]+)`", "".join((DOCS / name).read_text() for name in ABOUT_SIGN_IN))
    assert len(found) > 5
    assert [(status, code) for status, code in found if statuses.get(code) != int(status)] == []


def test_what_cannot_be_followed_is_all_there() -> None:
    """The page for those who come from App Service names every key and variable that has no effect here."""
    text = (DOCS / "from-app-service.md").read_text()
    keys = {key.path[-1] for key in keys_of(ALL.values()) if key.reason} - {"clientId", "clientSecretSettingName"}
    keys -= {"clientSecretCertificateSubjectAlternativeName", "clientSecretCertificateIssuer"}  # named by their ends
    assert len(keys) > 5
    assert [key for key in sorted(keys) if key not in text] == []
    assert [name for name in REPORTED if f"{PREFIX}{name}" not in text] == []


@pytest.mark.parametrize("name", ABOUT_SIGN_IN)
def test_settings_that_are_named_exist(name: str) -> None:
    """Whatever looks like a setting of ours is one."""
    pattern = rf"`((?:{'|'.join(SECTIONS)})\.[a-z_]+)`"
    named = set(re.findall(pattern, (DOCS / name).read_text())) - {"auth.json", "app.conf"}
    assert [setting for setting in sorted(named) if find_row(setting) is None] == []
