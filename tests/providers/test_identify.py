"""Who somebody is: `user_id`, `name_typ`, the identifiers, and who is refused."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.identity.person import Identity, ProviderTokens
from doorward.providers import ALL, custom
from doorward.providers.identify import NobodyNamed, make_identity
from doorward.providers.spec import ProviderSpec

X = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
M = "http://schemas.microsoft.com/identity/claims/"
EMAIL, NAME, UPN = f"{X}emailaddress", f"{X}name", f"{X}upn"
AAD = {"sub": "s", "oid": "o", "unique_name": "u", "preferred_username": "p", "email": "e", "upn": "n", "name": "Jane"}


def identity(spec: ProviderSpec, raw: dict[str, object], *, legacy: bool = True, profile: str = "current") -> Identity:
    """Identify somebody without tokens."""
    return make_identity(spec.name, spec, raw, ProviderTokens(), legacy=legacy, profile=profile)


def aad_without(*names: str) -> dict[str, object]:
    """Give an aad caller's claims but these."""
    return {name: value for name, value in AAD.items() if name not in names}


USER_IDS: list[tuple[str, dict[str, object], str, str]] = [
    ("aad", aad_without(), "n", UPN),
    ("aad", aad_without("upn"), "e", EMAIL),
    ("aad", aad_without("upn", "email"), "p", NAME),
    ("aad", aad_without("upn", "email", "preferred_username"), "u", NAME),
    ("aad", {"sub": "o", "oid": "o", "appid": "a"}, "o", NAME),
    ("aad", {"sub": "s"}, "s", NAME),
    ("aad", {**AAD, "upn": "", "email": "\r\n"}, "p", NAME),
    ("aad", {**AAD, "upn": None}, "e", EMAIL),
    ("google", {"sub": "1", "email": "e", "name": "n"}, "e", EMAIL),
    ("google", {"sub": "1", "name": "n"}, "1", EMAIL),
    ("github", {"id": 1, "login": "l", "name": "n", "email": "e"}, "n", NAME),
    ("github", {"id": 1, "login": "l", "name": None}, "l", NAME),
    ("github", {"id": 1, "login": "l", "name": ""}, "l", NAME),
    ("github", {"id": 1}, "1", NAME),
    ("facebook", {"id": "1", "name": "n", "email": "e"}, "e", EMAIL),
    ("facebook", {"id": "1", "name": "n"}, "n", NAME),
    ("twitter", {"id_str": "1", "screen_name": "s", "name": "n"}, "s", UPN),
    ("microsoftaccount", {"id": "1", "name": "n"}, "n", NAME),
    ("microsoftaccount", {"id": "1", "name": "n", "emails": {"preferred": "e"}}, "e", EMAIL),
    ("apple", {"sub": "1", "email": "e"}, "e", NAME),
    ("apple", {"sub": "1"}, "1", NAME),
]


@pytest.mark.parametrize(("name", "raw", "user_id", "name_typ"), USER_IDS)
def test_user_ids(name: str, raw: dict[str, object], user_id: str, name_typ: str) -> None:
    """Each provider's `user_id` comes from the first claim that is there, and `name_typ` says which it was."""
    made = identity(ALL[name], raw)
    assert (made.user_id, made.name_typ) == (user_id, name_typ)


