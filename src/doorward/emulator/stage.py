"""What all pretend providers of one emulator share: time, people, applications, grants, browsers, log."""

from pathlib import Path

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.base.frozen import frozen
from doorward.emulator.clients import Clients
from doorward.emulator.faults import Switches
from doorward.emulator.grants import Grants
from doorward.emulator.lobby import Lobby
from doorward.emulator.people import Directory
from doorward.emulator.traffic import Traffic

GRANTS_FILE = "refresh-tokens.json"


@frozen
class Stage:
    """The shared parts. `base_url` has no path; `keys` is the directory of what must outlive the process, or None."""

    base_url: str
    clock: Clock
    entropy: Entropy
    people: Directory
    clients: Clients
    grants: Grants
    lobby: Lobby
    traffic: Traffic
    switches: Switches
    keys: Path | None


def set_stage(
    base_url: str,
    people: Directory,
    clock: Clock,
    entropy: Entropy,
    keys: Path | None = None,
    clients: Clients | None = None,
) -> Stage:
    """Put the shared parts together."""
    return Stage(
        base_url=base_url,
        clock=clock,
        entropy=entropy,
        people=people,
        clients=clients or Clients(),
        grants=Grants(clock, entropy, keys / GRANTS_FILE if keys is not None else None),
        lobby=Lobby(clock, entropy),
        traffic=Traffic(clock),
        switches=Switches(),
        keys=keys,
    )
