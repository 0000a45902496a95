"""Whole bodies: what `/.auth/me` and the headers say of one person of each provider, from raw claims on."""

import base64
import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from doorward.identity.person import ProviderTokens, me_entry
from doorward.identity.principal import principal_of
from doorward.providers import ALL, custom
from doorward.providers.identify import make_identity
from doorward.providers.spec import ProviderSpec

PUBLISHED = msgspec.json.decode((Path(__file__).parent.parent / "vectors" / "me-2016.json").read_bytes())["examples"]
CONTOSO = custom("contoso", "preferred_username")
SPECS: dict[str, ProviderSpec] = {**ALL, "contoso": CONTOSO}

X = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
M = "http://schemas.microsoft.com/identity/claims/"

EXPIRES = {
    "facebook": (1475871895, "2574210"),
    "google": (1470711055, "9761730"),
    "microsoftaccount": (1470711060, "0543765"),
}
"""The published moments, in whole seconds and ticks."""

RAW_2016: dict[str, dict[str, object]] = {
    "aad": {
        "aud": "e3d6bd31-f966-4ac8-84be-010d527e3f23",
        "iss": "https://sts.windows.net/b52d426e-6547-4aca-a343-dc57215cc87b/",
        "iat": 1470707155,
        "nbf": 1470707155,
        "exp": 1470711055,
        "amr": ["pwd"],
        "email": "jbloggs00@gmail.com",
        "family_name": "Bloggs",
        "given_name": "Joe",
        "idp": "live.com",
        "ipaddr": "173.154.182.76",
        "name": "Joe Bloggs",
        "nonce": "3ca45c180c4145a2b9fc4353ca0cb959_20160809015553",
        "oid": "80393c62-a29b-4182-8725-cc802b590d73",
        "sub": "brKvrucGjA1shQ3KxNS7nNsoOsBreGprEeJMXojwrkE",
        "tid": "b52d826e-6547-4aca-a343-dc57415cc87b",
        "unique_name": "live.com#jbloggs00@gmail.com",
        "ver": "1.0",
    },
    "facebook": {  # in Graph's own order, which is not the order of the claims
        "link": "https://www.facebook.com/app_scoped_user_id/10154312168593959/",
        "first_name": "Joe",
        "last_name": "Bloggs",
        "gender": "male",
        "locale": "en_US",
        "timezone": -7,
        "name": "Joe Bloggs",
        "id": "10154312468591959",
    },
    "google": {
        "iss": "https://accounts.google.com",
        "at_hash": "ixNBF75M3q3tVC6VdRJQRg",
        "aud": "1031930339375-9hugrs6m7n41e16qr77b4spmb96dfdea.apps.googleusercontent.com",
        "sub": "115003833514858822132",
        "email_verified": True,
        "azp": "1031430339975-9hugrs6m7n41e16qr77b4spmb96dfdea.apps.googleusercontent.com",
        "email": "jbloggs00@gmail.com",
        "iat": 1470707458,
        "exp": 1470711058,
        "name": "Joe Bloggs",
        "given_name": "Joe",
        "family_name": "Bloggs",
        "locale": "en-GB",
    },
    "twitter": {
        "id": 28739128,
        "id_str": "28739128",
        "name": "Joe Bloggs",
        "screen_name": "jbloggs00",
        "location": "Redmond, WA",
        "description": "My twitter profile description",
        "url": "http://t.co/RiSeRKwm1P",
        "protected": False,
        "time_zone": "Redmond",
        "verified": False,
        "lang": "en",
        "profile_image_url_https": "https://abs.twimg.com/sticky/default_profile_images/default_profile_4_400x400.png",
    },
    "microsoftaccount": {
        "id": "f5164e2a3258fd41",
        "name": "Joe Bloggs",
        "first_name": "Joe",
        "last_name": "Bloggs",
        "gender": None,
        "locale": "en_AU",
    },
}
"""Raw claims and profiles that carry the values of the published examples."""

