"""The pretend GitHub: OAuth 2 without OpenID Connect, answers form-encoded unless JSON is asked for, refusals with 200.

Of an application registered as `expiring` (a GitHub App) tokens end after eight hours and come with a refresh token;
those of any other live until they are revoked.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar

from doorward.base.text import email_key
from doorward.emulator.clients import Client
from doorward.emulator.doors import OAuthProvider
from doorward.emulator.grants import Grant
from doorward.emulator.people import Person
from doorward.emulator.pretend import Door, Spot
from doorward.emulator.traffic import texts
from doorward.emulator.web import Ask, Refused, Reply, form_reply, json_reply
from doorward.protocol.oauth2 import AuthorizationRequest, TokenError, TokenResponse

GITHUB_CLIENT_ID = "Iv1.d00123d000de0000"
ROOT = "/github"
EXPIRING_SECONDS = 8 * 3600
_EMAILS = f"{ROOT}/api/user/emails"
_DOORS: dict[str, Door] = {
    f"{ROOT}/login/oauth/authorize": "authorize",
    f"{ROOT}/login/oauth/access_token": "token",
    f"{ROOT}/api/user": "userinfo",
    _EMAILS: "userinfo",
    f"{ROOT}/logout": "end_session",
}
_ERRORS = {"invalid_client": "incorrect_client_credentials", "invalid_grant": "bad_verification_code"}


def addresses(base_url: str) -> dict[str, str]:
    """Give the members of `[providers.github]`; sign-out is for the pretence alone."""
    return {
        "authorization_endpoint": f"{base_url}{ROOT}/login/oauth/authorize",
        "token_endpoint": f"{base_url}{ROOT}/login/oauth/access_token",
        "userinfo_endpoint": f"{base_url}{ROOT}/api/user",
        "end_session_endpoint": f"{base_url}{ROOT}/logout",
    }


class PretendGithub(OAuthProvider):
    """GitHub as far as applications see it."""

    name = "github"
    label = "GitHub"
    response_types: ClassVar[frozenset[str]] = frozenset({"", "code"})
    has_id_tokens: ClassVar[bool] = False
    needs_openid: ClassVar[bool] = False
    default_redirect: ClassVar[bool] = True
    repeats_redirect: ClassVar[bool] = False
    access_seconds: ClassVar[int] = EXPIRING_SECONDS
    default_client = GITHUB_CLIENT_ID

    def document(self, path: str) -> Mapping[str, object] | None:
        """GitHub publishes nothing."""
        del path

    def door(self, path: str) -> Spot | None:
        """Give the door at a path."""
        door = _DOORS.get(path)
        return Spot(door=door) if door is not None else None

    def granted_scope(self, request: AuthorizationRequest) -> str:
        """Scopes may be separated by commas; GitHub knows no `openid`."""
        return " ".join(name for name in request.scope.replace(",", " ").split() if name != "openid")

    def lifetime(self, client: Client) -> int | None:
        """Give how long a token lives."""
        return EXPIRING_SECONDS if client.expiring else None

    def wants_refresh(self, grant: Grant, client: Client) -> bool:
        """Only tokens that end come with a refresh token."""
        del grant
        return client.expiring

    def access_token(self, grant: Grant) -> str:
        """Make a token with GitHub's prefix."""
        del grant
        return f"gho_{self.stage.grants.new_text(30)}"

    def token_answer(self, grant: Grant, tokens: TokenResponse, ask: Ask) -> Reply:
        """Answer in the form that was asked for; scopes are separated by commas."""
        members = tokens.members() | {"scope": ",".join(grant.scope.split()), "token_type": "bearer"}
        return _in_the_form_asked_for(members, ask)

    def token_refusal(self, error: TokenError, status: int, ask: Ask, realm: str) -> Reply:
        """Refuse with status 200 and an error of GitHub's own."""
        del status, realm
        name = _ERRORS.get(error.error, error.error)
        if "redirect_uri" in error.error_description:
            name = "redirect_uri_mismatch"
        elif "refresh token" in error.error_description:
            name = "bad_refresh_token"
        return _in_the_form_asked_for({"error": name, "error_description": error.error_description}, ask)

    def profile(self, grant: Grant, person: Person, ask: Ask) -> object:
        """Give `/user` or `/user/emails`; raises `Refused` for a caller without a name, and for a scope not granted."""
        if not ask.header("user-agent"):
            raise Refused(json_reply({"message": "Please make sure your request has a User-Agent header"}, 403))
        if ask.path == _EMAILS:
            if not {"user", "user:email"} & set(grant.scope.split()):
                raise Refused(json_reply({"message": "Not Found"}, 404, note="scope user:email was not granted"))
            is_proven = person.verified and "unverified_email" not in grant.faults
            return [{"email": person.email, "primary": True, "verified": is_proven, "visibility": "public"}]
        return _profile_of(person, self.stage.base_url) | person.claims_at(self.name)


def _in_the_form_asked_for(members: Mapping[str, object], ask: Ask) -> Reply:
    if "json" in ask.header("accept"):
        return json_reply(members)
    return form_reply(texts(members))


def _profile_of(person: Person, base_url: str) -> dict[str, object]:
    """Give the fields of `/user` in GitHub's order."""
    login = (email_key(person.email) or "").partition("@")[0].replace(".", "-").replace("_", "-")
    number = int.from_bytes(sha256(f"github\n{email_key(person.email)}".encode()).digest()[:3], "big") + 1_000_000
    api = f"{base_url}{ROOT}/api/users/{login}"
    return {
        "login": login,
        "id": number,
        "node_id": f"U_{number}",
        "avatar_url": f"{base_url}{ROOT}/avatars/{number}",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{base_url}{ROOT}/{login}",
        "type": "User",
        "site_admin": False,
        "name": person.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": person.email,
        "hireable": None,
        "bio": None,
        "public_repos": 2,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": "2015-03-14T09:26:53Z",
        "updated_at": "2026-01-02T03:04:05Z",
    }
