"""docs/commands.md, made from the commands themselves; scripts/docs writes it and a test holds the file to it."""

import textwrap
from collections.abc import Iterator

import click

from doorward.cli.frame import CONFIG, Shared
from doorward.cli.main import doorward

_HEAD = """\
# Commands

<!-- Made from src/doorward/cli by scripts/docs -->

`--config FILE` names the settings file, for every command, and may stand before, between or after the command's words:
`doorward --config a.toml users list` and `doorward users list --config a.toml` are the same. Without it
`doorward.toml` in the current directory is read, if it is there. A command that needs the database creates it and
brings it to the newest schema, as `serve` does.

Results go to standard output, everything else to standard error. The exit status is 0 when the command did what it was
asked, 1 when that was refused or failed, and then nothing was changed, and 2 for wrong usage. An error is two lines:
what is wrong, with the code that `doorward explain CODE` knows, and how to mend it. `DOORWARD_DEBUG=1` in the
environment adds a traceback to an unexpected one.

Commands that change something work while the server runs, which takes notice within one second. What they did stands in
the audit trail. Options that may be given several times are repeated: `--org 1 --org 2`.

With `--json`, `list` prints an array of objects, `show` and `add` print one object. Times are RFC 3339 in UTC.

| noun | members |
|---|---|
| `orgs` | `id`, `name`, `enabled` |
| `registrations` | `id`, `client_id`, `name`, `cloud`, `tenants`, `organizations` (of `id`, `tenant`), \
`default_organization`, `domains` (of `domain`, `tenant`), `auto_create`, `allow_guests`, `refresh`, `enabled` |
| `users` | `id`, `email`, `full_name`, `organization_id`, `role`, `verified`, `enabled`, `created_at`; `show` adds \
`identities` (of `cloud`, `tenant`, `oid`, `preferred_username`, `email`, `name`, `linked_at`, `seen_at`) |
| `tokens` | one object a family: `id`, `user_id`, `client_id`, `created_at`, `expires_at` |
| `clients` | `id`, `client_id`, `name`, `created_at`; `add` prints `id`, `client_id`, `name`, `client_secret` |
| `keys` | `id`, `use`, `algorithm`, `created_at`, `active` |
| `audit` | `id`, `time`, `event`, `code`, `request_id`, `address`, `user_agent`, `client_id`, `cloud`, `tid`, `oid`, \
`user_id`, `organization_id`, `kid`, `token_digest`, `detail`, oldest first |
| `config show` | one member a setting, such as `server.listen`, with `value` and `origin` |
| `check` | an array: `severity`, `code`, `where`, `setting`, `what`, `fix` |

`doorward --version` prints name and version.
"""


def render_docs() -> str:
    """Make the whole page."""
    root = click.Context(doorward, info_name="doorward", obj=Shared())
    return _HEAD + "".join(_section(context) for context in leaves(root))


def leaves(context: click.Context) -> Iterator[click.Context]:
    """Give a context for every command that is not only a word on the way to others."""
    command = context.command
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None:
            yield from leaves(click.Context(inner, info_name=name, parent=context))


def _section(context: click.Context) -> str:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    about = "\n\n".join(_wrapped(paragraph) for paragraph in (command.help or "").split("\n\n"))
    options = [p for p in command.get_params(context) if isinstance(p, click.Option) and p is not CONFIG]
    records = [p.get_help_record(context) for p in options if "--help" not in p.opts]
    rows = "".join(f"| `{names}` | {_cell(text)} |\n" for names, text in filter(None, records))
    table = f"\n| option | |\n|---|---|\n{rows}" if rows else ""
    return f"\n## `{context.command_path}`\n\n    {context.command_path} {usage}\n\n{about}\n{table}"


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(" ".join(paragraph.split()), 120, break_on_hyphens=False)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
