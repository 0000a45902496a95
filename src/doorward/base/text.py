"""Text from strangers: addresses, names, identifiers.

Owns the comparison of e-mail addresses and of GUIDs and the rules for names that are shown to people. Everything here
is ASCII case folding only: full Unicode folding makes different addresses equal (token-exchange reference 2.9).
"""

import re
import unicodedata
from functools import lru_cache

EMAIL_MAX = 254
NAME_MAX = 200
_GUID = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}")
_EMAIL = re.compile(r"[^\s@\"(),:;<>\[\\\].\x00-\x20\x7f]+(?:\.[^\s@\"(),:;<>\[\\\].\x00-\x20\x7f]+)*@([^\s@]+)")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_KNOWN_DOMAINS = 1024  # most addresses are of a few domains
_KNOWN_ADDRESSES = 256  # one exchange compares the same address several times
_LOOK_AHEAD = 4  # how many times what is kept of a text is looked at: reading Unicode categories is slow
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def ascii_lower(text: str) -> str:
    """Fold A to Z to lower case and nothing else."""
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


def guid(value: object) -> str | None:
    """Give a GUID in its canonical lower-case form, or None when `value` is not one."""
    return value.lower() if isinstance(value, str) and _GUID.fullmatch(value) else None


def given_guid(value: object) -> str | None:
    """Give a GUID that something can have been given, or None; the nil and the max GUID name nothing (RFC 9562 5.9)."""
    folded = guid(value)
    return None if folded is None or set(folded) in ({"0", "-"}, {"f", "-"}) else folded


def domain_key(domain: str) -> str | None:
    """Give the ASCII (IDNA 2008) form of a domain in lower case, or None when it is not a domain name."""
    return _domain_key(domain) if len(domain) <= EMAIL_MAX else None  # what is remembered is bounded in size, too


@lru_cache(_KNOWN_DOMAINS)
def _domain_key(domain: str) -> str | None:
    folded = ascii_lower(domain)
    name = folded if folded.isascii() else _in_ascii(folded)
    labels = name.split(".")
    return name if len(name) <= 253 and all(_LABEL.fullmatch(label) for label in labels) else None


def _in_ascii(domain: str) -> str:
    """Give an internationalized domain as DNS has it (RFC 5891); empty where there is no such name."""
    import idna  # noqa: PLC0415 - its tables take time to load, and hardly a domain needs them

    try:
        return idna.encode(domain, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        return ""


def email_key(address: str) -> str | None:
    """Give the form in which two addresses are compared, or None when `address` is not an e-mail address.

    White space around is dropped, A to Z are folded, and a Unicode domain becomes its ASCII form. Nothing else: no dots
    or plus tags removed, no alias logic (token-exchange reference 2.9).
    """
    trimmed = address.strip()
    return _email_key(trimmed) if len(trimmed) <= EMAIL_MAX else None  # strangers choose what is remembered


@lru_cache(_KNOWN_ADDRESSES)
def _email_key(trimmed: str) -> str | None:
    if (match := _EMAIL.fullmatch(trimmed)) is None or has_hidden(trimmed):
        return None
    domain = domain_key(match.group(1))
    key = None if domain is None else f"{ascii_lower(trimmed[: match.start(1)])}{domain}"
    return key if key is not None and len(key) <= EMAIL_MAX else None  # a Unicode domain grows in its ASCII form


def has_hidden(text: str) -> bool:
    """Say whether `text` holds control, formatting, private or unassigned characters or half a surrogate pair."""
    if text.isascii():
        return not text.isprintable()
    return any(unicodedata.category(character) in _HIDDEN for character in text)


def cleaned(text: str, limit: int = NAME_MAX) -> str:
    """Drop what must not be shown or stored, fold white space, and cut to `limit` characters.

    Only the first four times `limit` characters are looked at: a header of many kilobytes must not cost milliseconds.
    """
    text = text[: _LOOK_AHEAD * limit]
    if text.isascii() and text.isprintable():  # nearly all text is, and then a space is all that can need folding
        return " ".join(text.split())[:limit].rstrip()
    visible = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _HIDDEN)
    return " ".join(visible.split())[:limit].rstrip()
