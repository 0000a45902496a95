"""All settings together: frozen, typed, and each knows where it came from."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any, Literal

from doorward.base.frozen import frozen
from doorward.config.clouds import BUILT_IN, Cloud, CloudRows
from doorward.config.findings import Finding
from doorward.config.rows import Face, Row, Section, rows_of
from doorward.config.sections import (
    AuditSettings,
    DatabaseSettings,
    LogSettings,
    OutboundSettings,
    RateLimitsSettings,
    SecretsSettings,
    ServerSettings,
    TokenServiceSettings,
)
from doorward.config.sections_easyauth import (
    AppSettings,
    AuthSettings,
    ConsoleSettings,
    EasyAuthSettings,
    ProviderSettings,
)

Source = Literal["default", "file", "environment", "command line"]


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@frozen(kw_only=False)
class Origin:
    """Where a value came from: `where` is `doorward.toml:12`, a variable's name, an option, or `default`."""

    source: Source
    where: str

    def __str__(self) -> str:
        """Print the place alone."""
        return self.where


DEFAULT = Origin("default", "default")


@frozen
class SectionRow:
    """One section of the table: `named` sections are families of tables, such as `[clouds.NAME]`."""

    name: str
    section: type[Section]
    face: Face
    named: bool = False


SECTIONS: tuple[SectionRow, ...] = (
    SectionRow(name="server", section=ServerSettings, face="exchange"),
    SectionRow(name="app", section=AppSettings, face="easyauth"),
    SectionRow(name="auth", section=AuthSettings, face="easyauth"),
    SectionRow(name="easyauth", section=EasyAuthSettings, face="easyauth"),
    SectionRow(name="providers", section=ProviderSettings, face="easyauth", named=True),
    SectionRow(name="database", section=DatabaseSettings, face="exchange"),
    SectionRow(name="secrets", section=SecretsSettings, face="exchange"),
    SectionRow(name="token_service", section=TokenServiceSettings, face="exchange"),
    SectionRow(name="clouds", section=CloudRows, face="exchange", named=True),
    SectionRow(name="rate_limits", section=RateLimitsSettings, face="exchange"),
    SectionRow(name="audit", section=AuditSettings, face="exchange"),
    SectionRow(name="log", section=LogSettings, face="exchange"),
    SectionRow(name="console", section=ConsoleSettings, face="easyauth"),
    SectionRow(name="outbound", section=OutboundSettings, face="exchange"),
)


@frozen
class Settings:
    """Every setting, by section; `Settings()` is all defaults.

    `configured_clouds` are `global` and those that the settings name; a registration may enable others of `clouds`.
    `warnings` are the findings that do not keep the service from starting.
    """

    server: ServerSettings = field(default_factory=ServerSettings)
    app: AppSettings = field(default_factory=AppSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    easyauth: EasyAuthSettings = field(default_factory=EasyAuthSettings)
    providers: Mapping[str, ProviderSettings] = field(default_factory=_nothing)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    secrets: SecretsSettings = field(default_factory=SecretsSettings)
    token_service: TokenServiceSettings = field(default_factory=TokenServiceSettings)
    clouds: Mapping[str, Cloud] = field(default_factory=lambda: BUILT_IN)
    configured_clouds: frozenset[str] = frozenset({"global"})
    rate_limits: RateLimitsSettings = field(default_factory=RateLimitsSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    log: LogSettings = field(default_factory=LogSettings)
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
    outbound: OutboundSettings = field(default_factory=OutboundSettings)
    origins: Mapping[str, Origin] = field(default_factory=_nothing, repr=False, compare=False)
    warnings: tuple[Finding, ...] = field(default=(), repr=False, compare=False)

    def origin(self, name: str) -> Origin:
        """Say where a setting, named as `server.listen` or `clouds.global.keys_v2`, got its value from."""
        return self.origins.get(name, DEFAULT)


def section_named(name: str) -> SectionRow | None:
    """Find a section of the table."""
    return next((entry for entry in SECTIONS if entry.name == name), None)


def find_row(path: str) -> Row | None:
    """Find the row of a setting by its whole name, `server.listen` or `clouds.global.keys_v2`."""
    head, *rest = path.split(".")
    entry = section_named(head)
    if entry is None or len(rest) != (2 if entry.named else 1):
        return None
    return dict(rows_of(entry.section)).get(rest[-1])


def every_row() -> Iterator[tuple[SectionRow, str, Row]]:
    """Give each row of the table with its section and key; a named section's rows come once."""
    for entry in SECTIONS:
        for key, row in rows_of(entry.section):
            yield entry, key, row