NAMED_BY: list[tuple[str, bool, str, str]] = [
    ("", True, "1", NAME),
    (NAME, True, "1", NAME),
    ("name", True, "Jane", "name"),
    ("email", True, "e", EMAIL),
    (EMAIL, True, "e", EMAIL),
    ("preferred_username", True, "p", "preferred_username"),
    ("unheard_of", True, "1", "unheard_of"),
    ("role", True, "r", "role"),
    ("role", False, "r", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"),
]


@pytest.mark.parametrize(("claim_type", "legacy", "user_id", "name_typ"), NAMED_BY)
def test_custom_providers_are_named_by_their_setting(
    claim_type: str, user_id: str, name_typ: str, *, legacy: bool
) -> None:
    """A custom provider's `user_id` is the claim that `nameClaimType` names, long or short, else nameidentifier."""
    raw: dict[str, object] = {"sub": "1", "name": "Jane", "email": "e", "preferred_username": "p", "role": "r"}
    made = identity(custom("contoso", claim_type), raw, legacy=legacy)
    assert (made.user_id, made.name_typ) == (user_id, name_typ)


def test_facebook_in_2016() -> None:
    """In the profile 2016 facebook names people by their names, whatever was granted."""
    made = identity(ALL["facebook"], {"id": "1", "name": "n", "email": "e"}, profile="2016")
    assert (made.user_id, made.name_typ) == ("n", NAME)


def test_the_map_of_2016() -> None:
    """The profile 2016 knows the legacy map alone."""
    raw: dict[str, object] = {"sub": "1", "roles": ["r"]}
    typs = [identity(ALL["aad"], raw, legacy=False, profile=profile).claims[1].typ for profile in ("2016", "current")]
    assert typs == ["roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"]


def test_identifiers() -> None:
    """The principal id of aad is the oid, everybody else's nameidentifier; the subject is nameidentifier for all."""
    made = identity(ALL["aad"], aad_without())
    assert (made.subject, made.principal_id) == ("s", "o")
    for spec in [*ALL.values(), custom("contoso")]:
        if spec.name != "aad":
            made = identity(spec, dict(spec.sample))
            assert (
                made.principal_id == made.subject == next(c.val for c in made.claims if c.typ == f"{X}nameidentifier")
            )


def test_identifiers_by_their_raw_names() -> None:
    """A claim that only maps to the type of an identifier cannot take its place."""
    raw: dict[str, object] = {
        "nameid": "victim",
        f"{X}nameidentifier": "victim",
        "sub": "s",
        f"{M}objectidentifier": "v",
    }
    made = identity(ALL["aad"], {**raw, "oid": "o"})
    assert (made.subject, made.principal_id) == ("s", "o")
    assert identity(custom("contoso"), raw).subject == "s"


@pytest.mark.parametrize(
    "value",
    [None, "", " ", "a ", " a", "a\n", "a\x00b", "a\u202eb", "x" * 256, True, 1.5, ["1"], {"a": 1}, ...],
    ids=repr,
)
@pytest.mark.parametrize("name", [*ALL, "contoso"])
def test_nobody_without_an_identifier(name: str, value: object) -> None:
    """An identifier that is absent, no text, or could be taken for another's is nobody's."""
    spec = ALL.get(name) or custom(name)
    raw = {**spec.sample, spec.subject_field: value}
    with pytest.raises(NobodyNamed) as refused:
        identity(spec, {field: member for field, member in raw.items() if member is not ...})
    assert str(value) not in str(refused.value) or value in ("", " ", None, "a ", " a", 1.5)


def test_nobody_with_a_broken_oid() -> None:
    """An aad caller whose oid is no identifier is refused, not named by another claim."""
    with pytest.raises(NobodyNamed):
        identity(ALL["aad"], {**AAD, "oid": ""})


def test_names_are_one_line() -> None:
    """A display name with a line break becomes one line; its claim stays as the provider wrote it."""
    made = identity(ALL["github"], {"id": 1, "name": " Jane\r\nX-MS-CLIENT-PRINCIPAL-ID: 7 "})
    assert made.user_id == "JaneX-MS-CLIENT-PRINCIPAL-ID: 7"
    assert made.claims[1].val == " Jane\r\nX-MS-CLIENT-PRINCIPAL-ID: 7 "


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data())
def test_any_answer_names_somebody_or_nobody(data: st.DataObject) -> None:
    """Whatever a provider answers, it names somebody with a `user_id` and identifiers, or `NobodyNamed` is raised."""
    spec = data.draw(st.sampled_from([*ALL.values(), custom("contoso", "name")]))
    fields = st.sampled_from([*spec.sample, "name", "email", "upn", "emails"])
    raw = {**spec.sample, **data.draw(st.dictionaries(fields, JSON, max_size=4))}
    try:
        made = identity(spec, raw, legacy=data.draw(st.booleans()), profile=data.draw(st.sampled_from(["2016", "x"])))
    except NobodyNamed:
        return
    assert made.user_id
    assert made.subject
    assert made.principal_id
    assert made.name_typ
    assert not [c for c in made.user_id if unicodedata.category(c) == "Cc"]
