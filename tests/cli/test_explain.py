import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from doorward.base.errors import catalogue
from doorward.cli.explain import find_row
from doorward.cli.provider_tokens import access_token_marks
from doorward.cli.wording import distance, time_in_words
from doorward.emulator.aad import cloud_settings
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, FABRIKAM
from doorward.providers.aad import CHECKS
from tests.cli.conftest import CommandLine, minted
from tests.cli.issued import issue
from tests.support.emulators import RunningEmulator
from tests.support.programs import free_port

NOW = 1_800_000_000.0


def checks_of(told: str) -> dict[str, str]:
    """Give the verdict on each check, in the order in which they were told."""
    lines = told.partition("Checks:\n")[2].partition("\n\n")[0].splitlines()
    parts = (re.split(r"  +", line.strip()) for line in lines)
    return {name: verdict for verdict, name, *_ in parts}


def signature_of(token: str) -> str:
    return token.rpartition(".")[2]


# --- codes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_every_code_has_message_cause_and_fix(cli: CommandLine, code: str) -> None:
    """Every code of the catalogue is explained, without settings or a database."""
    row = catalogue()[code]
    told = cli.ok("explain", code).out
    assert all(part in told for part in (code, row.message, row.cause, row.fix))
    assert (f"HTTP {row.status}" in told) == bool(row.status)
    assert list(cli.directory.iterdir()) == []


def test_a_code_is_read_from_standard_input(cli: CommandLine) -> None:
    """`-` reads standard input; case and hyphens do not matter."""
    assert cli.ok("explain", "-", stdin="Email-Mismatch\n").out.startswith("email_mismatch:")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("invalid_tokn", "invalid_token"),
        ("tenant_not_allow", "tenant_not_allowed"),
        ("keys_unavailble", "keys_unavailable"),
    ],
)
def test_an_unknown_code_has_a_suggestion(cli: CommandLine, written: str, meant: str) -> None:
    """A slip of the pen is exit status 1, with the code that was meant."""
    assert f"did you mean {meant}?" in cli.refused("unknown_code", "explain", written).err


def test_even_what_is_near_nothing_has_a_suggestion(cli: CommandLine) -> None:
    """Whatever might be a code gets the nearest there is."""
    assert "did you mean " in cli.refused("unknown_code", "explain", "qqqqqqqq").err


@pytest.mark.parametrize("text", ["qqqqqqqq", "", "%%%", "0" * 63, "0" * 65])
def test_what_is_neither_is_refused(cli: CommandLine, text: str) -> None:
    """Text that is neither a code nor a token is said to be neither."""
    cli.refused("unknown_code", "explain", text)


# --- a provider's id_token ---------------------------------------------------------------------------------------


def test_nothing_of_a_token_is_stored(cli: CommandLine, entra: RunningEmulator) -> None:
    """Key sets that are fetched for an explanation are not kept; those that are kept are read."""
    cli.register("--domain", "contoso.com")
    token = minted(entra)
    cli.ok("explain", token)
    assert kept_key_sets(cli) == []
    cli.ok("keys", "fetch")
    before = kept_key_sets(cli)
    assert len(before) == 2
    cli.ok("explain", token)
    assert kept_key_sets(cli) == before


def kept_key_sets(cli: CommandLine) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(cli.directory / "doorward.db")) as database:
        return database.execute("SELECT url, fetched_at FROM key_sets").fetchall()


def test_a_good_token_passes_every_check(cli: CommandLine, entra: RunningEmulator) -> None:
    """Claims in words, every check in order, the policy, and the addresses that it vouches for."""
    cli.register("--domain", "contoso.com")
    told = cli.ok("explain", minted(entra)).out
    verdicts = checks_of(told)
    assert list(verdicts) == [check.name for check in CHECKS]
    assert set(verdicts.values()) == {"passed"}
    assert "held against the registration 'Pretend'" in told
    assert "jane@contoso.com" in told.partition("Addresses")[2]
    assert "Accepted" in told
    assert "in 59 minutes" in told


