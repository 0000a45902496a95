"""The rows of the catalogue that a client can meet in front of the application, at every door.

Statuses are contract (easy-auth reference 8.3, 8.6, 10; interface sections 6 and 7); codes and messages are ours.
"""

from doorward.base.errors import ErrorRow, Level, enter


def _row(code: str, status: int, message: str, cause: str, fix: str, level: Level = "info") -> ErrorRow:
    return enter(ErrorRow(code=code, status=status, message=message, cause=cause, fix=fix, level=level))


# --- the request itself ------------------------------------------------------------------------------------------

MALFORMED_ADDRESS = _row(
    "malformed_address",
    400,
    "Malformed address",
    "The path holds a control character, as it is or percent-encoded.",
    "Leave the character out; in a query it may stand percent-encoded.",
)
CROSS_SITE_REQUEST = _row(
    "cross_site_request",
    403,
    "The request came from another site",
    "A browser sent a request that may change something, with the session cookie and without an Origin or Referer of "
    "this site or of a host in login.allowedExternalRedirectUrls (403.60). A page with Referrer-Policy: no-referrer "
    "loses its own forms in this way.",
    "Send it from a page of this site, list the other site in login.allowedExternalRedirectUrls, or use a bearer.",
)

# --- the unauthenticated action ----------------------------------------------------------------------------------

ACCESS_FORBIDDEN = _row(
    "access_forbidden",
    403,
    "You may not open this page",
    "Nobody is signed in, and globalValidation.unauthenticatedClientAction is Return403.",
    "Sign in at /.auth/login first, or list the path in globalValidation.excludedPaths.",
)

# --- authorization policies --------------------------------------------------------------------------------------

APPLICATION_NOT_ADMITTED = _row(
    "application_not_admitted",
    403,
    "This application is not admitted",
    "The token's azp (v1.0: appid) is not among allowedApplications or allowedClientApplications. An id_token has "
    "neither claim.",
    "Add the calling application's client id to validation.defaultAuthorizationPolicy.allowedApplications.",
)
PRINCIPAL_NOT_ADMITTED = _row(
    "principal_not_admitted",
    403,
    "This account is not admitted",
    "The token's oid is not among allowedPrincipals.identities and none of its groups among allowedPrincipals.groups "
    "(or jwtClaimChecks.allowedGroups). A member of very many groups has no groups in the token.",
    "Add the object id or a group. For people of very many groups, have the application registration send only the "
    "groups that are assigned to the application.",
)
TENANT_NOT_ADMITTED = _row(
    "tenant_not_admitted",
    403,
    "This organization is not admitted",
    "The token's tid is not among the tenants of WEBSITE_AUTH_AAD_ALLOWED_TENANTS.",
    "Add the tenant id, separated by a comma.",
)
OBJECT_ID_REQUIRED = _row(
    "object_id_required",
    403,
    "The caller has no object id",
    "The token has no oid, which WEBSITE_AUTH_AAD_REQUIRE_CLIENT_SERVICE_PRINCIPAL or allowedPrincipals.identities "
    "asks for.",
    "Create a service principal for the calling application in the tenant.",
)
PERSON_NOT_ADMITTED = _row(
    "person_not_admitted",
    403,
    "You are not admitted to this application",
    "None of easyauth.allowed_emails, allowed_domains and allowed_users names the person, or the provider does not "
    "vouch for the e-mail address that they name.",
    "Add the address, its domain, or PROVIDER:NAMEIDENTIFIER, which the log line of this refusal names.",
)

# --- forward-auth ------------------------------------------------------------------------------------------------

CHECK_FROM_STRANGER = _row(
    "check_from_stranger",
    403,
    "This address is for reverse proxies",
    "/.auth/check was called from an address that is not in server.trusted_proxies.",
    "List the proxy's address in server.trusted_proxies.",
    "warning",
)
CHECK_INCOMPLETE = _row(
    "check_incomplete",
    403,
    "The original request is not known",
    "/.auth/check was called without the method or the address of the original request, with headers that contradict "
    "each other, or with values that no request has.",
    "Have the proxy send X-Original-Method and X-Original-URL, or X-Forwarded-Method and X-Forwarded-Uri, and never "
    "both. The files below deploy/ show how.",
    "warning",
)

# --- the application behind us -----------------------------------------------------------------------------------

APP_UNREACHABLE = _row(
    "app_unreachable",
    502,
    "The application does not answer",
    "No connection to any address in app.upstream could be opened, or the application closed it without an answer.",
    "See whether the application runs and listens at app.upstream; the log line of this request has the reason.",
    "warning",
)
APP_ANSWER_UNREADABLE = _row(
    "app_answer_unreadable",
    502,
    "The application's answer cannot be read",
    "What the application sent is no HTTP/1.1 answer, or could be read in two ways.",
    "See that app.upstream speaks plain HTTP/1.1, and that its answers have one Content-Length or are chunked.",
    "warning",
)
APP_TIMEOUT = _row(
    "app_timeout",
    504,
    "The application takes too long",
    "The application did not begin its answer within app.response_timeout.",
    "See what the application does for this request, or raise app.response_timeout.",
    "warning",
)
