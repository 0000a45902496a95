"""Reading trees of any shape: findings, never a crash; and values where they stand."""

import json
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from doorward import providers
from doorward.config.auth_tree import plan_tree
from doorward.config.tree_keys import ANY_NAME, branch_of, keys_of
from doorward.config.tree_reading import Laid, TreeSource, key_at, read_tree
from doorward.config.tree_showing import effective_tree
from doorward.config.website_auth import OVER_THE_TREE, PREFIX
from tests.support.auth_trees import ENVIRONMENT, PUBLIC_URL, SEVERAL

KEYS = list(keys_of(providers.ALL.values()))
ROOT = branch_of(KEYS)
PIECES = sorted({piece for key in KEYS for piece in key.path} | {"properties", "contoso", "openIdConnectProviders"})
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from([
        "aad", "GitHub", "08:00:00", "1.00:00:00", "/a/*", "/auth-service", "https://a.example", "http://127.0.0.1:1",
        "https://login.microsoftonline.com/common/v2.0", "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET", "scope=openid",
        "app://x", "Custom", "AllowAnonymous", "http://[", "https://sts.windows.net/\u2603/", "https://a.example:x",
    ])
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(PIECES) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=40,
)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """Give a tree whose keys are known and whose values are anything."""
    tree: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=12)):
        here = tree
        for piece in key.path[:-1]:
            below = here.setdefault("contoso" if piece == ANY_NAME else piece, {})
            here = below if isinstance(below, dict) else {}
        here[key.path[-1]] = draw(JSON)
    return tree


GOOD: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "string": st.sampled_from(["", "~1", "aad", "an-id", "preferred_username"]),
    "name of a variable": st.sampled_from(["", *ENVIRONMENT]),
    "https URL": st.sampled_from(["", "https://a.example/x", "https://login.microsoftonline.com/common/v2.0"]),
    "list of strings": st.lists(st.sampled_from(["openid", "email", "g1"]), max_size=3),
    "list of paths": st.lists(st.sampled_from(["/a/*", "/b", "/caf\u00e9"]), max_size=3),
    "list of URLs": st.lists(st.sampled_from(["https://b.example/x?y", "app://callback"]), max_size=2),
    "list of `name=value`": st.lists(st.sampled_from(["prompt=login", "scope=a b"]), max_size=2, unique=True),
    "list of `name=value`, or of names": st.lists(st.sampled_from(["prompt=login", "acr_values"]), unique=True),
    "path": st.sampled_from(["", "/sign", "/a/b/"]),
    "duration, `hh:mm:ss`": st.sampled_from(["00:00:01", "26:00:00", "1.02:00:00", "90m"]),
    "number of hours": st.floats(0, 1000) | st.integers(0, 1000),
    "name of a header": st.sampled_from(["", "X-Host"]),
    "version, `v3.3`": st.sampled_from(["", "v3.3"]),
    "anything": JSON,
}


@st.composite
def good_trees(draw: st.DrawFn) -> dict[str, Any]:
    """Give a tree whose values fit their keys, one by one."""
    tree: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=20)):
        here = tree
        for piece in key.path[:-1]:
            here = here.setdefault("contoso" if piece == ANY_NAME else piece, {})
        number = st.integers(0, 0 if key.kind.name == "one of `ClientSecretPost`" else 1)
        here[key.path[-1]] = draw(GOOD.get(key.kind.name, number))
    return tree


def plan(tree: dict[str, Any], environment: dict[str, str]) -> tuple[Any, bool]:
    """Plan a tree; give the plan, and whether it may be served."""
    source = TreeSource(content=tree, place=lambda path: f"auth.json:{len(path)}")
    result = plan_tree(source, environment=environment, public_url=PUBLIC_URL)
    assert all(finding.line().isprintable() for finding in result.findings)
    return result, not any(finding.severity == "error" for finding in result.findings)


@settings(max_examples=100, deadline=None)
@given(tree=st.dictionaries(st.sampled_from(PIECES) | st.text(), JSON, max_size=6) | trees())
def test_no_tree_crashes_the_reader(tree: dict[str, Any]) -> None:
    """Whatever the JSON, there is a plan and there are findings; nothing is raised, and every finding is one line."""
    result, _ = plan(tree, ENVIRONMENT)
    json.dumps(effective_tree(result.values, result.plan))


@settings(max_examples=60, deadline=None)
@given(
    tree=trees(), name=st.sampled_from(sorted(OVER_THE_TREE)), value=st.text(min_size=1) | st.sampled_from(["1", "[]"])
)
def test_no_variable_crashes_the_reader(tree: dict[str, Any], name: str, value: str) -> None:
    """Variables over the tree are as strange as the tree itself."""
    plan(tree, ENVIRONMENT | {PREFIX + name: value})


@settings(max_examples=100, deadline=None)
@given(tree=good_trees())
def test_the_effective_tree_reads_back(tree: dict[str, Any]) -> None:
    """A tree that may be served comes back as JSON which gives the same plan, without a word about it."""
    result, good = plan(tree, ENVIRONMENT)
    event(f"may be served: {good}")
    if good:
        shown = json.loads(json.dumps(effective_tree(result.values, result.plan)))
        again, _ = plan(shown, ENVIRONMENT)
        assert again.plan == result.plan
        assert list(again.plan.providers) == list(result.plan.providers)


def test_a_whole_tree_reads_back() -> None:
    """Four providers survive the way through JSON, and the second time nothing changes."""
    result, good = plan(SEVERAL, ENVIRONMENT)
    assert good
    shown = effective_tree(result.values, result.plan)
    again, _ = plan(shown, ENVIRONMENT)
    assert again.plan == result.plan
    assert list(again.plan.providers) == list(result.plan.providers)
    assert effective_tree(again.values, again.plan) == shown


def test_each_key_is_read_where_it_stands() -> None:
    """The table and the reader agree about every path, and about the name of a custom provider in it."""
    for key in KEYS:
        path = tuple("contoso" if piece == ANY_NAME else piece for piece in key.path)
        assert key_at(ROOT, path) is key
        assert key.default is None or key.kind.parse(json.loads(json.dumps(key.kind.write(key.default)))) == key.default


def test_what_is_laid_over_a_key_hides_its_value() -> None:
    """A variable counts in place of the tree's value, even where that could not be read."""
    tree = {"login": {"nonce": {"validateNonce": "?"}}}
    laid = Laid(path=("login", "nonce", "validateNonce"), value="false", place="A_VARIABLE")
    values = read_tree(TreeSource(content=tree, place=lambda _: "auth.json"), ROOT, (laid,))
    assert values.findings == []
    assert not values.flag("login", "nonce", "validateNonce")
    assert values.place("login", "nonce", "validateNonce") == "A_VARIABLE"


def test_one_key_in_two_spellings_is_refused() -> None:
    """Where two spellings of one key stand side by side, it is not for us to say which counts."""
    tree = {"platform": {"enabled": True}, "Platform": {"enabled": False}}
    values = read_tree(TreeSource(content=tree, place=".".join), ROOT)
    assert [(entry.code, entry.where) for entry in values.findings] == [("setting_conflict", "Platform.enabled")]
