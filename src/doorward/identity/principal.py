"""What the application is told about its caller: one function makes every `X-MS-*` header for every door.

Easy-auth reference section 6. The headers are made once for a session or a credential, not once a request.
"""

from dataclasses import dataclass

from doorward.identity.claims import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The caller as the application sees it.

    `headers` are ready to be sent, in the order of the reference: names as App Service spells them
    (`X-MS-CLIENT-PRINCIPAL`, ...), values in bytes. They hold the provider's tokens, so nothing prints them.
    """

    auth_typ: str
    idp: str
    id: str
    name: str
    name_typ: str
    claims: tuple[Claim, ...]
    headers: tuple[tuple[bytes, bytes], ...]

    def __repr__(self) -> str:
        """Show whose principal it is, and no header."""
        return f"Principal({self.idp!r}, {self.id!r})"
