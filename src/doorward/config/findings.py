"""What is wrong with the settings, as values.

Every finding names its place, its setting, what is wrong and how to mend it, and has a code that `doorward explain`
knows. All findings are gathered before anybody is told, so that one run of `doorward check` shows them all. A finding
never quotes the value of a secret or of an address that may carry one.
"""

from collections.abc import Sequence
from typing import Literal

from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.faults import SETTINGS_REJECTED
from doorward.base.frozen import frozen

Severity = Literal["error", "warning"]


@frozen
class Finding:
    """One thing that is wrong, or questionable, about the settings.

    `where` is `doorward.toml:12`, a variable's or an option's name, or `default`; `what` and `fix` are sentences.
    """

    severity: Severity
    code: str
    where: str
    setting: str
    what: str
    fix: str

    def line(self) -> str:
        """Print the finding on one line, place first, as compilers do."""
        return f"{self.where}: {self.severity}: {self.what} {self.fix} [{self.code}]"

    def members(self) -> dict[str, str]:
        """Give the finding as members of a JSON object."""
        return {
            "severity": self.severity,
            "code": self.code,
            "where": self.where,
            "setting": self.setting,
            "what": self.what,
            "fix": self.fix,
        }


class SettingsRejected(DoorwardError):
    """The settings cannot be used; `findings` says all that is wrong with them, warnings included."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Reject settings for the errors among `findings`."""
        errors = [finding for finding in findings if finding.severity == "error"]
        super().__init__(SETTINGS_REJECTED, errors=len(errors), first=errors[0].line() if errors else "")
        self.findings = tuple(findings)

    def __str__(self) -> str:
        """Show every finding on a line of its own."""
        return "\n".join(finding.line() for finding in self.findings)


def error(row: ErrorRow, *, where: str, setting: str, what: str, fix: str) -> Finding:
    """Make a finding that keeps the service from starting."""
    return Finding(severity="error", code=row.code, where=where, setting=setting, what=what, fix=fix)


def warning(row: ErrorRow, *, where: str, setting: str, what: str, fix: str) -> Finding:
    """Make a finding that is only told."""
    return Finding(severity="warning", code=row.code, where=where, setting=setting, what=what, fix=fix)
