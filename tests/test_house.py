"""The house rules that no tool checks: sizes, docstrings, where time, chance and libraries come from."""

import ast
import re
import statistics
import sys

from tests.support.sources import length, sources, written_tests

MODULE_CEILING = 350
FUNCTION_CEILING = 60

OWNERS = {
    "alembic": {"store"},
    "asyncpg": {"store"},
    "click": {"cli"},
    "cryptography": {"protocol"},
    "fastapi": {"client"},
    "flask": {"client"},
    "httptools": {"inbound", "gateway"},
    "idna": {"base"},
    "jinja2": {"pages"},
    "oauthlib": {"protocol"},
    "prometheus_client": {"operations"},
    "pytest": {"testing"},
    "sqlalchemy": {"store"},
    "sqlite3": {"store"},
    "starlette": {"client", "emulator"},
    "tomllib": {"config", "keys"},
    "urllib3": {"outbound"},
    "uvicorn": {"inbound"},
    "uvloop": {"inbound"},
}
EVERYWHERE = {"doorward", "msgspec"}

TIME = {
    "datetime.date.today", "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.now", "date.today",
    "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.time", "time.time_ns",
}  # fmt: skip
MOMENT = re.compile(r"0|0\.00\d+|0\.0[12]")
CHANCE = {"os.urandom", "os.getrandom", "random", "secrets", "uuid.uuid1", "uuid.uuid4"}


def test_modules_stay_small() -> None:
    """No module is longer than can be held in mind; one that is wants to be two."""
    assert not [source.name for source in sources() if len(source.text.splitlines()) > MODULE_CEILING]


def test_functions_stay_short() -> None:
    """No function is longer than a page."""
    functions = ((source.name, function) for source in sources() for function in source.functions())
    long = [f"{name}: {function.name}" for name, function in functions if length(function) > FUNCTION_CEILING]
    assert not long


def test_most_functions_are_very_short() -> None:
    """Half of all functions have at most ten lines, and nine of ten have fewer than 35."""
    lengths = [length(function) for source in sources() for function in source.functions()]
    assert statistics.median(lengths) <= 10
    assert sum(lines < 35 for lines in lengths) >= 0.9 * len(lengths)


def test_modules_say_what_they_own() -> None:
    """Every module opens with what it owns."""
    assert not [source.name for source in sources() if not ast.get_docstring(source.tree)]


def test_tests_say_what_they_promise() -> None:
    """Every test has a line saying the promise that it holds."""
    functions = ((source.name, function) for source in written_tests() for function in source.functions())
    tests = ((name, function) for name, function in functions if function.name.startswith("test_"))
    assert not [f"{name}: {function.name}" for name, function in tests if not ast.get_docstring(function)]


def test_tests_never_sleep() -> None:
    """A test waits for what it waits for, looking again every 20 ms at most, and never for time to pass."""
    calls = [(source.name, node) for source in written_tests() for node in ast.walk(source.tree)]
    slept = [
        (name, ast.unparse(node.args[0]))
        for name, node in calls
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "asyncio.sleep"}
    ]
    assert not [f"{name}: {seconds}" for name, seconds in slept if not MOMENT.fullmatch(seconds)]


def test_time_comes_from_the_clock() -> None:
    """Only base/clock.py asks the machine for the time; everybody else is handed a Clock."""
    assert [source.name for source in sources() if source.used() & TIME] == ["src/doorward/base/clock.py"]


def test_chance_comes_from_entropy() -> None:
    """Only base/entropy.py asks the machine for random bytes; everybody else is handed an Entropy."""
    reaching = [source.name for source in sources() if (source.used() | source.imported()) & CHANCE]
    assert reaching == ["src/doorward/base/entropy.py"]


def test_errors_are_entered_on_the_ground_floor() -> None:
    """The catalogue's rows stand in base/ alone, where `doorward explain` and docs/errors.md find them all."""
    entering = [source for source in sources() if "doorward.base.errors.enter" in source.used()]
    assert not [source.name for source in entering if source.room != "base"]


def test_each_library_has_one_owner() -> None:
    """Each third-party library is imported by one package, so that it can be replaced in one place."""
    imports = [(source, name) for source in sources() for name in source.imported() - EVERYWHERE]
    unowned = {name for _, name in imports if name not in OWNERS and name not in sys.stdlib_module_names}
    assert not unowned, "name an owner in OWNERS"
    strangers = [
        f"{source.name}: {name}" for source, name in imports if source.room not in OWNERS.get(name, {source.room})
    ]
    assert not strangers
