"""Facebook: OAuth 2 and the profile of Graph's `/me` (easy-auth reference 2.3, 4.4 and 4.5)."""

from doorward.identity.claims import DATE_OF_BIRTH, EMAIL, GENDER, GIVEN_NAME, NAME, NAMEIDENTIFIER, SURNAME
from doorward.providers.mapping import ClaimRule, map_profile
from doorward.providers.spec import Endpoints, ProviderSpec
from doorward.providers.vouching import profile_email

_RULES = (
    ClaimRule("id", NAMEIDENTIFIER),
    ClaimRule("email", EMAIL),
    ClaimRule("name", NAME),
    ClaimRule("link", "urn:facebook:link"),
    ClaimRule("first_name", GIVEN_NAME),
    ClaimRule("last_name", SURNAME),
    ClaimRule("gender", GENDER),
    ClaimRule("locale", "urn:facebook:locale"),
    ClaimRule("timezone", "urn:facebook:timezone"),
    ClaimRule("birthday", DATE_OF_BIRTH),
)

SPEC = ProviderSpec(
    name="facebook",
    label="Facebook",
    tree_key="facebook",
    kind="oauth2",
    client_id_key="appId",
    secret_key="appSecretSettingName",
    endpoints=Endpoints(
        authorization_endpoint="https://www.facebook.com/dialog/oauth",
        token_endpoint="https://graph.facebook.com/oauth/access_token",
        userinfo_endpoint="https://graph.facebook.com/me",
        token_info_endpoint="https://graph.facebook.com/debug_token",
    ),
    forwarded_parameters=("login_hint", "prompt", "domain_hint", "scope", "resource", "response_type"),
    profile_parameters={"fields": "id,name,email,link,first_name,last_name,gender,locale,timezone,birthday"},
    secret_proof="appsecret_proof",
    long_lived_grant="fb_exchange_token",
    map_claims=map_profile(_RULES),
    login_names=((EMAIL, EMAIL), (NAME, NAME)),
    login_names_2016=((NAME, NAME),),
    vouched_emails=profile_email,
    subject_field="id",
    posted=("access_token",),
    token_info="debug_token",
    tokens=("access_token", "expires_on"),
    can_refresh=False,
    signs_out=False,
    id_token_signed=False,
    sample={
        "id": "10154312468591959",
        "name": "Jane Doe",
        "email": "jane@contoso.com",
        "link": "https://www.facebook.com/app_scoped_user_id/10154312468591959/",
        "first_name": "Jane",
        "last_name": "Doe",
        "gender": "female",
        "locale": "en_US",
        "timezone": -7,
        "birthday": "01/31/1990",
    },
)
