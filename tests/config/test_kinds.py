"""What each kind of setting reads, prints and refuses."""

import contextlib
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.secret import Secret
from doorward.config.addresses import Unsuitable
from doorward.config.kinds import (
    ADDRESS,
    BOOLEAN,
    DATABASE_URL,
    HEX_KEY,
    ISSUER,
    NETWORKS,
    ORIGIN,
    ORIGINS,
    SECRET,
    SITE_HOSTS,
    STRINGS,
    TOKEN_NAME,
    UPSTREAMS,
    URL,
    Kind,
    duration,
    integer,
    mask_password,
    one_of,
    read_duration,
    read_size,
    show_duration,
    show_size,
    size,
)

DURATION = duration("0s")
SIZE = size(1, 1 << 40)
KINDS: list[Kind[Any]] = [
    ADDRESS, BOOLEAN, DATABASE_URL, DURATION, HEX_KEY, ISSUER, NETWORKS, ORIGIN, ORIGINS, SECRET, SITE_HOSTS, SIZE,
    STRINGS, TOKEN_NAME, UPSTREAMS, URL, integer(0, 9), one_of("", "json"),
]  # fmt: skip
TOML = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NEAR = st.text(alphabet=string.ascii_letters + string.digits + ":/@[]{}.?#%-_,= \x00é", max_size=60)
HOSTS = st.one_of(
    st.ip_addresses().map(lambda ip: f"[{ip}]" if ip.version == 6 else str(ip)),
    st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z][a-z0-9]{0,8}){0,3}", fullmatch=True),
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("60s", 60), ("10m", 600), ("8h", 28800), ("7d", 604800), ("0", 0), ("0s", 0), ("00:00:01", 1),
     ("08:00:00", 28800), ("72:30:15", 261015), ("007s", 7)],
)  # fmt: skip
def test_durations_are_read(text: str, seconds: int) -> None:
    """Both ways of writing a duration are read, down to one second."""
    assert DURATION.parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " 60s", "60s ", "60", "60S", "1.5h", "-1s", "1w", "1 h", "1h30m", "08:60:00", "08:00", "٦s", "60s\n",
     "99999999999s", "40000d"],
)  # fmt: skip
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A number without unit, a sum, a fraction and the like are no durations."""
    with pytest.raises(Unsuitable):
        DURATION.parse(text)


def test_zero_is_a_duration_only_where_it_means_something() -> None:
    """Zero is refused where nothing could be done in no time, and may be a bare 0 where it is legal."""
    assert DURATION.parse(0) == 0
    for zero in ("0", "0s", "00:00:00", 0):
        with pytest.raises(Unsuitable, match="out of range"):
            duration().parse(zero)


@given(st.integers(0, 36500 * 86400))
def test_durations_survive_printing(seconds: int) -> None:
    """A printed duration reads as the same duration."""
    assert read_duration(show_duration(seconds)) == seconds


@given(st.integers(0, 1 << 42))
def test_sizes_survive_printing(number: int) -> None:
    """A printed size reads as the same size."""
    assert read_size(show_size(number)) == number


@pytest.mark.parametrize(("written", "number"), [("32KiB", 32768), (4096, 4096), ("1 MiB", 1 << 20), ("512B", 512)])
def test_sizes_are_read(written: object, number: int) -> None:
    """A size is a number with a binary unit, or bytes."""
    assert SIZE.parse(written) == number


@pytest.mark.parametrize("written", ["32", "32K", "32KB", "KiB", "-1B", "1.5KiB", 0, True, 1.5, "9999999999999GiB"])
def test_what_is_no_size_is_refused(written: object) -> None:
    """A size without unit in quotes, a decimal unit and a boolean are no sizes."""
    with pytest.raises(Unsuitable):
        SIZE.parse(written)


@given(HOSTS, st.integers(0, 65535))
def test_addresses_survive_printing(host: str, port: int) -> None:
    """A printed address reads as the same address."""
    address = ADDRESS.parse(f"{host}:{port}")
    assert address.port == port
    assert ADDRESS.parse(str(address)) == address


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (HEX_KEY, "ab" * 32), (NETWORKS, ["10.0.0.0/8", "::1/128"]), (ORIGINS, ["https://a.example", "http://[::1]:3"]),
        (SITE_HOSTS, ["a.example", "[::1]:80", "[::2]"]), (BOOLEAN, True), (URL, "https://a.example/x?y=z"),
        (ISSUER, "https://a.example/{tenantid}/"), (UPSTREAMS, "http://127.0.0.1:3000"), (STRINGS, []),
        (TOKEN_NAME, "token_2"), (DATABASE_URL, "sqlite:////var/lib/a.db"), (DATABASE_URL, "postgresql:///name"),
        (one_of("a", "b"), "b"), (integer(1, 5), 3),
    ],
)  # fmt: skip
def test_what_a_kind_prints_it_reads(kind: Kind[Any], written: object) -> None:
    """A value that is shown and given again, as a variable would be, is the same value; secrets show nothing."""
    value = kind.parse(written)
    if kind.secrecy == "secret":
        assert kind.show(value) == "********"
    else:
        assert kind.parse(kind.from_text(kind.show(value))) == value


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kinds_only_ever_refuse(kind: Kind[Any]) -> None:
    """Whatever stands in a file or a variable, a kind gives a value or `Unsuitable`, never another error."""

    @given(TOML | NEAR | NEAR.map(kind.from_text))
    def never_crashes(value: object) -> None:
        with contextlib.suppress(Unsuitable):
            kind.parse(value)

    never_crashes()


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", ":8080", "127.0.0.1:65536", "127.0.0.1:http", "::1:8080", "[::1]", "[127.0.0.1:80", "1.2.3:80",
     "a b:80", "300.0.0.1:80", "http://a:80", "a..b:80", "-a:80", "münchen:80", "a:٣", "a:80\n"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    """A listener's address has a host and a port, an IPv6 host stands in brackets."""
    with pytest.raises(Unsuitable):
        ADDRESS.parse(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [("https://App.Example.com", "https://app.example.com"), ("https://a.example:443/", "https://a.example"),
     ("https://a.example:8443", "https://a.example:8443"), ("http://localhost:80", "http://localhost"),
     ("http://[::1]:8080", "http://[::1]:8080"), ("http://127.0.0.2:1", "http://127.0.0.2:1")],
)  # fmt: skip
def test_origins_are_kept_as_browsers_send_them(text: str, kept: str) -> None:
    """An origin is folded to lower case and loses its scheme's own port and a slash at the end."""
    assert ORIGIN.parse(text) == kept


