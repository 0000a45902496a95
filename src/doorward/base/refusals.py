"""The rows of the catalogue that a client can meet over HTTP.

Messages, codes and statuses are contract: token-exchange reference sections 1.4 to 1.6 and the interface's rulings.
"""

from doorward.base.errors import ErrorRow, Level, enter


def _row(code: str, status: int, message: str, cause: str, fix: str, level: Level = "info") -> ErrorRow:
    return enter(ErrorRow(code=code, status=status, message=message, cause=cause, fix=fix, level=level))


# --- the request itself ------------------------------------------------------------------------------------------

VALIDATION_ERROR = _row(
    "validation_error",
    422,
    "Validation Error",
    "The body is not JSON, its Content-Type is not application/json, or a field is missing or of the wrong type.",
    "Send a JSON object with Content-Type: application/json and every required field; `detail` names each wrong one.",
)
PAYLOAD_TOO_LARGE = _row(
    "payload_too_large",
    413,
    "Request body is too large",
    "The body is longer than token_service.max_body_bytes.",
    "Send only the documented fields. An id_token is 1 to 4 KiB; one with very many groups may need a higher limit.",
)
RATE_LIMITED = _row(
    "rate_limited",
    429,
    "Too many requests",
    "Too many refused exchanges came from this address, or too many exchanges were made for this identity.",
    "Wait as many seconds as Retry-After says. The numbers are settings in [rate_limits].",
)
NOT_FOUND = _row(
    "not_found",
    404,
    "Not Found",
    "No endpoint has this path.",
    "Compare the path with the API description at /auth-service/openapi.json.",
)
METHOD_NOT_ALLOWED = _row(
    "method_not_allowed",
    405,
    "Method Not Allowed",
    "The endpoint exists, but not for this method.",
    "Use a method that the Allow header names.",
)
HTTPS_REQUIRED = _row(
    "https_required",
    403,
    "HTTPS is required",
    "The request came over plain HTTP while the public address is https:, so whatever it carried was readable.",
    "Call the https: address. Behind a proxy that ends TLS, list the proxy in server.trusted_proxies and have it send "
    "X-Forwarded-Proto.",
)
MALFORMED_REQUEST = _row(
    "malformed_request",
    400,
    "Malformed request",
    "The request contradicts itself, for example by carrying two Authorization headers.",
    "Send one credential, once.",
)
INVALID_SUBSCRIPTION_KEY = _row(
    "invalid_subscription_key",
    401,
    "Subscription key is missing or invalid",
    "token_service.subscription_key is set, and the request's Ocp-Apim-Subscription-Key header is absent or different.",
    "Send the header with the key, or leave the setting empty.",
)
STORE_UNAVAILABLE = _row(
    "store_unavailable",
    503,
    "Service is temporarily unavailable",
    "The database cannot be reached, is locked for too long, or its disk is full; nothing was changed.",
    "Look at the log line of this request for the database's own message; the request may be repeated as it is.",
    "error",
)
INTERNAL_ERROR = _row(
    "internal_error",
    500,
    "Internal Server Error",
    "A defect in Doorward.",
    "Report the log line that has this request id.",
    "error",
)
SHUTTING_DOWN = _row(
    "shutting_down",
    503,
    "Service is shutting down",
    "The process was told to stop and takes no new work.",
    "Repeat the request; another replica or the next start answers it.",
)

# --- the Entra token ---------------------------------------------------------------------------------------------

TOKEN_EXPIRED = _row(
    "token_expired",
    401,
    "Azure AD token has expired",
    "The id_token's exp lies in the past; Entra's id_tokens live about one hour.",
    "Have the client sign in again, or silently renew, and send the new id_token at once.",
)
TOKEN_NOT_YET_VALID = _row(
    "token_not_yet_valid",
    401,
    "Azure AD token is not yet valid",
    "nbf or iat lies in the future by more than the leeway.",
    "Check the clocks of this machine and of the issuer; token_service.leeway is the tolerance.",
)
INVALID_TOKEN = _row(
    "invalid_token",
    401,
    "Azure AD token is invalid",
    "Not a JWT, a bad signature, a forbidden algorithm or header, an unknown key, a missing or malformed claim, or an "
    "access token in place of the id_token.",
    "Send the id_token, unchanged. `doorward explain TOKEN` names the check that refuses it.",
)
ISSUER_MISMATCH = _row(
    "issuer_mismatch",
    401,
    "Issuer doesn't match",
    "The signature is good, but iss is not an accepted form, or does not fit tid, ver, the signing key or the cloud of "
    "the audience's registration.",
    "Sign in at the cloud that the registration names; sovereign clouds need their own registration.",
)
AUDIENCE_MISMATCH = _row(
    "audience_mismatch",
    401,
    "Audience doesn't match",
    "The token's aud, the client ID of the application that asked for it, is not registered here, or its registration "
    "is disabled.",
    "Register it: doorward registrations add CLIENT_ID --name NAME --tenant GUID --org ID; or enable it again.",
)
TENANT_NOT_ALLOWED = _row(
    "tenant_not_allowed",
    403,
    "Tenant is not allowed",
    "The token comes from a tenant that the audience's registration does not list; personal accounts are a tenant too.",
    "If the tenant is to be admitted: doorward registrations set-tenants CLIENT_ID --tenant GUID, with all of them.",
)
GUEST_NOT_ALLOWED = _row(
    "guest_not_allowed",
    403,
    "Guest users are not allowed",
    "The person is a guest in the tenant, and the registration admits members only.",
    "Sign in at the home tenant, or add the registration with --allow-guests.",
)
TOKEN_REPLAYED = _row(
    "token_replayed",
    401,
    "Azure AD token has already been used",
    "This id_token was exchanged before, and token_service.replay is reject.",
    "Get a fresh id_token for each exchange.",
)
EMAIL_MISMATCH = _row(
    "email_mismatch",
    403,
    "Token email does not match provided email",
    "The body's email equals none of the addresses that the token vouches for.",
    "Send the token's preferred_username (v1.0: upn) as email.",
)
KEYS_UNAVAILABLE = _row(
    "keys_unavailable",
    503,
    "Signing keys are temporarily unavailable",
    "No key set of this cloud could ever be loaded, and the provider cannot be reached now.",
    "Check the network path to the provider's key address, HTTPS_PROXY and outbound.ca_file; `doorward keys fetch`.",
    "error",
)

