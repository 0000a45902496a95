"""From what a provider said of somebody to an `Identity`: the one way, for every provider and every sign-in.

Owns `user_id`, `name_typ` and the identifiers (easy-auth reference 4.5, 6.1; interface, "`user_id`, NAME, `name_typ`").
Refuses whoever has no identifier, or one that would look like another's when it is shown.
"""

from doorward.identity.claims import Claim, first_value
from doorward.identity.person import Identity, ProviderTokens, one_line
from doorward.protocol.oidc import is_subject
from doorward.providers.mapping import mapped_name
from doorward.providers.spec import LoginName, ProviderSpec, Raw


class NobodyNamed(ValueError):
    """The provider's answer names nobody; the argument says what is wrong, without quoting a value."""


def make_identity(
    name: str, spec: ProviderSpec, raw: Raw, tokens: ProviderTokens, *, legacy: bool, profile: str
) -> Identity:
    """Give the identity that a provider's claims or profile speak of.

    `name` is the provider's alias: `spec.name`, or the name of a custom provider. `raw` are verified claims in issued
    order, or a profile. `legacy` chooses the map; the profile 2016 knows no other. Raises `NobodyNamed`.
    """
    legacy = legacy or profile == "2016"
    claims = spec.map_claims(raw, legacy)
    subject = _identifier(raw, spec.subject_field)
    user_id, name_typ = _login_name(claims, _candidates(spec, legacy=legacy, profile=profile), subject)
    return Identity(
        provider=name,
        user_id=user_id,
        subject=subject,
        principal_id=_identifier(raw, field) if (field := spec.principal_field) and field in raw else subject,
        name_typ=name_typ or _fallback(spec, legacy=legacy),
        claims=claims,
        tokens=tokens,
    )


def _identifier(raw: Raw, field: str) -> str:
    """Read an identifier by its raw name: a claim that only maps to the same type must not take its place.

    One with hidden characters or spaces around could be taken for another's.
    """
    value = raw.get(field)
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not is_subject(text) or text != text.strip():
        raise NobodyNamed(f"{field} is no identifier of 1 to 255 visible characters")
    return text


def _candidates(spec: ProviderSpec, *, legacy: bool, profile: str) -> tuple[LoginName, ...]:
    if spec.name_claim_type:
        typ = mapped_name(spec.name_claim_type, legacy=legacy)
        return ((typ, typ),)
    return spec.login_names_2016 if profile == "2016" and spec.login_names_2016 else spec.login_names


def _login_name(claims: tuple[Claim, ...], candidates: tuple[LoginName, ...], subject: str) -> tuple[str, str]:
    for typ, name_typ in candidates:
        if text := one_line(first_value(claims, typ) or ""):
            return text, name_typ
    return subject, ""


def _fallback(spec: ProviderSpec, *, legacy: bool) -> str:
    return mapped_name(spec.name_claim_type, legacy=legacy) if spec.name_claim_type else spec.name_typ