RAW_NOW: dict[str, dict[str, object]] = {
    **RAW_2016,
    "aad": {
        "aud": "e3d6bd31-f966-4ac8-84be-010d527e3f23",
        "iss": "https://login.microsoftonline.com/b52d426e-6547-4aca-a343-dc57215cc87b/v2.0",
        "iat": 1625140000,
        "nbf": 1625140000,
        "exp": 1625143900,
        "aio": "AWQAm/8TAAAA",
        "c_hash": "iUK6JzrKzRWhbkGDQS5SEA",
        "email": "jbloggs00@contoso.com",
        "groups": ["9f4e1d58-0000-4000-8000-000000000001", "9f4e1d58-0000-4000-8000-000000000002"],
        "name": "Joe Bloggs",
        "nonce": "3ca45c180c4145a2b9fc4353ca0cb959_20210701115640",
        "oid": "80393c62-a29b-4182-8725-cc802b590d73",
        "preferred_username": "joe@contoso.com",
        "rh": "0.AAAA",
        "roles": ["Reader", "Writer"],
        "sub": "brKvrucGjA1shQ3KxNS7nNsoOsBreGprEeJMXojwrkE",
        "tid": "b52d426e-6547-4aca-a343-dc57215cc87b",
        "uti": "ZFJrm1AnN0",
        "ver": "2.0",
    },
    "facebook": {**RAW_2016["facebook"], "email": "jbloggs00@gmail.com", "birthday": "01/31/1990"},
    "microsoftaccount": {**RAW_2016["microsoftaccount"], "emails": {"preferred": "joe@outlook.com", "account": None}},
    "github": {
        "login": "jbloggs",
        "id": 583231,
        "avatar_url": "https://avatars.githubusercontent.com/u/583231?v=4",
        "site_admin": False,
        "name": "Joe Bloggs",
        "company": None,
        "email": "joe@contoso.com",
        "plan": {"name": "pro", "space": 976562499},
    },
    "apple": {
        "iss": "https://appleid.apple.com",
        "aud": "com.contoso.web",
        "exp": 1625143900,
        "iat": 1625140000,
        "sub": "001999.0123456789abcdef0123456789abcdef.1234",
        "email": "joe@privaterelay.appleid.com",
        "email_verified": "true",
        "is_private_email": "true",
        "auth_time": 1625140000,
    },
    "contoso": {
        "iss": "https://id.contoso.com",
        "sub": "248289761001",
        "aud": ["s6BhdRkqt3", "other"],
        "azp": "s6BhdRkqt3",
        "exp": 1625143900,
        "iat": 1625140000,
        "preferred_username": "joe",
        "email": "joe@contoso.com",
        "address": {"country": "NO", "city": "Ålesund"},
    },
}

