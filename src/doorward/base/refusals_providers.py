"""The rows of the catalogue about what else a provider, or somebody who speaks for one, can get wrong.

OAuth 1.0a's request token, and sign-in by a client that holds a provider's token already (easy-auth reference 1.4, 2.3
and 3). Statuses are contract; codes and messages are ours.
"""

from doorward.base.errors import ErrorRow, Level, enter


def _row(code: str, status: int, message: str, cause: str, fix: str, level: Level = "info") -> ErrorRow:
    return enter(ErrorRow(code=code, status=status, message=message, cause=cause, fix=fix, level=level))


REQUEST_TOKEN_REFUSED = _row(
    "request_token_refused",
    502,
    "The identity provider does not let us begin a sign-in",
    "The provider gave no request token: the consumer key or secret is wrong, the callback address is not registered "
    "there, or the clocks differ.",
    "Compare key, secret and callback address with the registration at the provider, and this machine's clock with the "
    "time.",
    "warning",
)
LOGIN_BODY_MALFORMED = _row(
    "login_body_malformed",
    400,
    "The body is not what this address takes",
    "It is no JSON object in application/json, has a name twice, or a member that is no text, or a text longer than "
    "16 KiB (400.73).",
    'Send the provider\'s token as JSON, such as {"access_token": "..."}.',
)
PROVIDER_TOKEN_INVALID = _row(
    "provider_token_invalid",
    401,
    "The identity provider calls the token invalid",
    "The provider was asked about the token that the client sent, and says that it is malformed, has expired, was "
    "withdrawn, or is no person's (401.83).",
    "Have the client sign its user in at the provider again, and send the token that comes of it.",
    "warning",
)
TOKEN_OF_ANOTHER_APP = _row(
    "token_of_another_app",
    401,
    "The token belongs to another application",
    "The provider does not know this token as one of the application in the auth tree (401.83): it was issued to "
    "another one, whose owner could otherwise sign in here as its users. Of a token that is no good "
    "GitHub says the same.",
    "Have the client obtain its token for the application whose id stands in the auth tree.",
    "warning",
)
