"""The pytest plugin: fixtures, and nothing that happens before one of them is used.

The entry point `doorward` of the group `pytest11` names this module, so pytest imports it in every run of every project
where Doorward is installed. It imports pytest alone.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from doorward.testing.caller import SignedInClient
    from doorward.testing.server import DoorwardServer


@pytest.fixture(scope="session")
def doorward_settings() -> Mapping[str, object]:
    """Give the settings that the server of this run is to have, by whole name; define it anew to change them.

    For example `{"token_service.signing_algorithm": "ES256"}`. Values are written as in `doorward.toml`.
    """
    return {}


@pytest.fixture(scope="session")
def doorward_app() -> str:
    """Give the address of the app under test, which the gateway is to stand in front of; define it anew to name one.

    Empty, as here, there is none: sign-in and the token service work, and every other path is 404.
    """
    return ""


@pytest.fixture(scope="session")
def doorward_server(doorward_settings: Mapping[str, object], doorward_app: str) -> "Iterator[DoorwardServer]":
    """Give a running Doorward with pretend people, one for the whole run, on free ports of 127.0.0.1.

    It has a database of its own in a temporary directory, no rate limits, and pretend providers. Tests that need a
    state of their own use an e-mail address of their own.
    """
    from doorward.testing.server import running_server  # noqa: PLC0415 - see the module's docstring

    with running_server(doorward_settings, app=doorward_app) as server:
        yield server


@pytest.fixture
def doorward_person() -> str:
    """Give the e-mail address of the person whom `signed_in_client` signs in; define it anew to change it."""
    return "jane@contoso.com"


@pytest.fixture
def doorward_provider() -> str:
    """Give the provider with which that person signs in at the gateway; define it anew to change it."""
    return "aad"


@pytest.fixture
def signed_in_client(
    doorward_server: "DoorwardServer", doorward_person: str, doorward_provider: str
) -> "SignedInClient":
    """Give an HTTP client that sends requests as a pretend person: through the gateway, or with platform tokens."""
    return doorward_server.client_for(doorward_person, doorward_provider)
