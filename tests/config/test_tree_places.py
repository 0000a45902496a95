"""On which line a name of a JSON text stands."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from doorward.config.tree_places import name_lines

NESTED: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


def test_each_name_has_its_line() -> None:
    """Names are found in objects of objects, whatever quotes, escapes and brackets stand in values."""
    text = '{\n "a": {"b": "}\\"{:", "c": 1},\n\n "d": [\n  {"e": 1}\n ],\n "f\\u0041": "x",\n "g":\n  {"h": null}}'
    assert name_lines(text) == {
        ("a",): 2,
        ("a", "b"): 2,
        ("a", "c"): 2,
        ("d",): 4,
        ("fA",): 7,
        ("g",): 8,
        ("g", "h"): 9,
    }


@given(tree=st.dictionaries(st.text(max_size=6), NESTED, max_size=4))
def test_every_name_outside_of_arrays_is_found(tree: dict[str, Any]) -> None:
    """Exactly the paths of objects in objects are found, each on the line that shows its name."""
    text = json.dumps(tree, indent=1)
    found = name_lines(text)
    assert set(found) == set(_paths(tree))
    lines = text.split("\n")
    assert all(f"{json.dumps(path[-1])}:" in lines[line - 1] for path, line in found.items())


def _paths(tree: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = []
    for name, value in tree.items():
        paths += [(*above, name)]
        if isinstance(value, dict):
            paths += _paths(value, (*above, name))  # pyright: ignore[reportUnknownArgumentType] - JSON
    return paths
