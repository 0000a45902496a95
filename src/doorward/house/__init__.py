"""The house: settings in, running parts out. The only package that knows all rooms.

`open_back_office` opens what every command needs, `build_front` puts the rooms' routes on top of it. Nothing here
decides anything; what is wired to what stands in one place.
"""

from doorward.house.back_office import BackOffice, inspect_database, open_back_office, refuse_unusable_default
from doorward.house.front import Front, build_front, new_metrics
from doorward.house.rules import token_rules, trust_of

__all__ = [
    "BackOffice",
    "Front",
    "build_front",
    "inspect_database",
    "new_metrics",
    "open_back_office",
    "refuse_unusable_default",
    "token_rules",
    "trust_of",
]