@pytest.mark.parametrize(
    "text",
    ["http://app.example.com", "https://a.example/x", "https://a.example?x", "https://a.example#x", "https://",
     "https://u@a.example", "https://u:p@a.example", "ftp://a.example", "a.example", "//a.example", "https://*.example",
     "https://a.example:", "https://a.example:0", "https://a.example:99999", "https://a.example:x", "https://[::1",
     "https://a.example\\@b.example", " https://a.example", "https://a.example\n", "http://127.0.0.1.evil.example",
     "http://localhost.evil.example", "http://0.0.0.0", "javascript:alert(1)", "https://1.2.3", "https:a.example"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(text: str) -> None:
    """An origin has scheme, host and port alone, and plain http is for loopback."""
    with pytest.raises(Unsuitable):
        ORIGIN.parse(text)


@pytest.mark.parametrize(
    "text",
    ["https://a.example/{tid}/", "https://a.example/", "https://a.example/{tenantid}/{x}", "http://a.example/{tenantid}/",
     "https://a.example/{tenantid}?x", "https://a.example/{tenantid}#", "{tenantid}", "https://a.example/{TENANTID}/"],
)  # fmt: skip
def test_what_is_no_issuer_is_refused(text: str) -> None:
    """An issuer is an https URL with the tenant's mark and no other braces."""
    with pytest.raises(Unsuitable):
        ISSUER.parse(text)


def test_an_issuer_may_have_the_tenant_in_its_host() -> None:
    """Customer tenants have issuers whose host is the tenant's GUID (token-exchange reference 2.1)."""
    issuer = "https://{tenantid}.ciamlogin.com/{tenantid}/v2.0"
    assert ISSUER.parse(issuer) == issuer


@pytest.mark.parametrize(
    "text", ["a" * 63, "a" * 65, "g" * 64, "ab" * 31, " " + "ab" * 32, "ab" * 32 + "\n", "0x" + "ab" * 32]
)
def test_weak_and_odd_keys_are_refused_without_being_quoted(text: str) -> None:
    """A key has an even number of at least 64 hexadecimal digits; the refusal does not repeat what was written."""
    with pytest.raises(Unsuitable) as refused:
        HEX_KEY.parse(text)
    assert text not in f"{refused.value.what} {refused.value.fix}"


def test_a_key_is_a_secret() -> None:
    """A key never prints itself, and an empty one counts as none."""
    assert HEX_KEY.parse("Ab" * 32) == Secret("Ab" * 32)
    assert not HEX_KEY.parse("")


@pytest.mark.parametrize(
    "text",
    ["", "sqlite://", "sqlite:///", "sqlite://doorward.db", "sqlite:///:memory:", "sqlite:///a.db?mode=memory",
     "sqlite:///file:a", "postgres://u:p@h/n", "postgresql://h", "postgresql://h/", "mysql://h/n", "doorward.db",
     "postgresql://[h/n"],
)  # fmt: skip
def test_what_is_no_database_is_refused(text: str) -> None:
    """A database is a SQLite file that keeps data, or a named PostgreSQL database."""
    with pytest.raises(Unsuitable) as refused:
        DATABASE_URL.parse(text)
    assert "u:p" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h:1/n", "postgresql://u:********@h:1/n"),
        ("postgresql://u:p@q/r:s@h/n", "postgresql://u:********@h/n"),
        ("postgresql://u@h/n", "postgresql://u@h/n"),
        ("postgresql:///n?user=u&password=p&sslmode=require", "postgresql:///n?user=u&password=********&sslmode=require"),
        ("sqlite:///a.db", "sqlite:///a.db"),
    ],
)  # fmt: skip
def test_passwords_in_database_urls_are_masked(url: str, shown: str) -> None:
    """What is shown of a database URL is everything but its password."""
    assert mask_password(url) == shown


