"""Our own source, read as syntax: what tests/test_house.py measures."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "doorward"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One module: its path below the checkout, its text, its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Give the path as it is shown, such as `src/doorward/base/text.py`."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def room(self) -> str:
        """Give the package or module directly below `doorward` that it belongs to."""
        return self.path.relative_to(PACKAGE).parts[0].removesuffix(".py")

    def functions(self) -> Iterator[Function]:
        """Give every function and method, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def imported(self) -> set[str]:
        """Give the top-level names of everything it imports."""
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
        return {name.partition(".")[0] for name in names}

    def used(self) -> set[str]:
        """Give every dotted name it mentions and every name it imports from a module, such as `time.time`."""
        dotted = {ast.unparse(node) for node in ast.walk(self.tree) if isinstance(node, ast.Attribute)}
        froms = [node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom)]
        return dotted | {f"{node.module}.{alias.name}" for node in froms for alias in node.names}


def length(function: Function) -> int:
    """Count a function's lines from `def` to its end, its docstring left out."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


@functools.cache
def sources() -> tuple[Source, ...]:
    """Read every module of the package."""
    return _read(PACKAGE)


@functools.cache
def written_tests() -> tuple[Source, ...]:
    """Read every module below tests/."""
    return _read(ROOT / "tests")


def _read(directory: Path) -> tuple[Source, ...]:
    texts = {path: path.read_text() for path in sorted(directory.rglob("*.py"))}
    return tuple(Source(path=path, text=text, tree=ast.parse(text)) for path, text in texts.items())
