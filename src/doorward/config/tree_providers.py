"""The providers of the auth tree: each registration that is there becomes a `ProviderPlan`, or a finding says why not.

A provider without anything in its registration is not registered, as in the trees that App Service prints. Secrets are
app settings (easy-auth reference 9): the tree names a variable, here it is read, and nothing of it is ever shown.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import field, replace

from doorward import providers
from doorward.base.faults import SETTING_INVALID, SETTING_MISSING, SETTING_WITHOUT_EFFECT
from doorward.base.frozen import frozen
from doorward.base.secret import Secret
from doorward.config.auth_plan import ProviderPlan
from doorward.config.sections_easyauth import ProviderSettings
from doorward.config.tree_endpoints import discovery_of, entra_endpoints, lay_over, with_graph_version
from doorward.config.tree_keys import CUSTOM, PROVIDERS, Path
from doorward.config.tree_policy import read_policy
from doorward.config.tree_reading import TreeValues
from doorward.config.website_auth import WebsiteAuth, lookup
from doorward.providers.spec import Endpoints, ProviderSpec

ENTRA = "azureActiveDirectory"
MANAGED_IDENTITY = "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"
_CONFIGURATION = ("registration", "openIdConnectConfiguration")
_ADDRESSES = {
    "issuer": "issuer",
    "authorization_endpoint": "authorizationEndpoint",
    "token_endpoint": "tokenEndpoint",
    "jwks_uri": "certificationUri",
}
_NAME = re.compile(r"(?=.{1,128}\Z)(?:[A-Za-z]{1,24}|[A-Za-z0-9]{1,24}(?:[_.][A-Za-z0-9]{0,24})+)")
_WELL_KNOWN = "wellKnownOpenIdConfiguration"


@frozen
class Surroundings:
    """What a provider's plan depends on beside the tree; `written` are the `[providers.NAME]` tables, in lower case."""

    environment: Mapping[str, str] = field(repr=False)
    website: WebsiteAuth
    written: Mapping[str, ProviderSettings]

    def table(self, *names: str) -> ProviderSettings | None:
        """Give the first `[providers.NAME]` table that is there."""
        return next((self.written[name.lower()] for name in names if name.lower() in self.written), None)


def plan_providers(values: TreeValues, around: Surroundings) -> dict[str, ProviderPlan]:
    """Give every provider that people may sign in with, by its name, in the order of the tree."""
    specs = {spec.tree_key: spec for spec in providers.ALL.values()}
    plans: dict[str, ProviderPlan] = {}
    for key in values.names(PROVIDERS):
        if key in specs:
            built = _built_in(values, (PROVIDERS, key), specs[key], around)
            plans |= {built.name: built} if built else {}
        elif key == CUSTOM:
            plans |= {plan.name: plan for plan in _custom_providers(values, around)}
    return plans


def _is_registered(values: TreeValues, above: Path, client_id: str) -> bool:
    """Say whether a provider takes part: enabled, with a client id, and not an empty shell."""
    said = any(path[: len(above)] == above and path[-1] != "enabled" and found.value not in ("", (), False, None)
               for path, found in values.found.items())  # fmt: skip
    if not said or not values.flag(*above, "enabled"):
        return False
    if client_id:
        return True
    fix = "Write the id that the provider gave the application, or remove the rest."
    values.refuse(SETTING_MISSING, above, "has no client id in its registration", fix)
    return False


# --- built-in providers ------------------------------------------------------------------------------------------


def _built_in(values: TreeValues, above: Path, spec: ProviderSpec, around: Surroundings) -> ProviderPlan | None:
    client_id = values.text(*above, "registration", spec.client_id_key).strip()
    if not _is_registered(values, above, client_id):
        return None
    written = around.table(spec.name, *spec.aliases)
    secret_path = (*above, "registration", spec.secret_key)
    secret = _secret(values, secret_path, around)
    if not secret and not _has_key(spec, written) and not spec.response_type_without_secret:
        _need_secret(values, secret_path)
    plan = ProviderPlan(
        name=spec.name,
        spec=spec,
        client_id=client_id,
        client_secret=secret,
        endpoints=lay_over(_endpoints(values, above, spec, written), written, spec.kind),
        scopes=values.texts(*above, "login", "scopes"),
        login_parameters=values.pairs(*above, "login", "loginParameters"),
        audiences=values.texts(*above, "validation", "allowedAudiences"),
        sends_challenge=not values.flag(*above, "login", "disableWWWAuthenticate"),
    )
    if written is not None:
        plan = _with_files(plan, written)
    if spec.tree_key != ENTRA:
        return plan
    _report_certificate(values, above, plan)
    return replace(plan, policy=read_policy(values, above, around.website))


def _endpoints(values: TreeValues, above: Path, spec: ProviderSpec, written: ProviderSettings | None) -> Endpoints:
    if spec.tree_key != ENTRA:
        return with_graph_version(spec.endpoints, values.text(*above, "graphApiVersion"))
    issuer = values.text(*above, "registration", "openIdIssuer")
    if not issuer and not (written and written.issuer):
        path = (*above, "registration", "openIdIssuer")
        fix = "Write https://login.microsoftonline.com/TENANT/v2.0 with your tenant's id."
        values.refuse(SETTING_MISSING, path, "is missing: nothing else says whose people may sign in", fix)
    return entra_endpoints(issuer) if issuer else spec.endpoints


def _has_key(spec: ProviderSpec, written: ProviderSettings | None) -> bool:
    """Say whether Entra's certificate, or Apple's key, stands in place of the secret."""
    if written is None:
        return False
    return bool({"aad": written.client_certificate_file, "apple": written.private_key_file}.get(spec.name))


