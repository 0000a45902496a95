"""The rows of the catalogue that belong to sign-ins which end with a token, and to sign-outs that a provider tells of.

Statuses follow easy-auth reference 1.2, 1.3 and OpenID Connect Back-Channel Logout 1.0 section 2.8; codes and messages
are ours.
"""

from doorward.base.errors import ErrorRow, Level, enter


def _row(code: str, status: int, message: str, cause: str, fix: str, level: Level = "info") -> ErrorRow:
    return enter(ErrorRow(code=code, status=status, message=message, cause=cause, fix=fix, level=level))


COMPLETION_NOT_ALLOWED = _row(
    "completion_origin_not_allowed",
    400,
    "This website may not be told how the sign-in ended",
    "completion_origin is missing, is no origin such as https://app.example.com, or is neither this site nor an "
    "entry of login.allowedExternalRedirectUrls. An entry with a path does not stand for the origin: any page of that "
    "site could then receive the token.",
    "Send location.origin of the page that opens the window, and list that origin, without a path, in "
    "login.allowedExternalRedirectUrls.",
)
AUTHORIZATION_CODE_REFUSED = _row(
    "authorization_code_refused",
    401,
    "The authorization code is not acceptable",
    "The code was never given out, was used before, is older than two minutes or of another provider, or the "
    "code_verifier is not the one that the sign-in began with (401.73). A code that came with a wrong verifier is used "
    "up as well.",
    "Begin a new sign-in. code_challenge is the SHA-256 of code_verifier in base64 or base64url, and code_verifier has "
    "43 to 128 characters.",
)
LOGOUT_TOKEN_REFUSED = _row(
    "logout_token_refused",
    400,
    "The logout token is not acceptable",
    "The logout token failed a check: signature, issuer, audience, times, the back-channel logout event, sub or sid, "
    "that it has no nonce, or that it comes for the first time.",
    "The log line names the check. Compare client id and issuer with the registration at the provider.",
    "warning",
)
