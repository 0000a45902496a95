"""The rows of the catalogue that somebody can meet on the way through a sign-in.

Statuses are contract (easy-auth reference 1.3, 2.1, 10.3; interface section 7); codes and messages are ours. None of
them ever comes with a session.
"""

from doorward.base.errors import ErrorRow, Level, enter


def _row(code: str, status: int, message: str, cause: str, fix: str, level: Level = "info") -> ErrorRow:
    return enter(ErrorRow(code=code, status=status, message=message, cause=cause, fix=fix, level=level))


# --- beginning ---------------------------------------------------------------------------------------------------

SIGN_IN_MALFORMED = _row(
    "sign_in_malformed",
    400,
    "The sign-in address is malformed",
    "A parameter is there twice, is escaped badly, is too long, or has a value that nobody understands (400.73).",
    "Send each parameter once. The sign-in address takes post_login_redirect_uri, session_mode (cookie or token), "
    "completion_type (postMessage or iframe) with completion_origin, code_challenge with code_challenge_method=S256, "
    "and what it hands on to the provider, such as login_hint and prompt.",
)
TARGET_NOT_ALLOWED = _row(
    "redirect_target_not_allowed",
    400,
    "This address may not be gone to after signing in",
    "post_login_redirect_uri is neither a path of this site, nor an address of it, nor below an entry of "
    "login.allowedExternalRedirectUrls; or it is longer than 2048 characters.",
    "Send a path such as /welcome, or list the other site in login.allowedExternalRedirectUrls.",
)
REDIRECT_LOOP = _row(
    "redirect_loop",
    401,
    "Signing in leads round in a circle",
    "This browser was sent to the provider five times in a row without coming back signed in (401.78): it does not "
    "keep our cookies, or the provider takes longer than login.nonce.nonceExpirationInterval.",
    "Have the browser accept cookies of this site, and compare the address that people use with server.public_url.",
)
NO_PROVIDER = _row(
    "no_provider",
    401,
    "Nobody can sign in here",
    "The auth tree names no identity provider.",
    "Add one below auth.identityProviders.",
)
DISCOVERY_FAILED = _row(
    "discovery_failed",
    502,
    "The identity provider cannot be reached",
    "The provider's OpenID configuration could never be fetched, or is another issuer's; without it nobody knows where "
    "to sign in.",
    "Compare the issuer in the auth tree with the provider's own; check HTTPS_PROXY and outbound.ca_file.",
    "error",
)

CLIENT_KEY_UNUSABLE = _row(
    "client_key_unusable",
    502,
    "We cannot prove ourselves to the identity provider",
    "A file that the settings name for this provider (client_certificate_file, client_key_file or private_key_file) "
    "cannot be read, is no key of the kind that is wanted, or certificate and key do not belong together.",
    "`doorward check` names the setting. Put the files right and send SIGHUP.",
    "error",
)

# --- coming back -------------------------------------------------------------------------------------------------

CALLBACK_MALFORMED = _row(
    "callback_malformed",
    400,
    "The identity provider's answer is malformed",
    "What the browser brought back has a parameter twice, bad escapes, or is no form (400.73).",
    "Sign in again. If it stays, look at what stands between provider and browser.",
)
SIGN_IN_NOT_BEGUN = _row(
    "sign_in_not_begun",
    401,
    "This sign-in was not begun in this browser",
    "The cookie Nonce is missing, belongs to another sign-in, or the state is not the one that was sent (401.73). "
    "Either the browser does not keep our cookies, or somebody else's sign-in was slipped in.",
    "Sign in again, from the beginning, in one browser.",
)
SIGN_IN_USED = _row(
    "sign_in_used",
    401,
    "This sign-in was finished before",
    "The provider's answer came a second time: the page was loaded again, or the answer was copied (401.73).",
    "Sign in again.",
)
PROVIDER_DECLINED = _row(
    "provider_declined",
    401,
    "The identity provider did not sign you in",
    "The provider answered with an error of its own, for example because consent was refused (401.73).",
    "Sign in again. The log line has the provider's own words.",
)
CALLBACK_EMPTY = _row(
    "callback_empty",
    401,
    "The identity provider's answer is incomplete",
    "The answer has neither a code nor an id_token, or not the code that was asked for (401.73).",
    "Sign in again. Compare response_type in loginParameters with what the provider can do.",
)
CODE_REFUSED = _row(
    "code_refused",
    401,
    "The identity provider took its answer back",
    "The token endpoint refused the code: it was used before, has expired, or the client secret is wrong.",
    "Sign in again. If it stays, compare client id, client secret and redirect URI with the registration at the "
    "provider; the log line has the provider's own error.",
    "warning",
)
ID_TOKEN_REFUSED = _row(
    "id_token_refused",
    401,
    "The identity provider's token is not acceptable",
    "The id_token failed a check: signature, issuer, audience, times, nonce, or that it belongs to this code.",
    "The log line names the check. `doorward explain TOKEN` explains it.",
    "warning",
)
NOBODY_KNOWN = _row(
    "nobody_known",
    401,
    "The identity provider did not say who you are",
    "Its token or profile could not be read, or names nobody.",
    "The log line says what is missing. Check the scopes of the registration.",
    "warning",
)
