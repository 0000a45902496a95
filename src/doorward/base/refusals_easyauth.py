"""The rows of the catalogue that a client can meet below `/.auth` and in front of the application.

Statuses are contract (easy-auth reference 1.3, 1.4, 5; interface sections 5 and 7); codes and messages are ours.
"""

from doorward.base.errors import ErrorRow, Level, enter


def _row(code: str, status: int, message: str, cause: str, fix: str, level: Level = "info") -> ErrorRow:
    return enter(ErrorRow(code=code, status=status, message=message, cause=cause, fix=fix, level=level))


# --- credentials -------------------------------------------------------------------------------------------------

SIGN_IN_REQUIRED = _row(
    "sign_in_required",
    401,
    "You are not signed in",
    "The request carries no credential of ours, or a session cookie that has ended or was never ours (401.71).",
    "Sign in at /.auth/login, or send X-ZUMO-AUTH or Authorization: Bearer.",
)
INVALID_SESSION_TOKEN = _row(
    "invalid_session_token",
    401,
    "The session token is invalid or expired",
    "X-ZUMO-AUTH holds no token that we signed, one of another site, one that has expired, or one whose session was "
    "signed out or revoked (401.83).",
    "Ask /.auth/refresh for a new authenticationToken within its time of grace, or sign in again.",
)
INVALID_BEARER = _row(
    "invalid_bearer",
    401,
    "The bearer token is invalid or expired",
    "Authorization: Bearer holds neither a good token of a configured provider nor a living platform token. A bearer "
    "that does not pass is refused everywhere; there is no falling back to a cookie.",
    "Send a token whose audience is this application, or none. `doorward explain TOKEN` names the check that refuses "
    "it.",
)

# --- refresh -----------------------------------------------------------------------------------------------------

TOKEN_STORE_OFF = _row(
    "token_store_off",
    404,
    "There is no token store",
    "login.tokenStore.enabled is false, and without the token store there is nothing to show and nothing to refresh.",
    "Leave login.tokenStore.enabled out of the auth tree, or make it true.",
)
REFRESH_NOT_SUPPORTED = _row(
    "refresh_not_supported",
    400,
    "Tokens of this kind cannot be refreshed",
    "The provider has no refresh tokens, or the caller came with a token that is no session of ours (400.82).",
    "Sign in again. Facebook's, X's and Apple's tokens are not refreshed here; a platform token is refreshed at "
    "/auth-service.",
)
NO_REFRESH_TOKEN = _row(
    "no_refresh_token",
    403,
    "There is no refresh token in the token store",
    "The provider issued none at sign-in: it was not asked for one (403.80).",
    "Ask for one: aad needs a client secret and scope=openid offline_access in loginParameters; google "
    "/.auth/login/google?access_type=offline, later also prompt=consent.",
)
REFRESH_REFUSED = _row(
    "refresh_refused",
    403,
    "The provider refused the refresh token",
    "It was revoked, has expired, or was used up.",
    "Sign in again.",
)
PROVIDER_UNAVAILABLE = _row(
    "provider_unavailable",
    502,
    "The identity provider did not answer",
    "The provider could not be reached, answered with a failure of its own, or with something that is no answer. "
    "Nothing was changed: the session keeps the tokens it has.",
    "Try again later. Check the provider's address, HTTPS_PROXY and outbound.ca_file.",
    "warning",
)
