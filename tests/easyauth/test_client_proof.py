from pathlib import Path

import pytest

from doorward.base.secret import Secret
from doorward.protocol.jose import read_compact
from tests.support import client_keys
from tests.support.sign_in import CLIENT_ID, entrance


def credentials(directory: Path) -> dict[str, object]:
    """Write the certificate and the key of a client, and give the settings that name them."""
    files = (directory / "client.pem", directory / "client.key")
    files[0].write_bytes(client_keys.certificate_pem(client_keys.rsa_key()))
    files[1].write_bytes(client_keys.pem(client_keys.rsa_key()))
    return {"client_secret": Secret(""), "certificate_file": str(files[0]), "key_file": str(files[1])}


async def test_a_certificate_stands_in_place_of_a_secret(sqlite_url: str, tmp_path: Path) -> None:
    """The code is redeemed with an assertion, made anew for each request, and no secret."""
    settings = credentials(tmp_path)
    async with entrance(sqlite_url, "aad", plans={"aad": settings}) as it:
        browser = it.browser()
        assert (await it.sign_in_as(browser, "aad")).status == 302
        assert (await it.sign_in_as(browser, "aad")).status == 302
        first, second = [asked.form for asked in it.provider.requests("/token")]
        assert "client_secret" not in first
        assert first["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        claims = read_compact(first["client_assertion"]).unverified_claims
        assert (claims["sub"], claims["aud"]) == (CLIENT_ID, f"{it.provider.url}/token")
        assert claims["jti"] != read_compact(second["client_assertion"]).unverified_claims["jti"]


@pytest.mark.parametrize("spoilt", ["client.pem", "client.key"])
async def test_an_unusable_key_file_signs_nobody_in(sqlite_url: str, tmp_path: Path, spoilt: str) -> None:
    """502 with a code; nothing of the file comes out, and the provider is not asked."""
    settings = credentials(tmp_path)
    (tmp_path / spoilt).write_text("nonsense")
    async with entrance(sqlite_url, "aad", plans={"aad": settings}) as it:
        browser = it.browser()
        got = await it.sign_in_as(browser, "aad")
        assert (got.status, got.code, browser.session) == (502, "client_key_unusable", None)
        assert not it.provider.requests("/token")