CLAIMS_NOW: dict[str, list[tuple[str, str]]] = {
    "aad": [
        ("aud", "e3d6bd31-f966-4ac8-84be-010d527e3f23"),
        ("iss", "https://login.microsoftonline.com/b52d426e-6547-4aca-a343-dc57215cc87b/v2.0"),
        ("iat", "1625140000"),
        ("nbf", "1625140000"),
        ("exp", "1625143900"),
        ("aio", "AWQAm/8TAAAA"),
        ("c_hash", "iUK6JzrKzRWhbkGDQS5SEA"),
        (f"{X}emailaddress", "jbloggs00@contoso.com"),
        ("groups", "9f4e1d58-0000-4000-8000-000000000001"),
        ("groups", "9f4e1d58-0000-4000-8000-000000000002"),
        ("name", "Joe Bloggs"),
        ("nonce", "3ca45c180c4145a2b9fc4353ca0cb959_20210701115640"),
        (f"{M}objectidentifier", "80393c62-a29b-4182-8725-cc802b590d73"),
        ("preferred_username", "joe@contoso.com"),
        ("rh", "0.AAAA"),
        ("roles", "Reader"),
        ("roles", "Writer"),
        (f"{X}nameidentifier", "brKvrucGjA1shQ3KxNS7nNsoOsBreGprEeJMXojwrkE"),
        (f"{M}tenantid", "b52d426e-6547-4aca-a343-dc57215cc87b"),
        ("uti", "ZFJrm1AnN0"),
        ("ver", "2.0"),
    ],
    "facebook": [
        (f"{X}nameidentifier", "10154312468591959"),
        (f"{X}emailaddress", "jbloggs00@gmail.com"),
        (f"{X}name", "Joe Bloggs"),
        ("urn:facebook:link", "https://www.facebook.com/app_scoped_user_id/10154312168593959/"),
        (f"{X}givenname", "Joe"),
        (f"{X}surname", "Bloggs"),
        (f"{X}gender", "male"),
        ("urn:facebook:locale", "en_US"),
        ("urn:facebook:timezone", "-7"),
        (f"{X}dateofbirth", "01/31/1990"),
    ],
    "microsoftaccount": [
        (f"{X}nameidentifier", "f5164e2a3258fd41"),
        (f"{X}name", "Joe Bloggs"),
        (f"{X}givenname", "Joe"),
        (f"{X}surname", "Bloggs"),
        ("urn:microsoftaccount:locale", "en_AU"),
        ("urn:microsoftaccount:id", "f5164e2a3258fd41"),
        ("urn:microsoftaccount:name", "Joe Bloggs"),
        (f"{X}emailaddress", "joe@outlook.com"),
    ],
    "github": [
        (f"{X}nameidentifier", "583231"),
        (f"{X}name", "Joe Bloggs"),
        (f"{X}emailaddress", "joe@contoso.com"),
        ("urn:github:login", "jbloggs"),
        ("urn:github:id", "583231"),
        ("urn:github:avatar_url", "https://avatars.githubusercontent.com/u/583231?v=4"),
        ("urn:github:site_admin", "False"),
        ("urn:github:name", "Joe Bloggs"),
        ("urn:github:email", "joe@contoso.com"),
        ("urn:github:plan", '{"name":"pro","space":976562499}'),
    ],
    "apple": [
        ("iss", "https://appleid.apple.com"),
        ("aud", "com.contoso.web"),
        ("exp", "1625143900"),
        ("iat", "1625140000"),
        (f"{X}nameidentifier", "001999.0123456789abcdef0123456789abcdef.1234"),
        (f"{X}emailaddress", "joe@privaterelay.appleid.com"),
        ("email_verified", "true"),
        ("is_private_email", "true"),
        ("auth_time", "1625140000"),
    ],
    "contoso": [
        ("iss", "https://id.contoso.com"),
        (f"{X}nameidentifier", "248289761001"),
        ("aud", "s6BhdRkqt3"),
        ("aud", "other"),
        ("azp", "s6BhdRkqt3"),
        ("exp", "1625143900"),
        ("iat", "1625140000"),
        ("preferred_username", "joe"),
        (f"{X}emailaddress", "joe@contoso.com"),
        ("address", '{"country":"NO","city":"Ålesund"}'),
    ],
}
"""What the raw claims of `RAW_NOW` become; google's and twitter's are those of the published examples."""

WHO_NOW: dict[str, tuple[str, str, str]] = {
    "aad": ("80393c62-a29b-4182-8725-cc802b590d73", "jbloggs00@contoso.com", f"{X}emailaddress"),
    "google": ("115003833514858822132", "jbloggs00@gmail.com", f"{X}emailaddress"),
    "github": ("583231", "Joe Bloggs", f"{X}name"),
    "facebook": ("10154312468591959", "jbloggs00@gmail.com", f"{X}emailaddress"),
    "twitter": ("28739128", "jbloggs00", f"{X}upn"),
    "microsoftaccount": ("f5164e2a3258fd41", "joe@outlook.com", f"{X}emailaddress"),
    "apple": ("001999.0123456789abcdef0123456789abcdef.1234", "joe@privaterelay.appleid.com", f"{X}name"),
    "contoso": ("248289761001", "joe", "preferred_username"),
}
"""Principal id, `user_id`, `name_typ`."""

ACCESS, EXPIRY, ID, REFRESH = "ACCESS-TOKEN", "EXPIRES-ON", "ID-TOKEN", "REFRESH-TOKEN"
TOKEN_HEADERS: dict[str, tuple[str, ...]] = {
    "aad": (ID, ACCESS, EXPIRY, REFRESH),
    "google": (ID, ACCESS, EXPIRY, REFRESH),
    "github": (ACCESS, EXPIRY),
    "facebook": (ACCESS, EXPIRY),
    "twitter": (ACCESS, "ACCESS-TOKEN-SECRET"),
    "microsoftaccount": (ACCESS, EXPIRY, "AUTHENTICATION-TOKEN", REFRESH),
    "apple": (ID, ACCESS, EXPIRY),
    "contoso": (ID, ACCESS, EXPIRY, REFRESH),
}


