"""Microsoft's national clouds, and others by name: who issues tokens and where the keys are published.

Three are built in (token-exchange reference 2.1 and 2.2). A `[clouds.NAME]` table that sets some keys keeps the
built-in values of the others; a new name needs an issuer and its keys together, for at least one token version.
"""

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType

from doorward.base.frozen import frozen
from doorward.config.kinds import ISSUER, URL
from doorward.config.rows import row


@frozen
class CloudRows:
    """`[clouds.NAME]`: one cloud's issuers and key documents; empty keeps the built-in value."""

    issuer_v1: str = row(
        ISSUER,
        "",
        "Issuer of version 1.0 tokens, with `{tenantid}` where the tenant's GUID goes. A slash at the end counts.",
    )
    issuer_v2: str = row(
        ISSUER,
        "",
        "Issuer of version 2.0 tokens, with `{tenantid}` where the tenant's GUID goes. A slash at the end counts.",
    )
    keys_v1: str = row(URL, "", "Where the keys for version 1.0 tokens are published.")
    keys_v2: str = row(URL, "", "Where the keys for version 2.0 tokens are published.")


@frozen
class Cloud:
    """One cloud: issuer forms with `{tenantid}` and key documents; a version without both is not accepted there."""

    name: str
    issuer_v1: str | None = None
    issuer_v2: str | None = None
    keys_v1: str | None = None
    keys_v2: str | None = None

    def halves(self) -> list[str]:
        """Name the keys that are missing because their other half is there."""
        pairs = (("issuer_v1", "keys_v1"), ("issuer_v2", "keys_v2"))
        lone: list[str] = []
        for issuer, keys in pairs:
            present = {name for name in (issuer, keys) if getattr(self, name)}
            lone += [name for name in (issuer, keys) if name not in present and present]
        return lone


def _built_in(name: str, host: str, v1: str) -> Cloud:
    return Cloud(
        name=name,
        issuer_v1=f"https://{v1}/{{tenantid}}/",
        issuer_v2=f"https://{host}/{{tenantid}}/v2.0",
        keys_v1=f"https://{host}/common/discovery/keys",
        keys_v2=f"https://{host}/common/discovery/v2.0/keys",
    )


BUILT_IN: Mapping[str, Cloud] = MappingProxyType(
    {
        "global": _built_in("global", "login.microsoftonline.com", "sts.windows.net"),
        "usgov": _built_in("usgov", "login.microsoftonline.us", "sts.windows.net"),
        "china": _built_in("china", "login.partner.microsoftonline.cn", "sts.chinacloudapi.cn"),
    }
)


def merge_cloud(name: str, written: CloudRows) -> Cloud:
    """Give the cloud that a table makes of the built-in one of its name, or of nothing."""
    base = BUILT_IN.get(name, Cloud(name=name))
    chosen = {entry.name: getattr(written, entry.name) or getattr(base, entry.name) for entry in fields(CloudRows)}
    return Cloud(name=name, **chosen)
