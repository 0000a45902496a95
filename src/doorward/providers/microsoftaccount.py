"""Microsoft account by the Live protocol: OAuth 2 and the Live profile (easy-auth reference 2.3, 4.4, 4.5 and 4.8)."""

from typing import cast

from doorward.identity.claims import EMAIL, GIVEN_NAME, NAME, NAMEIDENTIFIER, SURNAME
from doorward.providers.mapping import ClaimRule, map_profile
from doorward.providers.spec import Endpoints, ProviderSpec
from doorward.providers.vouching import Raw, addresses

_RULES = (
    ClaimRule("id", NAMEIDENTIFIER),
    ClaimRule("name", NAME),
    ClaimRule("first_name", GIVEN_NAME),
    ClaimRule("last_name", SURNAME),
    ClaimRule("locale", "urn:microsoftaccount:locale"),
    ClaimRule("id", "urn:microsoftaccount:id"),
    ClaimRule("name", "urn:microsoftaccount:name"),
    ClaimRule("emails.preferred", EMAIL),  # what the person chose among those of the object `emails`
)


def account_email(raw: Raw, _issuer: str) -> tuple[str, ...]:
    """Give the address that the person signs in with; the preferred one may be any that was entered."""
    emails = raw.get("emails")
    return addresses(cast("Raw", emails).get("account")) if isinstance(emails, dict) else ()


SPEC = ProviderSpec(
    name="microsoftaccount",
    label="Microsoft account",
    tree_key="legacyMicrosoftAccount",
    kind="oauth2",
    endpoints=Endpoints(
        authorization_endpoint="https://login.live.com/oauth20_authorize.srf",
        token_endpoint="https://login.live.com/oauth20_token.srf",
        userinfo_endpoint="https://apis.live.net/v5.0/me",
    ),
    default_scopes=("wl.basic",),
    forwarded_parameters=("login_hint", "prompt", "domain_hint", "scope", "resource", "response_type"),
    map_claims=map_profile(_RULES),
    login_names=((EMAIL, EMAIL), (NAME, NAME)),
    vouched_emails=account_email,
    subject_field="id",
    posted=("access_token",),
    posted_instead="authentication_token",
    posted_beside=("expires_in",),
    tokens=("access_token", "expires_on", "authentication_token", "refresh_token"),
    signs_out=False,
    id_token_signed=False,
    sample={
        "id": "f5164e2a3258fd41",
        "name": "Jane Doe",
        "first_name": "Jane",
        "last_name": "Doe",
        "link": "https://profile.live.com/",
        "gender": None,
        "emails": {"preferred": "jane@outlook.com", "account": "jane@outlook.com", "personal": None, "business": None},
        "locale": "en_AU",
        "updated_time": "2016-08-09T01:51:00+0000",
    },
)