REFUSED = [
    ({"expired": True}, "expiry", "token_expired"),
    ({"fault": "not_yet_valid"}, "not before", "token_not_yet_valid"),
    ({"fault": "unpublished_key"}, "signature", "invalid_token"),
    ({"fault": "consumer_key"}, "key issuer", "issuer_mismatch"),
    ({"fault": "wrong_audience"}, "audience", "audience_mismatch"),
    ({"kind": "access_token"}, "token kind", "invalid_token"),
    ({"without": ("tid",)}, "claims", "invalid_token"),
    ({"claims": {"ver": "1.0"}}, "version", "issuer_mismatch"),
    ({"claims": {"exp": 10**20}}, "lifetime", "invalid_token"),
]


@pytest.mark.parametrize(("how", "check", "code"), REFUSED, ids=[f"{check}-{code}" for _, check, code in REFUSED])
def test_the_check_that_refuses_is_named(
    cli: CommandLine, entra: RunningEmulator, how: dict[str, object], check: str, code: str
) -> None:
    """Checks before it have passed, those after it are not reached, and the code is printed; exit status 0."""
    cli.register()
    told = cli.ok("explain", minted(entra, **how)).out
    verdicts = list(checks_of(told).items())
    at = verdicts.index((check, "REFUSED"))
    assert {verdict for _, verdict in verdicts[:at]} == {"passed"}
    assert {verdict for _, verdict in verdicts[at + 1 :]} <= {"not reached"}
    assert f"Refused: {code} (HTTP" in told
    assert catalogue()[code].fix in told


def test_a_disabled_registration_is_named(cli: CommandLine, entra: RunningEmulator) -> None:
    """The registration is told even where it does not admit."""
    cli.register()
    cli.ok("registrations", "disable", DEV_CLIENT_ID)
    told = cli.ok("explain", minted(entra)).out
    assert "disabled)" in told
    assert "Refused: audience_mismatch" in told


def test_another_cloud_is_named(cli: CommandLine, emulator: RunningEmulator) -> None:
    """A token of another cloud than the registration's is refused by the check of the cloud."""
    cli.settings(clouds__global=cloud_settings(emulator.url), clouds__other=cloud_settings("http://127.0.0.1:9"))
    cli.register("--cloud", "other")
    told = cli.ok("explain", minted(emulator)).out
    assert checks_of(told)["cloud"] == "REFUSED"
    assert "Refused: issuer_mismatch" in told


def test_policy_refuses_a_foreign_tenant(cli: CommandLine, entra: RunningEmulator) -> None:
    """A good token of a tenant that is not admitted is refused by policy."""
    cli.register()
    told = cli.ok("explain", minted(entra, email="lena@fabrikam.com")).out
    assert set(checks_of(told).values()) == {"passed"}
    assert re.search(rf"REFUSED +tenant +{FABRIKAM} among {CONTOSO}", told)
    assert "Refused: tenant_not_allowed" in told


def test_policy_refuses_a_guest(cli: CommandLine, entra: RunningEmulator) -> None:
    """A guest is refused where the registration admits members only."""
    cli.register()
    told = cli.ok("explain", minted(entra, guest=True, email="gia@fabrikam.com", tenant=CONTOSO)).out
    assert re.search(r"passed +tenant", told)
    assert re.search(r"REFUSED +guest", told)
    assert "Refused: guest_not_allowed" in told


def test_policy_refuses_an_old_token(cli: CommandLine, emulator: RunningEmulator) -> None:
    """Where max_token_age is set, age comes before tenant and guest."""
    cli.settings(clouds__global=cloud_settings(emulator.url), token_service={"max_token_age": "1s", "leeway": "1s"})
    cli.register()
    told = cli.ok("explain", minted(emulator)).out
    assert re.search(r"REFUSED +age", told)
    assert "Refused: token_expired" in told


