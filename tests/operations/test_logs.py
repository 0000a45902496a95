"""What a log line looks like, and that nobody can forge, break or lose one to an error."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.entropy import SeededEntropy
from doorward.base.secret import Secret
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import current_request
from doorward.operations import logs
from tests.support.canaries import canary


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Put the handlers and levels back that configure replaces."""
    root, ours = logging.getLogger(), logging.getLogger("doorward")
    before = list(root.handlers), root.level, ours.level
    yield
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)


def written(format: logs.Format, facts: object, *, event: str = "thing.happened", name: str = "doorward.test") -> str:  # noqa: A002 - the setting's name
    stream = io.StringIO()
    logs.configure(format=format, level="info", stream=stream)
    logging.getLogger(name).warning(event, extra={"facts": facts})
    return stream.getvalue()


def visit(path: str = "/a", query: str = "code=secret") -> Visit:
    trust = Trust(entropy=SeededEntropy(), public_url="http://a.example")
    return trust.visit(method="GET", path=path, query=query, raw_headers=[], peer="192.0.2.1", scheme="http")


def test_a_line_is_one_json_object() -> None:
    """A record is time, level, event and logger, followed by its facts."""
    entry = json.loads(written("json", {"kid": "k", "count": 3, "ok": True}))
    assert list(entry) == ["time", "level", "event", "logger", "kid", "count", "ok"]
    assert entry["time"].endswith("Z")
    assert (entry["level"], entry["event"], entry["logger"]) == ("warning", "thing.happened", "doorward.test")


text = st.text(st.characters(), max_size=50) | st.sampled_from(
    ["\n", "\r\n", "\u2028", "\x85", "\x1b[2J", "\x7f", "\ud800", '"}\n{"']
)
values = st.recursive(
    text | st.integers() | st.floats() | st.none() | st.booleans() | st.binary(max_size=9) | st.builds(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@given(facts=st.dictionaries(text, values, max_size=4), format=st.sampled_from(["json", "text"]))
def test_no_value_ends_a_line(facts: dict[str, object], format: logs.Format) -> None:  # noqa: A002 - the setting's name
    """Whatever the values are, a record is exactly one line of printable ASCII, in both formats."""
    line = written(format, facts)
    assert line.endswith("\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    assert len(line.splitlines()) == 1


def test_a_fact_cannot_pretend_to_be_the_head() -> None:
    """A fact with the name of a head field gets another name."""
    entry = json.loads(written("json", {"level": "error", "time": "0", "event": "x", "logger": "y"}))
    assert (entry["level"], entry["fact_level"]) == ("warning", "error")


def test_a_text_line_quotes_what_could_mislead() -> None:
    """In text, a value with white space, quotes or an equals sign stands in quotes."""
    line = written("text", {"plain": "a/b", "forged": "x status=200", "number": 1.5})
    assert line.rstrip().endswith('thing.happened plain=a/b forged="x status=200" number=1.5')


def test_secrets_show_stars() -> None:
    """A Secret among the facts stays one, also within a list."""
    line = written("json", {"key": Secret(canary("fact")), "keys": [Secret(canary("fact"))]})
    assert "CANARY" not in line


def test_the_running_request_is_named() -> None:
    """A record made while a request is answered has its id, though nobody passed it."""
    token = current_request.set("r-1")
    try:
        assert json.loads(written("json", {}))["request_id"] == "r-1"
    finally:
        current_request.reset(token)


def test_libraries_are_quoted() -> None:
    """A library's record is an event of ours with its message; below warning it is not written."""
    stream = io.StringIO()
    logs.configure(format="json", level="debug", stream=stream)
    logging.getLogger("urllib3").debug("quiet")
    logging.getLogger("asyncio").error("odd %s", "thing")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "library.message"
    assert json.loads(line)["message"] == "odd thing"


def test_stack_traces_have_no_values() -> None:
    """An exception is printed as classes and places, without its text."""
    stream = io.StringIO()
    logs.configure(format="json", level="info", stream=stream)
    try:
        int(canary("exception"))
    except ValueError:
        logging.getLogger("asyncio").exception("failed")
    entry = json.loads(stream.getvalue())
    assert entry["exception"] == ["ValueError"]
    assert "test_logs.py" in entry["traceback"][-1]
    assert "CANARY" not in stream.getvalue()


def test_logging_never_raises() -> None:
    """A record that cannot be formatted and a stream that cannot be written to are dropped."""

    class Rude:
        def __str__(self) -> str:
            raise RuntimeError("no")

    closed = io.StringIO()
    closed.close()
    logs.configure(format="json", level="info", stream=closed)
    logging.getLogger("doorward.test").info("thing.happened")
    assert written("json", {"rude": Rude()}) == ""
    logging.getLogger("asyncio").error("%d", "no number")


def test_long_values_are_cut() -> None:
    """A value as long as a head does not fill the log."""
    assert len(written("json", {"path": "a" * 100_000})) < 5000


def test_the_access_line_has_no_query() -> None:
    """An access line says who asked for what and how it went, never the query, and only where it is wanted."""
    stream = io.StringIO()
    logs.configure(format="json", level="info", stream=stream)
    counted: list[tuple[str, str, int, float]] = []

    def count(route: str, method: str, status: int, seconds: float) -> None:
        counted.append((route, method, status, seconds))

    for is_wanted in (True, False):
        observe = logs.observing(count, write_access_log=is_wanted)
        observe(visit("/a%0Ab"), "/a", 200, 0.25)
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["event"] == "http.request"
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/a%0Ab", 200)
    assert (entry["seconds"], entry["address"], len(entry["request_id"])) == (0.25, "192.0.2.1", 32)
    assert "secret" not in line
    assert counted == [("/a", "GET", 200, 0.25)] * 2
