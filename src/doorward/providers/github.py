"""GitHub: OAuth 2 and the profile of `/user` (easy-auth reference 2.3, 4.4 and 4.5)."""

from doorward.identity.claims import EMAIL, NAME, NAMEIDENTIFIER
from doorward.providers.mapping import ClaimRule, map_profile
from doorward.providers.spec import Endpoints, ProviderSpec
from doorward.providers.vouching import profile_email

_RULES = (ClaimRule("id", NAMEIDENTIFIER), ClaimRule("name", NAME), ClaimRule("email", EMAIL))

SPEC = ProviderSpec(
    name="github",
    label="GitHub",
    tree_key="gitHub",
    kind="oauth2",
    endpoints=Endpoints(
        authorization_endpoint="https://github.com/login/oauth/authorize",
        token_endpoint="https://github.com/login/oauth/access_token",
        userinfo_endpoint="https://api.github.com/user",
        token_info_endpoint="https://api.github.com/applications/{client_id}/token",
    ),
    response_type="",
    parameter_order=("client_id", "redirect_uri", "state"),
    forwarded_parameters=("login_hint", "prompt", "domain_hint", "scope", "resource", "response_type"),
    map_claims=map_profile(_RULES, rest="urn:github:"),
    login_names=((NAME, NAME), ("urn:github:login", NAME)),
    vouched_emails=profile_email,
    subject_field="id",
    posted=("access_token",),
    token_info="check_token",
    tokens=("access_token", "expires_on"),
    signs_out=False,
    id_token_signed=False,
    sample={
        "login": "jane",
        "id": 583231,
        "node_id": "MDQ6VXNlcjU4MzIzMQ==",
        "avatar_url": "https://avatars.githubusercontent.com/u/583231?v=4",
        "html_url": "https://github.com/jane",
        "type": "User",
        "site_admin": False,
        "name": "Jane Doe",
        "company": None,
        "location": "Redmond, WA",
        "email": "jane@contoso.com",
        "public_repos": 8,
        "created_at": "2011-01-25T18:44:36Z",
    },
)
