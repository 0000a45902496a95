"""Which providers the emulator pretends to be: the one list that a new one is entered in."""

from collections.abc import Iterable

from doorward.emulator.aad import PretendEntra
from doorward.emulator.apple import PretendApple
from doorward.emulator.custom import PretendCustom
from doorward.emulator.facebook import PretendFacebook
from doorward.emulator.github import PretendGithub
from doorward.emulator.google import PretendGoogle
from doorward.emulator.microsoftaccount import PretendLive
from doorward.emulator.pretend import Pretend
from doorward.emulator.stage import Stage
from doorward.emulator.twitter import PretendTwitter

KNOWN = (PretendEntra, PretendGoogle, PretendGithub, PretendFacebook, PretendTwitter, PretendLive, PretendApple)


def pretend_providers(stage: Stage, custom: Iterable[str]) -> list[Pretend]:
    """Give all pretend providers, those of OpenID Connect called `custom` behind the known ones."""
    return [*(known(stage) for known in KNOWN), *(PretendCustom(stage, name) for name in custom)]