def test_a_token_without_an_address_is_told(cli: CommandLine, entra: RunningEmulator) -> None:
    """A token that vouches for no address can match none."""
    cli.register()
    told = cli.ok("explain", minted(entra, unverified=True, without=("preferred_username",))).out
    assert "Refused: email_mismatch" in told


def test_an_access_token_is_recognised_first(cli: CommandLine, entra: RunningEmulator) -> None:
    """The wrong token of the right sign-in is told plainly, whatever refuses it."""
    told = cli.ok("explain", minted(entra, kind="access_token", fault="unpublished_key")).out
    assert "looks like an access token sent in place of an id_token" in told
    assert checks_of(told)["signature"] == "REFUSED"


@pytest.mark.parametrize(("claims", "marked"), [
    ({"aud": DEV_CLIENT_ID}, False),
    ({"aud": DEV_CLIENT_ID, "azp": DEV_CLIENT_ID}, False),
    ({"aud": DEV_CLIENT_ID, "scp": "x"}, True),
    ({"aud": DEV_CLIENT_ID, "appid": "other"}, True),
    ({"aud": "00000003-0000-0000-C000-000000000000"}, True),
    ({"aud": "https://graph.microsoft.com"}, True),
    ({"aud": ["a", "b"]}, False),
    ({}, False),
])  # fmt: skip
def test_marks_of_an_access_token(claims: dict[str, object], marked: bool) -> None:  # noqa: FBT001 - a column of a table
    """The claims that tell an access token, and those that do not."""
    assert bool(access_token_marks(claims)) == marked


def test_keys_that_cannot_be_had_are_told(cli: CommandLine, emulator: RunningEmulator) -> None:
    """Where the provider is away and nothing is kept, the signature is not judged."""
    away = {"keys_v1": f"http://127.0.0.1:{free_port()}/v1", "keys_v2": f"http://127.0.0.1:{free_port()}/v2"}
    cli.settings(clouds__global={**cloud_settings(emulator.url), **away})
    cli.register()
    told = cli.ok("explain", minted(emulator)).out
    assert f"{away['keys_v2']}  " in told.partition("cannot be had")[2]
    assert checks_of(told)["signature"] == "not made"
    assert "Refused: keys_unavailable" in told


def test_kept_keys_are_enough(cli: CommandLine, emulator: RunningEmulator) -> None:
    """Keys that were fetched before judge a token while the provider is away."""
    cli.settings(clouds__global=cloud_settings(emulator.url))
    cli.register()
    cli.ok("keys", "fetch")
    assert "Accepted" in cli.ok("explain", minted(emulator)).out


@pytest.mark.parametrize(("token", "check"), [
    ("a.b.c", "header"), ("a.b.c.d.e", "compact form"), ("..", "compact form"),
    ("eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.AA", "header"), ("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30x.AA", "payload"),
    ("ä.ö.ü", "compact form"), ("x" * 20000 + ".y.z", "compact form"),
])  # fmt: skip
def test_what_is_malformed_is_told(cli: CommandLine, token: str, check: str) -> None:
    """Whatever stands in three parts is judged, never a defect."""
    told = cli.ok("explain", token).out
    assert checks_of(told)[check] == "REFUSED"
    assert "Refused: invalid_token" in told


def test_a_token_may_be_a_header_line(cli: CommandLine, entra: RunningEmulator) -> None:
    """What was copied with Authorization: Bearer, quotes or line ends is the same token."""
    cli.register()
    token = minted(entra)
    assert "Accepted" in cli.ok("explain", "-", stdin=f"Authorization: Bearer {token}\n").out
    assert "Accepted" in cli.ok("explain", f'"{token}"').out


def test_nothing_of_a_token_stays(cli: CommandLine, entra: RunningEmulator) -> None:
    """Neither the output nor the directory holds the signature, and no account data is written."""
    cli.register()
    before = cli.json("audit", "list")
    for token in (minted(entra), minted(entra, expired=True), minted(entra, fault="unpublished_key")):
        outcome = cli.ok("explain", token)
        assert signature_of(token) not in outcome.out + outcome.err
        assert not any(signature_of(token).encode() in path.read_bytes() for path in Path().iterdir())
    assert cli.json("audit", "list") == before
    assert cli.json("users", "list") == []


