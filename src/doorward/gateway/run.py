"""Header lines that stand together in a request, and all that follows from them.

The requests of one browser differ in a few lines, its cookies and where it comes from. What stands between these is the
same again and again, so it is remembered as a whole: one look into a table in place of one for each line. Only runs in
which every line may be remembered are (`line.Name.is_common`), and only after each was read by itself.
"""

from typing import TypeAlias, final

from doorward.gateway.fields import Fields
from doorward.gateway.line import Fate, Line, read_line, read_lines

Facts: TypeAlias = tuple[bytes, int | None, frozenset[bytes], tuple[bytes, ...], bool, bool]
"""What the judge reads out of `told`: host, length, options, offers, keeps_alive, expects_go_ahead (`head.Head`)."""
KNOWN_RUNS = 1024
KNOWN_RUN_BYTES = 2048
_CRLF = b"\r\n"
_APART = (b"\r\nReferer: ", b"\r\nCookie: ")
"""Where a run ends: lines that nearly every browser sends, and that may not be remembered."""


@final
class Run:
    """Some lines of a head, in order: `fields` are theirs, `told` those lines that the judge has to look at.

    `facts` are what the judge has read out of these, where it is remembered with the run (`is_known`).

    `kept` is what the application gets of them whoever asks, and `kept_elsewhere` the same without Host; both are None
    where that depends on the request.
    """

    __slots__ = ("facts", "fields", "is_known", "kept", "kept_elsewhere", "lines", "told")

    def __init__(self, lines: list[Line]) -> None:
        """Take lines as `read_lines` gives them."""
        self.lines = lines
        self.fields: Fields = tuple([line.field for line in lines])
        self.told = [line for line in lines if line.name.is_told]
        self.kept: bytes | None = None
        self.kept_elsewhere: bytes | None = None
        self.is_known = False
        self.facts: Facts | None = None
        for line in lines:
            if line.name.fate is Fate.IS_ASKED_ABOUT or line.name.fate is Fate.IS_WAY:
                return
        self.kept = self.kept_elsewhere = b"".join([line.raw for line in lines if line.passes])
        if self.told:
            self.kept = b"".join([line.raw for line in lines if line.passes or line.name.fate is Fate.IS_HOST])


_runs: dict[bytes, Run] = {}


def read_runs(block: bytes) -> list[Run]:
    """Read header lines, each with the line end before it; raises `Unreadable` for one that is none."""
    runs: list[Run] = []
    begun = 0
    for at in sorted([at for mark in _APART if (at := block.find(mark)) >= 0]):
        end = block.find(_CRLF, at + 2)
        if end < 0:
            end = len(block)
        if at > begun:
            runs.append(_read(block[begun:at]))
        runs.append(Run([read_line(block[at + 2 : end])]))
        begun = end
    if begun < len(block):
        runs.append(_read(block[begun:]))
    return runs


def _read(block: bytes) -> Run:
    known = _runs.get(block)
    if known is not None:
        return known
    run = Run(read_lines(block[2:].split(_CRLF)))
    if len(block) <= KNOWN_RUN_BYTES and all(line.name.is_common for line in run.lines):
        if len(_runs) >= KNOWN_RUNS:
            _runs.clear()
        run.is_known = True
        _runs[block] = run
    return run
