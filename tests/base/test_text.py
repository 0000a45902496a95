import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base import text as module
from doorward.base.text import ascii_lower, cleaned, domain_key, email_key, guid, has_hidden

NEAR_ADDRESSES = st.builds(
    "{}@{}".format,
    st.text(st.sampled_from("aB.+-_'é#\u212aß"), min_size=1, max_size=12),
    st.text(st.sampled_from("aB.-éßü。１ａ\u212a\u0307x"), min_size=1, max_size=20),
)


@given(address=st.one_of(st.text(max_size=300), NEAR_ADDRESSES, st.emails()))
def test_email_key_is_its_own_key(address: str) -> None:
    """The key of a key is the key, and no address breaks the reader."""
    key = email_key(address)
    if key is not None:
        assert email_key(key) == key
        assert key.rpartition("@")[2].isascii()
        assert not has_hidden(key)


@given(domain=st.one_of(st.text(max_size=80), st.text(st.sampled_from("aB.-éßü。１ａ\u212a\u0307\u200d"), max_size=80)))
def test_domain_key_is_its_own_key(domain: str) -> None:
    """The key of a domain is ASCII, in lower case, and its own key."""
    key = domain_key(domain)
    if key is not None:
        assert domain_key(key) == key
        assert key.isascii()
        assert key == key.lower()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jane@contoso.com", "JANE@CONTOSO.COM"),
        ("jane@contoso.com", "  jane@contoso.com\t\n"),
        ("jane@bücher.example", "jane@xn--bcher-kva.example"),
        ("jane@bücher.example", "Jane@XN--BCHER-KVA.example"),
        ("jane@bücher.example", "jane@bu\u0308cher.example"),
        ("jéne@contoso.com", "jéne@Contoso.com"),
    ],
)
def test_equal_addresses(one: str, other: str) -> None:
    """Space around, A to Z, and the two forms of a domain do not matter (reference 2.9)."""
    assert email_key(one) == email_key(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jane@contoso.com", "jane+tag@contoso.com"),
        ("jane@contoso.com", "ja.ne@contoso.com"),
        ("jane@contoso.com", "jane@sub.contoso.com"),
        ("jane@contoso.com", "jane@contoso.com.evil.example"),
        ("kate@contoso.com", "\u212aate@contoso.com"),
        ("sue@contoso.com", "\u017fue@contoso.com"),
        ("jéne@contoso.com", "JÉNE@contoso.com"),
        ("jéne@contoso.com", "je\u0301ne@contoso.com"),
        ("istanbul@contoso.com", "\u0130stanbul@contoso.com"),
        ("strasse@contoso.com", "straße@contoso.com"),
        ("jane@strasse.example", "jane@straße.example"),
        ("jane@contoso.com", "jane@c\u043entoso.com"),
        ("jane@gmail.com", "jane@googlemail.com"),
    ],
)
def test_different_addresses(one: str, other: str) -> None:
    """No full case folding, no tags, no dots, no aliases, no look-alikes (reference 2.9)."""
    assert email_key(one) is not None
    assert email_key(other) is not None
    assert email_key(one) != email_key(other)


@pytest.mark.parametrize(
    "text",
    ["", " ", "@", "jane", "jane@", "@contoso.com", "jane@@contoso.com", "jane@contoso@com", "jane @contoso.com",
     "jane@con toso.com", ".jane@contoso.com", "jane.@contoso.com", "ja..ne@contoso.com", "jane@.contoso.com",
     "jane@contoso..com", "jane@contoso.com.", "jane@-contoso.com", "jane@contoso-.com", "jane@contoso_x.com",
     "Jane <jane@contoso.com>", '"jane"@contoso.com', "jane@[127.0.0.1]", "jane@contoso.com,x@contoso.com",
     "jane\0@contoso.com", "jane@contoso.com\0", "jane\u200b@contoso.com", "jane@con\u200btoso.com",
     "jane@contoso.com\u202e", "jane\u00a0@contoso.com", "jane@" + "a" * 64 + ".com", "j" * 243 + "@contoso.com",
     "jane@\ud800.com", "jane@contoso.com\nBcc: x@contoso.com", "jane\\@contoso.com",
     "j" * 235 + "@ü.contoso.com", "mailto:jane@contoso.com"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    """What is no address has no key."""
    assert email_key(text) is None


@pytest.mark.parametrize(
    "text", ["j" * 242 + "@contoso.com", "a@b", "o'neil+x@contoso.co.uk", "live.com#j@contoso.com"]
)
def test_what_is_an_address(text: str) -> None:
    """254 characters, apostrophes, tags and single labels are addresses."""
    assert email_key(text) == text


@given(value=st.uuids())
def test_guid_folds_case(value: object) -> None:
    """A GUID in any case has one canonical form."""
    assert guid(str(value).upper()) == guid(str(value)) == str(value)


@given(value=st.one_of(st.text(), st.none(), st.integers(), st.lists(st.text()), st.from_regex(r"[0-9a-f-]{36}\n?")))
def test_guid_of_anything(value: object) -> None:
    """What has a canonical form is 36 characters of lower-case hexadecimal and hyphens."""
    form = guid(value)
    assert form is None or (len(form) == 36 and set(form) <= set("0123456789abcdef-"))


@given(text=st.text(), limit=st.integers(1, 60))
def test_cleaned_text(text: str, limit: int) -> None:
    """Cleaned text has no hidden character, no outer space, keeps the limit, and is clean."""
    once = cleaned(text, limit)
    assert cleaned(once, limit) == once
    assert not has_hidden(once)
    assert len(once) <= limit
    assert once == once.strip()


@given(text=st.text())
def test_hidden_characters(text: str) -> None:
    """Exactly control, format, surrogate, private, unassigned and separator characters are hidden."""
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert has_hidden(text) == any(unicodedata.category(character) in hidden for character in text)


@given(text=st.text())
def test_ascii_lower_touches_nothing_else(text: str) -> None:
    """Only A to Z change."""
    folded = ascii_lower(text)
    assert all(b == (a.lower() if "A" <= a <= "Z" else a) for a, b in zip(text, folded, strict=True))


def test_long_text_is_not_remembered() -> None:
    """What cannot be an address or a domain is refused before it is remembered: strangers choose it, and its size."""
    before = (module._email_key.cache_info().currsize, module._domain_key.cache_info().currsize)
    assert email_key("j" * 262_144 + "@contoso.com") is None
    assert domain_key("a" * 262_144) is None
    assert (module._email_key.cache_info().currsize, module._domain_key.cache_info().currsize) == before


def test_only_the_beginning_of_long_text_is_looked_at() -> None:
    """Cleaning looks at four times what it keeps, however much was sent."""
    assert cleaned("é" * 30_000, 256) == "é" * 256
    assert cleaned("\u200b" * 500 + "é" * 30_000, 256) == "é" * 256
    assert not cleaned("\u200b" * 1024 + "é" * 30_000, 256)
