"""How raw claims become `user_claims`: two maps for tokens, rules for profiles (easy-auth reference 4.4 to 4.7).

Owns the names. App Service took them from .NET's inbound table; the legacy map, its default, is the part of it that
samples prove, and the modern map is all of it. What stands in no map keeps its short name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, cast

from doorward.base.frozen import frozen
from doorward.identity.claims import (
    DATE_OF_BIRTH,
    EMAIL,
    GENDER,
    GIVEN_NAME,
    IDENTITY_PROVIDER,
    IN_PROFILES,
    NAME,
    NAMEIDENTIFIER,
    OBJECT_ID,
    ROLE,
    SURNAME,
    TENANT_ID,
    UPN,
    WEB_PAGE,
    Claim,
    printed,
)

Raw: TypeAlias = Mapping[str, object]
MapClaims: TypeAlias = Callable[[Raw, bool], tuple[Claim, ...]]

_SOAP = "http://schemas.xmlsoap.org"
_SOAP_2005 = f"{_SOAP}/ws/2005/05/identity/claims"
_MICROSOFT = "http://schemas.microsoft.com"
_WS_2008 = f"{_MICROSOFT}/ws/2008/06/identity/claims"
_REQUEST = f"{_MICROSOFT}/2012/01/requestcontext/claims"
_DEVICE = f"{_MICROSOFT}/2012/01/devicecontext/claims"
_CERTIFICATE = f"{_MICROSOFT}/2012/12/certificatecontext"

LEGACY: Mapping[str, str] = {
    "acr": f"{_MICROSOFT}/claims/authnclassreference",
    "amr": f"{_MICROSOFT}/claims/authnmethodsreferences",
    "birthdate": DATE_OF_BIRTH,
    "email": EMAIL,
    "family_name": SURNAME,
    "gender": GENDER,
    "given_name": GIVEN_NAME,
    "idp": IDENTITY_PROVIDER,
    "nameid": NAMEIDENTIFIER,
    "oid": OBJECT_ID,
    "scp": f"{_MICROSOFT}/identity/claims/scope",
    "sub": NAMEIDENTIFIER,
    "tid": TENANT_ID,
    "unique_name": NAME,
    "upn": UPN,
    "website": WEB_PAGE,
}
"""The default map: `roles` and `groups` keep their short names (reference 4.6)."""

MODERN: Mapping[str, str] = {
    **LEGACY,
    "actort": f"{_SOAP}/ws/2009/09/identity/claims/actor",
    "adfs1email": f"{_SOAP}/claims/EmailAddress",
    "adfs1upn": f"{_SOAP}/claims/UPN",
    "authmethod": f"{_WS_2008}/authenticationmethod",
    "certapppolicy": f"{_CERTIFICATE}/extension/applicationpolicy",
    "certauthoritykeyidentifier": f"{_CERTIFICATE}/extension/authoritykeyidentifier",
    "certbasicconstraints": f"{_CERTIFICATE}/extension/basicconstraints",
    "certeku": f"{_CERTIFICATE}/extension/eku",
    "certissuer": f"{_CERTIFICATE}/field/issuer",
    "certissuername": f"{_CERTIFICATE}/field/issuername",
    "certkeyusage": f"{_CERTIFICATE}/extension/keyusage",
    "certnotafter": f"{_CERTIFICATE}/field/notafter",
    "certnotbefore": f"{_CERTIFICATE}/field/notbefore",
    "certpolicy": f"{_CERTIFICATE}/extension/certificatepolicy",
    "certpublickey": f"{_SOAP_2005}/rsa",
    "certrawdata": f"{_CERTIFICATE}/field/rawdata",
    "certserialnumber": f"{_WS_2008}/serialnumber",
    "certsignaturealgorithm": f"{_CERTIFICATE}/field/signaturealgorithm",
    "certsubject": f"{_CERTIFICATE}/field/subject",
    "certsubjectaltname": f"{_CERTIFICATE}/extension/san",
    "certsubjectkeyidentifier": f"{_CERTIFICATE}/extension/subjectkeyidentifier",
    "certsubjectname": f"{_CERTIFICATE}/field/subjectname",
    "certtemplateinformation": f"{_CERTIFICATE}/extension/certificatetemplateinformation",
    "certtemplatename": f"{_CERTIFICATE}/extension/certificatetemplatename",
    "certthumbprint": f"{_SOAP_2005}/thumbprint",
    "certx509version": f"{_CERTIFICATE}/field/x509version",
    "clientapplication": f"{_REQUEST}/x-ms-client-application",
    "clientip": f"{_REQUEST}/x-ms-client-ip",
    "clientuseragent": f"{_REQUEST}/x-ms-client-user-agent",
    "commonname": f"{_SOAP}/claims/CommonName",
    "denyonlyprimarygroupsid": f"{_WS_2008}/denyonlyprimarygroupsid",
    "denyonlyprimarysid": f"{_WS_2008}/denyonlyprimarysid",
    "denyonlysid": f"{_SOAP_2005}/denyonlysid",
    "devicedispname": f"{_DEVICE}/displayname",
    "deviceid": f"{_DEVICE}/identifier",
    "deviceismanaged": f"{_DEVICE}/ismanaged",
    "deviceostype": f"{_DEVICE}/ostype",
    "deviceosver": f"{_DEVICE}/osversion",
    "deviceowner": f"{_DEVICE}/userowner",
    "deviceregid": f"{_DEVICE}/registrationid",
    "endpointpath": f"{_REQUEST}/x-ms-endpoint-absolute-path",
    "forwardedclientip": f"{_REQUEST}/x-ms-forwarded-client-ip",
    "group": f"{_SOAP}/claims/Group",
    "groupsid": f"{_WS_2008}/groupsid",
    "insidecorporatenetwork": f"{_MICROSOFT}/ws/2012/01/insidecorporatenetwork",
    "isregistereduser": f"{_DEVICE}/isregistereduser",
    "ppid": f"{_SOAP_2005}/privatepersonalidentifier",
    "primarygroupsid": f"{_WS_2008}/primarygroupsid",
    "primarysid": f"{_WS_2008}/primarysid",
    "proxy": f"{_REQUEST}/x-ms-proxy",
    "pwdchgurl": f"{_MICROSOFT}/ws/2012/01/passwordchangeurl",
    "pwdexpdays": f"{_MICROSOFT}/ws/2012/01/passwordexpirationdays",
    "pwdexptime": f"{_MICROSOFT}/ws/2012/01/passwordexpirationtime",
    "relyingpartytrustid": f"{_REQUEST}/relyingpartytrustid",
    "role": ROLE,
    "roles": ROLE,
    "winaccountname": f"{_WS_2008}/windowsaccountname",
}
"""All of .NET's table, for `WEBSITE_AUTH_USE_LEGACY_CLAIMS=false` (reference 4.6)."""