# --- the account -------------------------------------------------------------------------------------------------

USER_NOT_FOUND = _row(
    "user_not_found",
    404,
    "User not found",
    "No account belongs to this identity, and the request or the registration forbids creating one.",
    "Set auto_create to true, or create the user first: doorward users add EMAIL --org ID.",
)
ACCOUNT_EXISTS = _row(
    "account_exists",
    409,
    "An account with this email already exists and is not linked to this identity",
    "An account has this address, and the rules for linking it by e-mail do not all hold.",
    "An operator decides: doorward users link ID --tenant GUID --oid GUID; or doorward users verify ID when the "
    "address is known to be theirs.",
)
IDENTITY_CONFLICT = _row(
    "identity_conflict",
    409,
    "This account is linked to a different identity",
    "The account with this address belongs to another (tid, oid): the address has a new owner, or the person was "
    "created anew in the directory.",
    "If it is the same person: doorward users unlink ID, then doorward users link ID --tenant GUID --oid GUID.",
)
USER_DISABLED = _row(
    "user_disabled",
    403,
    "User is disabled",
    "The account exists but is suspended.",
    "doorward users enable ID",
)
ORGANIZATION_DISABLED = _row(
    "organization_disabled",
    403,
    "Organization is disabled",
    "The organization of this account is suspended.",
    "doorward orgs enable ID",
)
ORGANIZATION_NOT_ALLOWED = _row(
    "organization_not_allowed",
    403,
    "Organization is not allowed",
    "The registration may not assign new users of this tenant to the organization.",
    "Name one that it may, or leave organization_id out; the registration lists them (doorward registrations list).",
)
ORGANIZATION_NOT_FOUND = _row(
    "organization_not_found",
    422,
    "Organization not found",
    "organization_id names no organization.",
    "doorward orgs list shows those that exist.",
)

# --- our own tokens ----------------------------------------------------------------------------------------------

AUTHENTICATION_REQUIRED = _row(
    "authentication_required",
    401,
    "Authentication required",
    "The request carries no Authorization: Bearer header.",
    "Send Authorization: Bearer with the access_token of the exchange.",
)
INVALID_ACCESS_TOKEN = _row(
    "invalid_access_token",
    401,
    "Access token is invalid or expired",
    "The bearer is malformed, expired, revoked, or the platform token where the access_token is due.",
    "Send the access_token; when it has expired, exchange a fresh id_token.",
)
REFRESH_NOT_ALLOWED = _row(
    "refresh_not_allowed",
    403,
    "Refresh is not allowed",
    "The registration was made with --no-refresh.",
    "Exchange a fresh id_token.",
)

# --- OAuth endpoints (RFC 6749, 7009, 7662, 8693) ----------------------------------------------------------------

INVALID_CLIENT = _row(
    "invalid_client",
    401,
    "Client authentication failed",
    "The endpoint wants HTTP Basic with a client id and secret, and these are missing or wrong.",
    "doorward clients add NAME prints a pair once.",
)
INVALID_REQUEST = _row(
    "invalid_request",
    400,
    "Invalid request",
    "A parameter is missing, repeated, or not supported here.",
    "Send the documented parameters, each once, form-encoded.",
)
INVALID_TARGET = _row(
    "invalid_target",
    400,
    "Unknown target",
    "audience or resource was asked for; platform tokens have one fixed audience.",
    "Leave audience and resource out.",
)
UNSUPPORTED_GRANT_TYPE = _row(
    "unsupported_grant_type",
    400,
    "Grant type is not supported",
    "The token endpoint serves the token-exchange grant alone.",
    "Send grant_type=urn:ietf:params:oauth:grant-type:token-exchange.",
)