def tokens_like(body: dict[str, Any]) -> ProviderTokens:
    """Give tokens with the values that stand in a published body."""
    members = {name: body[name] for name in ProviderTokens.__struct_fields__ if name in body}
    if "expires_on" in members:
        seconds, fraction = EXPIRES[body["provider_name"]]
        members["expires_on"] = int(f"{seconds}{fraction}")
    return ProviderTokens(**members)


def all_tokens() -> ProviderTokens:
    """Give one of every kind of token."""
    kinds = (name for name in ProviderTokens.__struct_fields__ if name != "expires_on")
    return ProviderTokens(expires_on=16251439009638246, **{kind: f"<{kind}>" for kind in kinds})


@pytest.mark.parametrize("example", PUBLISHED, ids=lambda example: example["provider_name"])
def test_bodies_of_2016(example: dict[str, Any]) -> None:
    """Raw claims with the published values give the published body: members, their order, types, values, user_id."""
    name, expected = example["provider_name"], copy.deepcopy(example)
    if name == "microsoftaccount":  # made anonymous by hand: there the two claims of the one field `id` differ
        expected["user_claims"][5]["val"] = expected["user_claims"][0]["val"]
    identity = make_identity(name, SPECS[name], RAW_2016[name], tokens_like(example), legacy=True, profile="2016")
    written = msgspec.json.encode(me_entry(identity, profile="2016", refreshed=False, redact=False))
    assert written == msgspec.json.encode(expected)


@pytest.mark.parametrize("name", SPECS)
def test_bodies_of_today(name: str) -> None:
    """Every provider's `/.auth/me` element in the profile `current`, whole."""
    identity = make_identity(name, SPECS[name], RAW_NOW[name], all_tokens(), legacy=True, profile="current")
    expected = {
        "access_token": "<access_token>",
        "access_token_secret": "<access_token_secret>",
        "authentication_token": "<authentication_token>",
        "expires_on": "2021-07-01T12:51:40.9638246Z",
        "id_token": "<id_token>",
        "provider_name": name,
        "refresh_token": "<refresh_token>",
        "user_claims": [{"typ": typ, "val": val} for typ, val in claims_now(name)],
        "user_id": WHO_NOW[name][1],
    }
    written = msgspec.json.encode(me_entry(identity, profile="current", refreshed=False, redact=False))
    assert written == msgspec.json.encode(expected)


@pytest.mark.parametrize("name", SPECS)
def test_headers_of_today(name: str) -> None:
    """Every provider's headers, whole and in order."""
    identity = make_identity(name, SPECS[name], RAW_NOW[name], all_tokens(), legacy=True, profile="current")
    principal = principal_of(identity, token_kinds=SPECS[name].tokens, with_tokens=True, with_refresh_token=True)
    principal_id, user_id, name_typ = WHO_NOW[name]
    payload = {
        "auth_typ": name,
        "claims": [{"typ": typ, "val": val} for typ, val in claims_now(name)],
        "name_typ": name_typ,
        "role_typ": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    }
    values = {"EXPIRES-ON": "2021-07-01T12:51:40.9638246Z"}
    assert principal.headers == (
        (b"X-MS-CLIENT-PRINCIPAL", base64.b64encode(msgspec.json.encode(payload))),
        (b"X-MS-CLIENT-PRINCIPAL-ID", principal_id.encode()),
        (b"X-MS-CLIENT-PRINCIPAL-NAME", user_id.encode()),
        (b"X-MS-CLIENT-PRINCIPAL-IDP", name.encode()),
        *(
            (
                f"X-MS-TOKEN-{name.upper()}-{kind}".encode(),
                values.get(kind, f"<{kind.lower().replace('-', '_')}>").encode(),
            )
            for kind in TOKEN_HEADERS[name]
        ),
    )


def claims_now(name: str) -> list[tuple[str, str]]:
    """Give the claims that `RAW_NOW` becomes."""
    if name in CLAIMS_NOW:
        return CLAIMS_NOW[name]
    example = next(example for example in PUBLISHED if example["provider_name"] == name)
    return [(claim["typ"], claim["val"]) for claim in example["user_claims"]]
