"""For the tests of those who build on Doorward: a running service with pretend people, as pytest fixtures.

`doorward_server` and `signed_in_client` are registered as a pytest plugin wherever Doorward is installed, so a test
asks for them by name and imports nothing. `running_server` gives the same service to a test that wants one of its own.
What serves is loaded when the first of them is used, because pytest loads this package in every run of every project.
"""

from typing import TYPE_CHECKING

from doorward.testing.plugin import (
    doorward_app,
    doorward_person,
    doorward_provider,
    doorward_server,
    doorward_settings,
    signed_in_client,
)

if TYPE_CHECKING:
    from doorward.testing.caller import Client, Response, SignedInClient, TokenPair
    from doorward.testing.server import ClientCredentials, DoorwardServer, ExchangeRefused, running_server
    from doorward.testing.signing_in import SignInRefused

__all__ = [
    "Client",
    "ClientCredentials",
    "DoorwardServer",
    "ExchangeRefused",
    "Response",
    "SignInRefused",
    "SignedInClient",
    "TokenPair",
    "doorward_app",
    "doorward_person",
    "doorward_provider",
    "doorward_server",
    "doorward_settings",
    "running_server",
    "signed_in_client",
]


def __getattr__(name: str) -> object:
    """Load what serves only when somebody asks for it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from doorward.testing import caller, server  # noqa: PLC0415 - see the module's docstring

    return getattr(server, name, None) or getattr(caller, name)