@given(st.text(max_size=30))
def test_no_password_is_shown(password: str) -> None:
    """However odd the password, nothing of it is left between user and host."""
    assert mask_password(f"postgresql://user:{password}@host/name") == "postgresql://user:********@host/name"


@pytest.mark.parametrize("text", ["access_token", "token_type", "", "a-b", "1a", "a" * 65, "ä", "a\n"])
def test_unusable_names_for_the_platform_token_are_refused(text: str) -> None:
    """The platform token's field is a plain name that no other field of the answer has."""
    with pytest.raises(Unsuitable):
        TOKEN_NAME.parse(text)


@pytest.mark.parametrize(("text", "kept"), [("a, b,,c ", ("a", "b", "c")), ("", ()), ("a", ("a",))])
def test_lists_in_variables_are_split_at_commas(text: str, kept: tuple[str, ...]) -> None:
    """In a variable a list is separated by commas; white space and empty places do not count."""
    assert STRINGS.parse(STRINGS.from_text(text)) == kept


@pytest.mark.parametrize(("text", "value"), [("true", True), ("FALSE", False)])
def test_booleans_in_variables_are_words(text: str, value: object) -> None:
    """In a variable a boolean is true or false."""
    assert BOOLEAN.parse(BOOLEAN.from_text(text)) is value


@pytest.mark.parametrize("text", ["1", "yes", "on", ""])
def test_other_words_are_no_booleans(text: str) -> None:
    """Words that other programs take for booleans are refused rather than guessed."""
    with pytest.raises(Unsuitable):
        BOOLEAN.parse(BOOLEAN.from_text(text))


@pytest.mark.parametrize("text", ["ftp://x", "127.0.0.1:8000", "localhost", "unix:/run/app.sock"])
def test_an_upstream_is_said_to_be_an_http_or_https_origin(text: str) -> None:
    """Whoever names another address of the application reads which ones are taken."""
    with pytest.raises(Unsuitable, match="http or https origin"):
        UPSTREAMS.parse(text)
    assert UPSTREAMS.parse("HTTP://127.0.0.1:8000") == ("http://127.0.0.1:8000",)


def test_the_application_may_be_a_neighbour() -> None:
    """Between gateway and application plain http may go to another host, as between containers."""
    assert UPSTREAMS.parse(["http://app:3000/", "http://10.0.0.7"]) == ("http://app:3000", "http://10.0.0.7")
