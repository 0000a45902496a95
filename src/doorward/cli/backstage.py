"""The back office: how commands reach the database and what belongs to it.

Every command opens it anew, works, and closes it; the server, if one runs, is another process. What operators do stands
in the audit trail with `doorward cli` as user agent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from doorward.accounts.nouns import Origin
from doorward.cli.frame import settings_for
from doorward.config.settings import Settings

if TYPE_CHECKING:
    from doorward.house import BackOffice

T = TypeVar("T")

OPERATOR = Origin(user_agent="doorward cli")


def in_back_office(work: Callable[["BackOffice"], Awaitable[T]], *, keeps_key_sets: bool = True) -> T:
    """Open the back office of this command line's settings, do `work` in it, and close it.

    Without `keeps_key_sets` what it fetches from the providers is not stored.
    Raises `SettingsRejected`, and `DoorwardError` as the database and the work do.
    """
    return asyncio.run(_visit(settings_for("command"), work, keeps_key_sets=keeps_key_sets))


async def _visit(settings: Settings, work: Callable[["BackOffice"], Awaitable[T]], *, keeps_key_sets: bool) -> T:
    from doorward.house import open_back_office  # noqa: PLC0415  knows every room, which --help need not load

    async with open_back_office(settings, keeps_key_sets=keeps_key_sets) as office:
        return await work(office)
