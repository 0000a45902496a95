"""`doorward explain --request`: the decision about one request, by the code that serves it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from doorward.base.clock import SystemClock
from doorward.config.loading import load
from doorward.config.sources import Options
from doorward.house import open_back_office
from doorward.house.rules import trust_of
from doorward.house.sign_in import build_sign_in
from tests.cli.conftest import CommandLine
from tests.support.canaries import keep_secret
from tests.support.gates import IDENTITY

MOZILLA = "Mozilla/5.0 (X11; Linux x86_64)"
AAD = {
    "openIdIssuer": "https://login.microsoftonline.com/11111111-2222-4333-8444-5555aaaabbbb/v2.0",
    "clientId": "99999999-aaaa-4aaa-8aaa-000000000001",
}


def write_settings(cli: CommandLine, action: str = "RedirectToLoginPage", **server: Any) -> None:
    cli.settings(
        server={"public_url": "https://app.example.com", **server},
        auth__globalValidation={"unauthenticatedClientAction": action, "excludedPaths": ["/public/*"]},
        auth__identityProviders__azureActiveDirectory__registration=AAD,
    )


def told(cli: CommandLine, method: str, url: str, *more: str) -> dict[str, str]:
    """Give the steps that a command line printed."""
    lines = cli.ok("explain", "--request", method, url, *more).out.splitlines()
    steps = (line.strip().partition("  ") for line in lines if line.startswith("  "))
    return {"": lines[0], **{step: found.strip() for step, _, found in steps}}


def session_cookie(directory: Path) -> str:
    """Begin a session in the database of these settings, and give its cookie."""

    async def begin() -> str:
        settings = load(Options(config=str(directory / "doorward.toml"), purpose="command"))
        async with open_back_office(settings, SystemClock()) as office:
            await office.load_ring()
            plan = settings.auth.plan
            assert plan is not None
            trust = trust_of(settings, office.entropy)
            doors = build_sign_in(office, settings, plan, trust=trust, office=None, explains=False)
            cookie, _ = await doors.porter._gate._desk.start(IDENTITY, office.clock.now())  # type: ignore[attr-defined]
            return keep_secret(cookie)

    return asyncio.run(begin())


def test_a_browser_is_sent_to_sign_in(cli: CommandLine) -> None:
    """Who is nobody is told what was shown, which rule decided, and what the answer is, with the code and its fix."""
    write_settings(cli)
    steps = told(cli, "GET", "/a?b=c", "--user-agent", MOZILLA)
    assert steps[""] == "The request does not pass:"
    assert steps["Request"] == "GET /a at https://app.example.com"
    assert steps["Decided by"] == "unauthenticatedClientAction RedirectToLoginPage"
    assert steps["Decision"] == "sent to sign in at aad"
    out = cli.ok("explain", "--request", "GET", "/a").out
    assert "the User-Agent is no browser's" in out
    assert "sign_in_required (HTTP 401)" in out
    assert "\nFix: " in out


@pytest.mark.parametrize(
    ("action", "method", "url", "decision"),
    [
        ("Return403", "GET", "/a", "403 access_forbidden: You may not open this page"),
        ("Return404", "GET", "/a", "404 not_found: Not Found"),
        ("Return401", "post", "https://app.example.com/a", "401 sign_in_required: You are not signed in"),
        ("AllowAnonymous", "GET", "/a", "passes, without identity"),
        ("Return403", "GET", "/public/a", "passes, without identity"),
        ("Return403", "GET", "/public/../a", "403 access_forbidden: You may not open this page"),
        ("Return403", "GET", "/a%00", "400 malformed_address: Malformed address"),
        ("Return403", "GET", "/public/caf\u00e9 x", "passes, without identity"),
    ],
)
def test_rules_are_those_that_serve(cli: CommandLine, action: str, method: str, url: str, decision: str) -> None:
    """Each action, and each kind of path, as the gateway decides it."""
    write_settings(cli, action)
    assert told(cli, method, url, "--user-agent", MOZILLA)["Decision"] == decision


def test_a_session_is_recognised(cli: CommandLine) -> None:
    """A living session's cookie passes, as a value, as a header, or from standard input; its value is never printed."""
    write_settings(cli)
    cookie = session_cookie(cli.directory)
    for given in (cookie, f"a=b; AppServiceAuthSession={cookie}"):
        steps = told(cli, "GET", "/a", "--cookie", given)
        assert steps["Credential"] == "session cookie of jane@contoso.com, by aad"
        assert steps["Decision"] == "passes, with identity"
        assert "X-MS-CLIENT-PRINCIPAL" in steps["Headers added"]
    out = cli.ok(
        "explain", "--request", "POST", "/a", "--cookie", "-", "--user-agent", MOZILLA, stdin=f"{cookie}\n"
    ).out
    assert "cross_site_request (HTTP 403)" in out
    assert cookie not in out


def test_a_bad_bearer_is_refused_with_its_reason(cli: CommandLine) -> None:
    """A bearer that does not pass is said to be one."""
    write_settings(cli, "AllowAnonymous")
    out = cli.ok("explain", "--request", "GET", "/public/a", "--bearer", "0" * 64).out
    assert "does not pass: invalid_bearer" in out
    assert "0" * 64 not in out


def test_plain_http_is_judged_first(cli: CommandLine) -> None:
    """Where HTTPS is required, a plain request is sent on or refused before anybody looks at it."""
    write_settings(cli)
    assert "301" in cli.ok("explain", "--request", "GET", "http://app.example.com/a").out
    assert "https_required (HTTP 403)" in cli.ok("explain", "--request", "POST", "http://app.example.com/a").out


@pytest.mark.parametrize("path", ["/.auth/me", "/auth-service/api/v2/users/me"])
def test_addresses_of_ours_are_said_to_be_ours(cli: CommandLine, path: str) -> None:
    """What never leads to the application is decided by no rule of its."""
    write_settings(cli)
    assert "is answered by" in cli.ok("explain", "--request", "GET", path).out


def test_without_sign_in_there_is_nothing_to_decide(cli: CommandLine) -> None:
    """Settings without an auth tree are said to have none."""
    cli.settings(server={"public_url": "https://app.example.com"})
    assert "no [auth] section" in cli.ok("explain", "--request", "GET", "/a").out


@pytest.mark.parametrize("url", ["a", "ftp://app.example.com/", "https:///a", "https://[::1/a", ""])
def test_what_is_no_request_is_refused(cli: CommandLine, url: str) -> None:
    """An address that no client could send is refused in words."""
    write_settings(cli)
    cli.refused("value_refused", "explain", "--request", "GET", url)
    cli.refused("value_refused", "explain", "--request", "GE T", "/a")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--cookie", "x"),
        ("invalid_bearer", "--request", "GET", "/a"),
        ("invalid_bearer", "--user-agent", "x"),
        ("--request", "GET"),
        ("--request", "GET", "/a", "--cookie", "-", "--bearer", "-"),
    ],
)
def test_two_questions_at_once_are_wrong_usage(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    """One command explains one thing, and options of the one are none of the other."""
    cli.misused("explain", *arguments)


@pytest.mark.parametrize("arguments", [("GET",), ("GET", "--user-agent", "x")])
def test_a_request_without_a_url_is_told_so(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    """Whoever forgets the URL reads that it is missing, whatever option stands in its place."""
    assert "the URL is missing" in cli.misused("explain", "--request", *arguments).err
