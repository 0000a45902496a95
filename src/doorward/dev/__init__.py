"""Development mode: everything on this machine, offline, with pretend providers (interface sections 1 and 7).

Owns what makes `doorward dev` work without set-up: addresses, known keys, the applications that are registered at the
pretend providers, a sample application behind the gateway, and the box with commands to paste. Listens on loopback
alone, whatever the settings say, because its keys stand in public source and its providers sign in whoever asks.
"""

from doorward.dev.options import DevOptions
from doorward.dev.run import run

__all__ = ["DevOptions", "run"]
