"""What a browser sees when a pretend provider does one thing wrong: every fault of its page, at every provider."""

from collections.abc import Generator

import pytest

from doorward.emulator.faults import FAULTS, ID_TOKEN_FAULTS
from tests.support.journeys import Dev, Tab, running_dev

ANYWHERE = {
    "consent_denied": "401 provider_declined",
    "login_required": "401 provider_declined",
    "wrong_state": "401 sign_in_not_begun",
    "no_code": "401 callback_empty",
    "token_500": "502 provider_unavailable",
    "token_garbage": "502 provider_unavailable",
    "slow": "",
    "refresh_revoked": "refresh 403 refresh_refused",
    "key_rotation": "",
    "unverified_email": "",
    "subject_changed": "",
}
BY_TOKEN = ANYWHERE | {
    "expired_token": "401 id_token_refused",
    "not_yet_valid": "401 id_token_refused",
    "wrong_audience": "401 id_token_refused",
    "wrong_issuer": "401 id_token_refused",
    "wrong_signature": "401 id_token_refused",
    "algorithm_none": "401 id_token_refused",
    "algorithm_hs256": "401 id_token_refused",
    "bad_at_hash": "401 id_token_refused",
    "unpublished_key": "401 id_token_refused",
    "profile_500": "",
    # The nonce of these travels in the state, and the code comes without an id_token beside it.
    "wrong_nonce": "",
    "no_nonce": "",
    "bad_c_hash": "",
}
WITH_NONCE = BY_TOKEN | {"wrong_nonce": "401 sign_in_not_begun", "no_nonce": "401 sign_in_not_begun"}
BY_PROFILE = ANYWHERE | dict.fromkeys(ID_TOKEN_FAULTS, "") | {"profile_500": "502 provider_unavailable"}
NO_REFRESH = {"refresh_revoked": "refresh 400 refresh_not_supported"}
TABLE: dict[str, dict[str, str]] = {
    "aad": WITH_NONCE | {"bad_c_hash": "401 id_token_refused"},
    "google": BY_TOKEN,
    "contoso": WITH_NONCE,
    "apple": BY_TOKEN | NO_REFRESH,
    "github": BY_PROFILE,
    "microsoftaccount": BY_PROFILE,
    "facebook": BY_PROFILE | NO_REFRESH,
    "twitter": BY_PROFILE | NO_REFRESH,
}
"""Status and code on the page of the callback, or of the refresh that follows; nothing where the person is let in."""

# A key that nobody knows makes the service ask for the keys once, and then not for a while: a new key comes before it.
ORDER = sorted(FAULTS, key=lambda fault: (fault != "key_rotation", fault == "unpublished_key"))
CASES = [pytest.param(provider, fault, id=f"{provider}-{fault}") for provider in TABLE for fault in ORDER]


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Generator[Dev]:
    """Give development mode, with pretend providers that are slow for a moment only."""
    with running_dev(tmp_path_factory.mktemp("dev")) as dev:
        dev.tell("/_emulator/faults", {"provider": "aad", "slow_seconds": 0.02})
        yield dev


@pytest.mark.parametrize(("provider", "fault"), CASES)
def test_what_a_browser_sees(dev: Dev, provider: str, fault: str) -> None:
    """A page with the code and without a session, or nothing at all where the fault is none at that provider."""
    tab, expected = Tab(), TABLE[provider][fault]
    asked = {"access_type": "offline", "prompt": "consent"}
    landed = dev.sign_in(tab, provider, faults=[fault], more=asked)
    if expected and not expected.startswith("refresh "):
        assert f"{landed.answer.status_code} {landed.code}" == expected
        assert landed.url.startswith(f"{dev.site}/.auth/login/{provider}/callback")
        # What was begun stays where nobody can tell whose answer this was: another tab may still wait for its own.
        assert not {name for name in tab.jars["127.0.0.1"] if name.startswith("AppServiceAuthSession")}
        return
    assert (landed.url, landed.answer.status_code) == (f"{dev.site}/api/whoami", 200), landed
    tab.session_of()
    if expected:
        refreshed = tab.go(f"{dev.site}/.auth/refresh")
        assert f"refresh {refreshed.answer.status_code} {refreshed.code}" == expected


@pytest.mark.parametrize("provider", TABLE)
def test_what_the_page_offers(dev: Dev, provider: str) -> None:
    """Every fault of an answer, and those of an id_token where the provider has one; boxes are named after them."""
    page = dev.sign_in(Tab(), provider, person="").answer.text
    has_id_tokens = provider in {"aad", "google", "contoso", "apple"}
    offered = {fault for fault in FAULTS if f'name="fault.{fault}"' in page}
    assert offered == (set(FAULTS) if has_id_tokens else set(FAULTS) - set(ID_TOKEN_FAULTS))


def test_a_refreshed_token_of_another_person_is_not_believed(dev: Dev) -> None:
    """The claims stay those of the person who signed in, and the new access token comes all the same or not at all."""
    tab = Tab()
    dev.sign_in(tab, "aad", faults=["subject_changed"])
    tab.session_of()
    (before,) = tab.ask("GET", f"{dev.site}/.auth/me").json()
    assert tab.ask("GET", f"{dev.site}/.auth/refresh").status_code in {200, 403}
    (after,) = tab.ask("GET", f"{dev.site}/.auth/me").json()
    assert after["user_claims"] == before["user_claims"]
    assert after["id_token"] == before["id_token"]


def test_the_page_says_how_it_was_decided(dev: Dev) -> None:
    """In development: what came back, which checks passed, which one did not; and no code, token or cookie."""
    tab = Tab()
    page = dev.sign_in(tab, "aad", faults=["bad_c_hash"], target="/events").answer.text
    for told in (
        "code, id_token, state, session_state",
        "the one on the way to /events",
        "signature, claims, expiry, not before, issuer",
        "code hash: c_hash belongs to the code",
        "401 id_token_refused",
        "none: no session has begun",
    ):
        assert told in page, told
    assert "eyJ" not in page
    assert not [value for value in tab.jars["127.0.0.1"].values() if value in page]


def test_the_page_says_what_was_not_begun(dev: Dev) -> None:
    """An answer that nobody waits for is told as that, and a refusal of the provider's in its words."""
    landed = Tab().go(f"{dev.site}/.auth/login/github/callback?code=x&state=y")
    assert landed.code == "sign_in_not_begun"
    assert "0 sign-ins with this provider" in landed.answer.text
    assert "none of them that is known" in landed.answer.text
    declined = dev.sign_in(Tab(), "google", faults=["consent_denied"])
    assert "access_denied" in declined.answer.text
