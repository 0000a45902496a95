"""What goes into a token request to prove that it is us who ask (RFC 6749 section 2.3.1, RFC 7523 section 2.2).

A client secret in the body; or, where the settings name a certificate, an assertion; or a secret that is signed anew
for each request. Key files are read when they are first needed, and again after the settings were.
"""

from pathlib import Path
from typing import Any

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy, opaque_token
from doorward.base.errors import DoorwardError
from doorward.base.refusals_sign_in import CLIENT_KEY_UNUSABLE
from doorward.config.auth_plan import ProviderPlan
from doorward.protocol.client_proof import CertificateProof, SignedSecret
from doorward.protocol.oauth2 import ASSERTION_TYPE
from doorward.providers.spec import Endpoints


class ClientProofs:
    """Gives the parameters that prove a client, by what the settings have for it."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        """Have read no key yet."""
        self._clock = clock
        self._entropy = entropy
        self._certificates: dict[str, CertificateProof] = {}
        self._signers: dict[str, SignedSecret] = {}

    def parameters(self, plan: ProviderPlan, endpoints: Endpoints) -> dict[str, Any]:
        """Give `client_id` and what proves it; raises `DoorwardError` (`client_key_unusable`)."""
        now = self._clock.now()
        try:
            if plan.certificate_file:
                proof = self._certificate(plan)
                assertion = proof.assertion(plan.client_id, endpoints.token_endpoint, now, opaque_token(self._entropy))
                return {
                    "client_id": plan.client_id,
                    "client_assertion_type": ASSERTION_TYPE,
                    "client_assertion": assertion,
                }
            if plan.private_key_file:
                secret = self._signer(plan).secret(plan.client_id, endpoints.issuer, now)
                return {"client_id": plan.client_id, "client_secret": secret}
        except (OSError, ValueError) as error:
            # Not the file's text, nor the library's words about it: they may quote the key.
            raise DoorwardError(CLIENT_KEY_UNUSABLE, provider=plan.name, reason=type(error).__name__) from None
        return {"client_id": plan.client_id, "client_secret": plan.client_secret.reveal()}

    def _certificate(self, plan: ProviderPlan) -> CertificateProof:
        if plan.name not in self._certificates:
            files = (Path(plan.certificate_file).read_bytes(), Path(plan.key_file).read_bytes())
            self._certificates[plan.name] = CertificateProof.from_pem(*files)
        return self._certificates[plan.name]

    def _signer(self, plan: ProviderPlan) -> SignedSecret:
        if plan.name not in self._signers:
            pem = Path(plan.private_key_file).read_bytes()
            self._signers[plan.name] = SignedSecret.from_pem(pem, team_id=plan.team_id, key_id=plan.key_id)
        return self._signers[plan.name]
