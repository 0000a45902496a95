"""What all commands share: `--config` in any place, the settings, and commands that are imported when they are used.

`--config` may stand before, between and after a command's words, so every command takes it, but once alone: of two
files neither would be the one that is certainly meant.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:  # what the providers say of themselves comes with the settings, and `--version` waits for neither
    from doorward.config.settings import Settings
    from doorward.config.sources import Options, Override, Purpose


@dataclass(slots=True)
class Shared:
    """What was said anywhere in a command line: the settings file, or None where none was named."""

    config: str | None = None


def _note_config(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> None:
    found = context.ensure_object(Shared)
    for value in values:
        if found.config is not None:
            raise click.BadParameter("more than one settings file is named.", context, parameter)
        found.config = value


CONFIG = click.Option(
    ["--config"],
    metavar="FILE",
    multiple=True,
    expose_value=False,
    callback=_note_config,
    help="The settings file.  [default: doorward.toml, if it is there]",
)


class _Whole(click.Command):
    def get_short_help_str(self, limit: int = 45) -> str:
        """Give the first sentence of the help, whole: a list of commands is not the place for riddles."""
        del limit
        return " ".join((self.help or "").split("\n\n")[0].split())


class Verb(_Whole):
    """A command that takes `--config`."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Give the command's own parameters, then `--config`."""
        own = super().get_params(ctx)
        return [*own[:-1], CONFIG, *own[-1:]]  # --help stays the last


class Words(_Whole, click.Group):
    """A command whose next word is a command, such as `doorward users`; it takes `--config`, too."""

    command_class = Verb

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Give the command's own parameters, then `--config`."""
        own = super().get_params(ctx)
        return [*own[:-1], CONFIG, *own[-1:]]


class LazyWords(Words):
    """Words whose commands are imported when somebody says them: `--version` waits for no database driver."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **kwargs: Any) -> None:
        """Take for each word the module that holds its command under the word's own name."""
        super().__init__(*args, **kwargs)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, in the order of the table."""
        del ctx
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None for a word that is none."""
        del ctx
        module = self._modules.get(cmd_name)
        return None if module is None else cast("click.Command", getattr(importlib.import_module(module), cmd_name))


def shared() -> Shared:
    """Give what was said anywhere in this command line."""
    return click.get_current_context().ensure_object(Shared)


def options_for(purpose: "Purpose", *overrides: "Override", presets: Mapping[str, object] | None = None) -> "Options":
    """Say where the settings of this command line come from."""
    from doorward.config.sources import Options  # noqa: PLC0415 - see above

    return Options(config=shared().config, purpose=purpose, overrides=overrides, presets=presets or {})


def settings_for(purpose: "Purpose") -> "Settings":
    """Read the settings; raises `SettingsRejected`."""
    from doorward.config.loading import load  # noqa: PLC0415 - see above

    return load(options_for(purpose))
