"""Microsoft Entra ID as a provider to sign in with (easy-auth reference 2.2, 4 and 8.2).

Owns which issuers count: those of one tenant, or of every tenant where the registration says `common` or
`organizations`. What the exchange demands of Entra's id_tokens beyond that stands in `aad.py`, and so does the tie
between a key and the tenants that it may speak for.
"""

from collections.abc import Iterable, Mapping

from doorward.base.text import guid
from doorward.identity.claims import EMAIL, NAME, OBJECT_ID, UPN
from doorward.protocol.id_token import IssuerRule, KeyRule, issuer_is
from doorward.protocol.jose import ProviderKey
from doorward.providers.aad import CONSUMER_TENANT, TENANT_MARK, Authority, Signer, may_speak_for
from doorward.providers.spec import Endpoints, ProviderSpec
from doorward.providers.vouching import Raw, addresses, is_true

_ISSUERS_V1 = ("https://sts.windows.net/", "https://sts.chinacloudapi.cn/")
_MANY = frozenset({"common", "organizations", "consumers"})
_KEYS_V1, _KEYS_V2 = "/discovery/keys", "/discovery/v2.0/keys"


def issuers_of(issuer: str, configured: str) -> IssuerRule:
    """Give the rule for the issuer of a discovery document; with `{tenantid}` in it, that of the tenant in `tid`.

    `configured` is the `openIdIssuer` of the registration: `organizations` leaves personal accounts out, and where it
    names one tenant no other counts. Entra writes tenants in lower case; another spelling is another issuer.
    """
    if TENANT_MARK not in issuer:
        return IssuerRule(issuer, lambda claims: issuer_is(issuer).admits(claims) and _agrees(claims, issuer))
    wanted = _tenant_in(configured)
    only_work = "organizations" in configured.lower().split("/")

    def admits(claims: Mapping[str, object]) -> bool:
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or guid(tenant) != tenant or wanted not in (None, tenant):
            return False
        return issuer.replace(TENANT_MARK, tenant) == claims["iss"] and not (only_work and tenant == CONSUMER_TENANT)

    return IssuerRule(f"{issuer} for the tenant in tid", admits)


def _agrees(claims: Mapping[str, object], issuer: str) -> bool:
    """Say whether `tid`, by which tenants are admitted, is that of the issuer; some issuers give no `tid`."""
    return "tid" not in claims or _tenant_in(issuer) in (None, claims["tid"])


def _tenant_in(address: str) -> str | None:
    return next((tenant for segment in address.split("/") if (tenant := guid(segment))), None)


def keys_of(issuer: str, twins: Iterable[ProviderKey] = ()) -> KeyRule:
    """Give the rule for the keys of an issuer: a key that is published for one tenant speaks for no other.

    The keys of version 1.0 say nothing of themselves; `twins` are what version 2.0 publishes under the same `kid`, and
    one that is listed there under a fixed issuer may sign for that tenant only (token-exchange reference 2.3).
    """
    authority = Authority(cloud="", version="2.0", issuer=issuer, keys="", issuer_v2=None, keys_v2=None)
    fixed = {_tenant_in(twin.issuer) for twin in twins if twin.issuer is not None} - {None}

    def may_sign(key: ProviderKey, claims: Mapping[str, object]) -> bool:
        tenant = guid(claims.get("tid")) or ""
        return fixed <= {tenant} and may_speak_for(Signer(authority=authority, key=key, keys_v2=None), tenant)

    return may_sign


def twins_at(issuer: str, keys: str) -> str:
    """Give where version 2.0 publishes the keys of a version 1.0 issuer, empty where there is nothing to be had.

    Only Microsoft's own issuers: a federation server of one's own has keys at the like address, and no version 2.0.
    """
    is_version_1 = issuer.startswith(_ISSUERS_V1) and keys.endswith(_KEYS_V1)
    return f"{keys.removesuffix(_KEYS_V1)}{_KEYS_V2}" if is_version_1 else ""


def vouched_emails(raw: Raw, configured: str) -> tuple[str, ...]:
    """Give the addresses of somebody in a tenant that was chosen, or what Entra itself verified.

    Who has a tenant of their own can write any address into `email` there, and nobody asked us to believe that
    tenant's login names (token-exchange reference 2.9): of many tenants `email` counts only with `xms_edov`. Of a
    chosen tenant, and of the one of personal accounts, whose names Microsoft gives out, the login name counts, and
    `email` unless it is said not to be verified.
    """
    usernames = ("upn", "unique_name") if raw.get("ver") == "1.0" else ("preferred_username",)
    username = next((raw[name] for name in usernames if name in raw), None)
    is_one_tenant = bool(configured) and _MANY.isdisjoint(configured.lower().split("/"))
    email = raw.get("email")
    if not is_one_tenant and guid(raw.get("tid")) != CONSUMER_TENANT:
        return addresses(email) if _is_verified(raw) else ()
    is_denied = ("xms_edov" in raw and not _is_verified(raw)) or not is_true(raw.get("email_verified", True))
    return addresses(username, None if is_denied else email)


def _is_verified(raw: Raw) -> bool:
    return raw.get("xms_edov") in (True, "1", "true")


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
    issuer_rule=issuers_of,
    key_rule=keys_of,
    twin_keys=twins_at,
    vouched_emails=vouched_emails,
    issuer_from_document=True,  # one document speaks for every tenant, or calls a tenant by its GUID
    tokens=("id_token", "access_token", "expires_on", "refresh_token"),
    takes_bearer=True,
    tells_of_sign_outs=True,
    posted=("access_token",),
    posted_beside=("id_token", "refresh_token", "expires_in"),
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
