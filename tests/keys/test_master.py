"""What is made of the two master secrets: one secret never serves two purposes."""

import pytest

from doorward.base.entropy import SeededEntropy
from doorward.base.secret import Secret
from doorward.keys.master import MasterSecrets
from doorward.protocol.sealing import NotOpened

SECRETS = MasterSecrets(encryption_key=Secret("0a" * 32), signing_key=Secret("0b" * 32))


def test_each_sealer_opens_only_its_own() -> None:
    """What was sealed as a session opens neither as a half-done sign-in nor as a signing key, and the reverse."""
    sealers = (SECRETS.sealer(), SECRETS.session_sealer(), SECRETS.pending_sealer())
    for sealing in sealers:
        sealed = sealing.seal(b"plain", "place", SeededEntropy())
        for opening in sealers:
            if opening is sealing:
                assert opening.open(sealed, "place") == b"plain"
            else:
                with pytest.raises(NotOpened):
                    opening.open(sealed, "place")


def test_session_tokens_are_signed_with_the_decoded_key() -> None:
    """The key of session tokens is the signing key in bytes, so that others can verify with the same setting."""
    assert SECRETS.session_token_key() == bytes([0x0B]) * 32
