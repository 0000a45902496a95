"""One claim as App Service writes it (easy-auth reference 4): a type and a value, both text."""

import msgspec


class Claim(msgspec.Struct, frozen=True):
    """One entry of `user_claims`; types may repeat, so claims are kept in a tuple, never in a dictionary."""

    typ: str
    val: str