def _with_files(plan: ProviderPlan, written: ProviderSettings) -> ProviderPlan:
    """Add the certificate, or Apple's key, that stands in place of the secret."""
    return replace(
        plan,
        certificate_file=written.client_certificate_file,
        key_file=written.client_key_file,
        team_id=written.team_id,
        key_id=written.key_id,
        private_key_file=written.private_key_file,
    )


def _report_certificate(values: TreeValues, above: Path, plan: ProviderPlan) -> None:
    """Report a certificate that the tree asks for, where no file with one was named."""
    for key in ("Thumbprint", "SubjectAlternativeName", "Issuer"):
        path = (*above, "registration", f"clientSecretCertificate{key}")
        if values.text(*path) and not plan.certificate_file:
            fix = "Set client_certificate_file and client_key_file in [providers.aad]."
            values.warn(SETTING_WITHOUT_EFFECT, path, "names a certificate of App Service, which is not here", fix)


# --- secrets -----------------------------------------------------------------------------------------------------


def _secret(values: TreeValues, path: Path, around: Surroundings) -> Secret:
    """Read the secret that the tree names; a variable that is named and unset is an error."""
    name = values.text(*path)
    if not name:
        return Secret("")
    if name == MANAGED_IDENTITY and ENTRA in path:
        fix = "Name a variable with a client secret, or set client_certificate_file in [providers.aad]."
        values.warn(SETTING_WITHOUT_EFFECT, path, "asks for a managed identity, which exists in Azure alone", fix)
        return Secret("")
    found = lookup(around.environment, name)
    if found is None:
        shown = name if is_like_a_name(name) else "a variable"
        fix = "Set the variable to the secret; the tree itself never holds one."
        values.refuse(SETTING_MISSING, path, f"names {shown}, which is not set in the environment", fix)
        return Secret("")
    return Secret(found[0])


def is_like_a_name(text: str) -> bool:
    """Say whether a text is a variable's name by its looks, and not a secret that was pasted in place of one."""
    return _NAME.fullmatch(text) is not None


def _need_secret(values: TreeValues, path: Path) -> None:
    if not values.text(*path):
        fix = "Name the variable that holds the secret."
        values.refuse(SETTING_MISSING, path, "is missing: this provider signs nobody in without a secret", fix)


# --- custom providers --------------------------------------------------------------------------------------------


def _custom_providers(values: TreeValues, around: Surroundings) -> Iterator[ProviderPlan]:
    seen: dict[str, str] = {}
    for name in values.names(PROVIDERS, CUSTOM):
        above = (PROVIDERS, CUSTOM, name)
        client_id = values.text(*above, "registration", "clientId").strip()
        if not _is_registered(values, above, client_id):
            continue
        try:
            spec = providers.custom(name, values.text(*above, "login", "nameClaimType"))
        except ValueError as refusal:
            _refuse_name(values, above, f"{refusal}")
            continue
        if name.lower() in seen:
            _refuse_name(values, above, f"{seen[name.lower()]} differs in case alone")
            continue
        seen[name.lower()] = name
        yield _custom(values, above, spec, around)


def _refuse_name(values: TreeValues, above: Path, reason: str) -> None:
    fix = "Give it another name, of letters, digits and underscores."
    values.refuse(SETTING_INVALID, above, f"has a name that a provider cannot have: {reason}", fix)


def _custom(values: TreeValues, above: Path, spec: ProviderSpec, around: Surroundings) -> ProviderPlan:
    written = around.table(spec.name)
    secret_path = (*above, "registration", "clientCredential", "clientSecretSettingName")
    secret = _secret(values, secret_path, around)
    if not secret and not spec.response_type_without_secret:
        _need_secret(values, secret_path)
    texts = [*values.texts(*above, "login", "loginParameterNames"), *values.texts(*above, "login", "loginParameters")]
    pairs = dict(text.split("=", 1) for text in texts if "=" in text)
    names = [text for text in texts if "=" not in text]
    return ProviderPlan(
        name=spec.name,
        spec=replace(spec, forwarded_parameters=tuple(dict.fromkeys((*spec.forwarded_parameters, *names)))),
        client_id=values.text(*above, "registration", "clientId").strip(),
        client_secret=secret,
        endpoints=lay_over(_custom_endpoints(values, above, written), written, spec.kind),
        scopes=values.texts(*above, "login", "scopes"),
        login_parameters=tuple(pairs.items()),
        name_claim_type=values.text(*above, "login", "nameClaimType"),
    )


def _custom_endpoints(values: TreeValues, above: Path, written: ProviderSettings | None) -> Endpoints:
    configuration = (*above, *_CONFIGURATION)
    given = {field: values.text(*configuration, key) for field, key in _ADDRESSES.items()}
    document = values.text(*configuration, _WELL_KNOWN)
    if document:
        for key in _ADDRESSES.values():
            if values.text(*configuration, key):
                what = f"has no effect beside {_WELL_KNOWN}"
                values.warn(SETTING_WITHOUT_EFFECT, (*configuration, key), what, "Remove one of the two.")
        return Endpoints(discovery=document)
    if given["issuer"]:
        return Endpoints(**given, discovery=discovery_of(given["issuer"]))
    if not (written and written.issuer):
        fix = f"Write {_WELL_KNOWN}, the address of the provider's discovery document."
        values.refuse(SETTING_MISSING, configuration, f"names neither {_WELL_KNOWN} nor an issuer", fix)
    return Endpoints(**given)
