"""What every page of ours keeps: values escaped, nothing from outside, nothing that its headers do not name."""

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from doorward.pages import PAGE_HEADERS, page_headers, render

VALUES = {"title": "Sign in first", "advice": "Sign in.", "sign_in": "/in?a=b&c=d", "code": "x", "request_id": "r"}


def refusal(**values: object) -> str:
    return render("refusal.html", **{"steps": (), **VALUES, **values}).decode()


def policy(headers: tuple[tuple[bytes, bytes], ...]) -> dict[str, str]:
    text = dict(headers)[b"content-security-policy"].decode()
    return {name: value for name, _, value in (part.partition(" ") for part in text.split("; "))}


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_headers_allow_nothing_by_default() -> None:
    """A page loads nothing, is framed by nobody, is stored nowhere, and tells other sites nothing."""
    allowed = policy(PAGE_HEADERS)
    assert (allowed["default-src"], allowed["frame-ancestors"], allowed["base-uri"]) == ("'none'",) * 3
    assert "script-src" not in allowed
    headers = dict(PAGE_HEADERS)
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"same-origin"
    assert headers[b"content-type"] == b"text/html; charset=utf-8"


def test_the_style_in_a_page_is_the_one_that_its_headers_name() -> None:
    """The digest in the policy is that of the style between the tags, to the byte."""
    (style,) = re.findall(r"<style>(.*?)</style>", refusal(), re.DOTALL)
    assert policy(PAGE_HEADERS)["style-src"] == digest(style)


def test_a_script_runs_only_where_the_headers_name_it() -> None:
    """A page with a script carries it as it is, and its headers carry the script's digest."""
    script = 'if (1 < 2 && "a") { location.hash = "#b" }'
    (shown,) = re.findall(r"<script>(.*?)</script>", refusal(script=script), re.DOTALL)
    assert shown == script
    assert policy(page_headers(script=script))["script-src"] == digest(script)
    assert "<script" not in refusal()


def test_forms_go_home_unless_told_otherwise() -> None:
    """A form may be sent to this site alone; a page says so itself where its forms lead away."""
    assert policy(page_headers())["form-action"] == "'self'"
    assert policy(page_headers(form_action="'none'"))["form-action"] == "'none'"
    assert "form-action" not in policy(page_headers(form_action=None))


@given(st.text())
def test_values_are_escaped(text: str) -> None:
    """Whatever a value holds, it makes no tag and leaves no attribute."""
    page = refusal(title=f"<b>{text}", sign_in=f'"><script>{text}', steps=[(f"<i>{text}", f"'>{text}")])
    assert "<b>" not in page
    assert "<script" not in page
    assert "<i>" not in page
    assert page.count("<") == refusal(steps=[("a", "b")]).count("<")


def test_a_page_without_its_values_is_a_defect() -> None:
    """A value that a template needs is asked for, never left blank."""
    with pytest.raises(UndefinedError):
        render("refusal.html")


def test_pages_name_nothing_outside() -> None:
    """No page fetches anything: no address of another site, no link to a sheet, no picture."""
    assert not re.findall(r"https?://|<link|<img|@import|url\(", refusal())