def test_claims_cannot_move_the_cursor(cli: CommandLine, entra: RunningEmulator) -> None:
    """Control characters of a claim are shown, not obeyed."""
    told = cli.ok("explain", minted(entra, claims={"name": "a\x1b[2Jb", "\x1b[1m": 1})).out
    assert "\x1b" not in told
    assert "a\\x1b[2Jb" in told


# --- our own tokens ----------------------------------------------------------------------------------------------


@pytest.fixture
def user(cli: CommandLine) -> int:
    """Register the audience and add a user."""
    cli.register()
    return int(cli.json("users", "add", "jane@contoso.com", "--org", "1")["id"])


@pytest.mark.parametrize("kind", ["access_token", "platform_token"])
def test_our_own_token_holds(cli: CommandLine, user: int, kind: str) -> None:
    """Either token is told with its user and its record, without its signature."""
    pair = issue(user)
    told = cli.ok("explain", getattr(pair, kind)).out
    assert "It holds" in told
    assert f"{user}, jane@contoso.com, enabled" in told
    assert signature_of(pair.access_token) not in told
    assert pair.platform_token not in told


DEAD = [
    (("tokens", "revoke", "--user", "1"), "invalid_access_token"),
    (("users", "disable", "1"), "user_disabled"),
    (("orgs", "disable", "1"), "organization_disabled"),
    (("registrations", "disable", DEV_CLIENT_ID), "audience_mismatch"),
    (("users", "delete", "1"), "invalid_access_token"),
    (("keys", "list"), None),
]


@pytest.mark.parametrize(("words", "code"), DEAD, ids=[" ".join(words[:2]) for words, _ in DEAD])
def test_our_own_token_is_dead(cli: CommandLine, user: int, words: tuple[str, ...], code: str | None) -> None:
    """Whatever ends a token is told with the code that a caller would get."""
    pair = issue(user)
    cli.ok(*words)
    for token in (pair.access_token, pair.platform_token):
        told = cli.ok("explain", token).out
        assert (f"Refused: {code} (HTTP" in told) if code else ("It holds" in told)


def test_our_own_token_has_expired(cli: CommandLine, user: int) -> None:
    """An expired token is told with when it expired."""
    told = cli.ok("explain", issue(user, ago=8 * 86400).access_token).out
    assert re.search(r"exp +\S+, 1 day ago", told)
    assert "Refused: invalid_access_token" in told


@pytest.mark.parametrize("token", ["0" * 64, "eyJhbGciOiJIUzI1NiJ9.e30.AAAA", "eyJhbGciOiJFUzI1NiJ9.x.y"])
def test_a_token_in_our_form_that_nobody_issued(cli: CommandLine, token: str) -> None:
    """The form alone is not enough."""
    assert "Refused: invalid_access_token" in cli.ok("explain", token).out


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "words"), [
    (0, "now"), (1, "in 1 second"), (-59, "59 seconds ago"), (60, "in 1 minute"), (-3600, "1 hour ago"),
    (3 * 86400, "in 3 days"), (-800 * 86400, "2 years ago"),
])  # fmt: skip
def test_distances_in_words(seconds: float, words: str) -> None:
    """The largest unit that fits, rounded down."""
    assert distance(seconds) == words


@pytest.mark.parametrize("value", [None, True, "x", float("inf"), float("nan"), -1, 10**20])
def test_what_is_no_time_is_said_to_be_none(value: object) -> None:
    """A claim of any kind can be told."""
    assert "no" in time_in_words(value, NOW)


def test_codes_are_found_however_they_are_written() -> None:
    """White space, capitals and hyphens do not matter."""
    assert find_row(" Invalid-Token ").code == "invalid_token"
