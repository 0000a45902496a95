"""Microsoft Entra ID as a provider to sign in with (easy-auth reference 2.2, 4 and 8.2)."""

from doorward.identity.claims import EMAIL, NAME, OBJECT_ID, UPN
from doorward.providers.spec import Endpoints, ProviderSpec

SPEC = ProviderSpec(
    name="aad",
    label="Microsoft",
    tree_key="azureActiveDirectory",
    kind="oidc",
    other_names=("azureactivedirectory",),
    endpoints=Endpoints(),  # everything follows from the openIdIssuer of the registration
    default_scopes=("openid", "profile", "email"),
    response_type="code id_token",
    response_type_without_secret="id_token",
    response_mode="form_post",
    nonce_in_state=False,
    forwarded_parameters=("login_hint", "prompt", "domain_hint", "scope", "resource", "response_type"),
    login_names=((UPN, UPN), (EMAIL, EMAIL), ("preferred_username", NAME), (NAME, NAME), (OBJECT_ID, NAME)),
    principal_field="oid",
    tokens=("id_token", "access_token", "expires_on", "refresh_token"),
    takes_bearer=True,
    sample={
        "aud": "11111111-aaaa-4aaa-8aaa-000000000001",
        "iss": "https://login.microsoftonline.com/11111111-2222-4333-8444-5555aaaabbbb/v2.0",
        "iat": 1800000000,
        "nbf": 1800000000,
        "exp": 1800003900,
        "aio": "ATQAy/8RAAAA",
        "c_hash": "iUK6JzrKzRWhbkGDQS5SEA",
        "email": "jane@contoso.com",
        "name": "Jane Doe",
        "nonce": "3ca45c180c4145a2b9fc4353ca0cb959_20270115080500",
        "oid": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
        "preferred_username": "jane@contoso.com",
        "rh": "0.AAAA",
        "roles": ["Reader", "Writer"],
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        "tid": "11111111-2222-4333-8444-5555aaaabbbb",
        "uti": "ZFJrm1AnN0",
        "ver": "2.0",
    },
)
