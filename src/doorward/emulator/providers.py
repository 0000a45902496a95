"""Which providers the emulator pretends to be.

Those with ways of their own have a file here; any other that Doorward knows is made of its specification, and whatever
else the auth tree names is plain OpenID Connect.
"""

from collections.abc import Iterable

from doorward import providers
from doorward.emulator.aad import PretendEntra
from doorward.emulator.apple import PretendApple
from doorward.emulator.custom import PretendCustom
from doorward.emulator.facebook import PretendFacebook
from doorward.emulator.from_spec import pretend_by
from doorward.emulator.github import PretendGithub
from doorward.emulator.google import PretendGoogle
from doorward.emulator.microsoftaccount import PretendLive
from doorward.emulator.pretend import Pretend
from doorward.emulator.stage import Stage
from doorward.emulator.twitter import PretendTwitter

KNOWN = (PretendEntra, PretendGoogle, PretendGithub, PretendFacebook, PretendTwitter, PretendLive, PretendApple)


def pretend_providers(stage: Stage, custom: Iterable[str]) -> list[Pretend]:
    """Give all pretend providers, those of OpenID Connect called `custom` behind the known ones."""
    own: list[Pretend] = [known(stage) for known in KNOWN]
    names = {one.name for one in own}
    made = [pretend_by(spec, stage) for spec in providers.ALL.values() if spec.name not in names]
    return [*own, *(one for one in made if one is not None), *(PretendCustom(stage, name) for name in custom)]
