"""What others are shown of an identity follows the settings."""

import json

import msgspec
import pytest

from doorward.client import current_principal
from doorward.client.principal import ROLE
from doorward.emulator.messages import PEOPLE_PATH
from doorward.emulator.people import PEOPLE
from doorward.testing import running_server
from doorward.testing.caller import call


@pytest.mark.parametrize(("settings", "typ"), [({}, "roles"), ({"easyauth.consistent_roles": True}, ROLE)])
def test_role_claims_stand_where_the_setting_says(settings: dict[str, object], typ: str) -> None:
    """App and `/.auth/me` see Entra's roles under `roles`; with the setting, under the type that `role_typ` names."""
    with running_server(settings) as server:
        jane = msgspec.structs.replace(PEOPLE[0], roles=("Reader", "Writer"))
        put = call(
            "POST",
            f"{server.emulator_url}{PEOPLE_PATH}",
            {"Content-Type": "application/json"},
            msgspec.json.encode(jane),
        )
        assert put.status_code == 201
        client = server.client_for(jane.email)
        found = current_principal(client.identity_headers)
        listed = json.loads(client.get("/.auth/me").content)[0]["user_claims"]
    assert found is not None
    assert found.role_typ == ROLE
    assert found.all(typ) == found.roles == ("Reader", "Writer")
    assert [claim["val"] for claim in listed if claim["typ"] == typ] == ["Reader", "Writer"]
    assert len({claim["typ"] for claim in listed} & {ROLE, "roles"}) == 1
