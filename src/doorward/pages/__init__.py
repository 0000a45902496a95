"""Every page that we show: templates, the style they share, and the headers that no page goes without.

Owns how a page looks and what it may do in a browser. Refuses outside assets, inline style and script but for those
named in the Content-Security-Policy by their digest, framing, and values that are not escaped. A page is one template
below `templates/` that extends `base.html`; what a script of ours has to know stands in `data-` attributes, since the
text of a script must not vary.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from doorward.pages.style import STYLE

if TYPE_CHECKING:
    import jinja2

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> bytes:
    """Give the page of a template, such as `refusal.html`, in UTF-8; every value is escaped.

    A `script` among the values is put in as it is and has to be named in the headers (`page_headers`). Raises jinja2's
    `UndefinedError` for a value that the template needs and does not get.
    """
    return _environment().get_template(template).render(style=STYLE, **values).encode()


def page_headers(*, script: str = "", form_action: str | None = "'self'", framed_by: str = "") -> Headers:
    """Give the headers of a page that may run `script` alone, and may send forms where `form_action` says.

    `form_action` is a source list of CSP 3. Browsers hold the redirects that answer a form to it as well, so None,
    which leaves it open, is for forms that lead away from us. `framed_by` is the one origin whose pages may frame it.
    """
    plain = not script and form_action == "'self'" and not framed_by
    return PAGE_HEADERS if plain else _headers(script, form_action, framed_by)


def _headers(script: str, form_action: str | None, framed_by: str) -> Headers:
    policy = ["default-src 'none'", f"style-src {_digest(STYLE)}", "base-uri 'none'"]
    policy += ["frame-ancestors " + (framed_by or "'none'")]
    policy += [f"script-src {_digest(script)}"] if script else []
    policy += [f"form-action {form_action}"] if form_action is not None else []
    # X-Frame-Options knows no single origin (RFC 7034 section 2.3.2.2 is dead letter), so the policy alone says it.
    no_frames = () if framed_by else ((b"x-frame-options", b"DENY"),)
    return (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", "; ".join(policy).encode()),
        *no_frames,
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),  # `no-referrer` would make forms say `Origin: null`
        (b"cache-control", b"no-store"),
    )


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


@cache
def _environment() -> "jinja2.Environment":
    import jinja2  # noqa: PLC0415 - a command line that shows no page should not pay for it

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


PAGE_HEADERS: Headers = _headers("", "'self'", "")
"""The headers of a page without script: no outside asset, no framing, no sniffing, no caching."""
