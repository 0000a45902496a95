"""Who may pass at Entra beyond being signed in: the lists of the auth tree and of `WEBSITE_AUTH_AAD_*` as one `Policy`.

All configured parts must pass, except that `identities` and `groups` of `allowedPrincipals` stand for each other
(easy-auth reference 8.3). Two lists that an application has to stand in become one; if they have nothing in common,
that is an error, since an empty list asks for nothing.
"""

from doorward.base.faults import SETTING_CONFLICT
from doorward.config.tree_keys import Path
from doorward.config.tree_reading import TreeValues
from doorward.config.website_auth import WebsiteAuth
from doorward.identity.policy import Policy


def read_policy(values: TreeValues, above: Path, website: WebsiteAuth) -> Policy:
    """Give the policy of the provider at `above`."""
    claims = (*above, "validation", "jwtClaimChecks")
    default = (*above, "validation", "defaultAuthorizationPolicy")
    principals = (*default, "allowedPrincipals")
    identities = values.texts(*principals, "identities")
    return Policy(
        applications=_applications(values, (*default, "allowedApplications"), (*claims, "allowedClientApplications")),
        groups=values.texts(*principals, "groups"),
        checked_groups=values.texts(*claims, "allowedGroups"),
        identities=tuple(identity.lower() for identity in identities),
        tenants=website.tenants,
        requires_oid=website.requires_oid or bool(identities),
    )


def _applications(values: TreeValues, newer: Path, older: Path) -> tuple[str, ...]:
    """Join two lists about one claim: an application has to stand in both."""
    first, second = values.texts(*newer), values.texts(*older)
    if not first or not second:
        return first or second
    both = tuple(item for item in first if item in second)
    if not both:
        fix = "Write the whole list in allowedApplications."
        values.refuse(SETTING_CONFLICT, older, "and allowedApplications have no application in common", fix)
    return both
