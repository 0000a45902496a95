"""Identity providers, as data: whose sign-ins are known, and what is special about each.

A provider is one module of this package with one `SPEC`; it is found by being there. Custom OpenID Connect providers
are made by name.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from doorward.base.text import ascii_lower
from doorward.providers.custom import make_custom
from doorward.providers.spec import ProviderSpec

__all__ = ["ALL", "by_alias", "custom"]


def _find_all() -> dict[str, ProviderSpec]:
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    specs = (getattr(module, "SPEC", None) for module in modules)
    return {spec.name: spec for spec in specs if isinstance(spec, ProviderSpec)}


ALL: Mapping[str, ProviderSpec] = _find_all()
"""The built-in providers by their name, in alphabetical order."""


def by_alias(name: str) -> ProviderSpec | None:
    """Give the built-in provider that an address or `redirectToProvider` names, in any case, or None."""
    folded = ascii_lower(name)
    return next((spec for spec in ALL.values() if folded in {spec.name, *spec.aliases, *spec.other_names}), None)


def custom(name: str, name_claim_type: str = "") -> ProviderSpec:
    """Give the specification of the custom OpenID Connect provider `name`; `name_claim_type` as in the auth tree.

    Raises `ValueError` when the name cannot be one, or belongs to a built-in provider.
    """
    if by_alias(name) is not None:
        raise ValueError(f"the name {name} belongs to a built-in provider")
    return make_custom(name, name_claim_type)
