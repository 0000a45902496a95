"""X, by its old name: OAuth 1.0a and the profile of `verify_credentials` (easy-auth reference 1, 2.3, 4.4 and 4.5)."""

from doorward.identity.claims import NAME, NAMEIDENTIFIER, UPN, WEB_PAGE
from doorward.providers.mapping import ClaimRule, map_profile
from doorward.providers.spec import Endpoints, ProviderSpec
from doorward.providers.vouching import no_email

_OWN = ("description", "location", "time_zone", "lang", "verified", "profile_image_url_https")
_RULES = (
    ClaimRule("id_str", NAMEIDENTIFIER),
    ClaimRule("screen_name", UPN),
    ClaimRule("name", NAME),
    ClaimRule("url", WEB_PAGE),
    *(ClaimRule(field, f"urn:twitter:{field}") for field in _OWN),
)

SPEC = ProviderSpec(
    name="twitter",
    label="X",
    tree_key="twitter",
    kind="oauth1",
    aliases=("x",),
    client_id_key="consumerKey",
    secret_key="consumerSecretSettingName",
    endpoints=Endpoints(
        request_token_endpoint="https://api.twitter.com/oauth/request_token",
        authorization_endpoint="https://api.twitter.com/oauth/authenticate",
        access_token_endpoint="https://api.twitter.com/oauth/access_token",
        userinfo_endpoint="https://api.twitter.com/1.1/account/verify_credentials.json",
    ),
    response_type="",
    map_claims=map_profile(_RULES),
    login_names=((UPN, UPN),),
    name_typ=UPN,
    vouched_emails=no_email,
    subject_field="id_str",
    posted=("access_token", "access_token_secret"),
    tokens=("access_token", "access_token_secret"),
    can_refresh=False,
    signs_out=False,
    id_token_signed=False,
    sample={
        "id": 28739128,
        "id_str": "28739128",
        "name": "Jane Doe",
        "screen_name": "jane",
        "location": "Redmond, WA",
        "description": "My profile description",
        "url": "http://t.co/RiSeRKwm1P",
        "time_zone": "Redmond",
        "verified": False,
        "lang": "en",
        "profile_image_url_https": "https://abs.twimg.com/sticky/default_profile_images/default_profile_4.png",
    },
)
