import json

from tests.support.sign_in import NOW, entrance


async def test_somebody_signs_in_at_entra_by_the_hybrid_flow(database_url: str) -> None:
    """Authorize, form_post, code: afterwards the browser has a session, is where it wanted to be, and keeps no rest."""
    async with entrance(database_url, "aad") as it:
        browser = it.browser()
        begun = await browser.get("/.auth/login/aad?post_login_redirect_uri=/a%3Fb=c")
        assert "Nonce" in browser.cookies
        done = await browser.bring(it.provider.consent(begun.location, tid="x"))
        assert (done.status, done.location) == (302, "/a?b=c")
        assert list(browser.cookies) == ["AppServiceAuthSession"]
        assert browser.session is not None
        session = await it.parts.desk.find(browser.session)
        assert session is not None
        assert session.identity.user_id == "jane@contoso.com"
        assert session.identity.tokens.access_token
        assert session.expires_at == NOW + 8 * 3600
        claims = {claim.typ: claim.val for claim in session.identity.claims}
        assert "c_hash" in claims
        assert "at_hash" not in claims
        assert json.dumps(await it.audited("session.started")).count("aad:sub-jane") == 1