def mapped_name(name: str, *, legacy: bool) -> str:
    """Give the claim type of a token's claim; what is already a type, or is in no map, stays as it is."""
    return (LEGACY if legacy else MODERN).get(name, name)


def map_token(raw: Raw, legacy: bool) -> tuple[Claim, ...]:  # noqa: FBT001 - the signature of every `map_claims`
    """Give the claims of an id_token or access token, in the order in which the provider issued them."""
    names = LEGACY if legacy else MODERN
    return tuple(Claim(names.get(name, name), text) for name, value in raw.items() for text in printed(value))


@frozen(kw_only=False)
class ClaimRule:
    """One row of a profile's table: the field, where a dot leads into an object, and the claim type it becomes."""

    field: str
    typ: str


def map_profile(rules: Sequence[ClaimRule], rest: str = "") -> MapClaims:
    """Give the mapping of a profile: one rule after the other, whatever the order of the fields.

    With `rest` every field of the profile follows under its own name behind that prefix.
    """

    def map_claims(raw: Raw, _legacy: bool) -> tuple[Claim, ...]:  # noqa: FBT001 - the signature of every `map_claims`
        rows = [(rule.typ, _field(raw, rule.field)) for rule in rules]
        if rest:
            rows += [(f"{rest}{name}", value) for name, value in raw.items()]
        return tuple(Claim(typ, text) for typ, value in rows for text in printed(value, IN_PROFILES))

    return map_claims


def _field(raw: Raw, path: str) -> object:
    outer, _, inner = path.partition(".")
    value = raw.get(outer)
    if not inner:
        return value
    return _field(cast("Raw", value), inner) if isinstance(value, dict) else None
