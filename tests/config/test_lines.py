"""Lines of keys in TOML files."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from doorward.config.lines import key_lines, line_of

FILE = '''\
# [server] is not a table here
[server]  # a remark
listen = "a:1"

trusted_proxies = [
  "b = 2",  # c = 3
  "[not.a.table]",
]
text = """
d = 4
"""
"quoted" = 'x = """'

[ auth . platform ]
enabled = false
[auth.globalValidation]
excluded = { paths = ["/a"],
  more = 1 }
a.b = 1
[clouds."global"]
keys_v2 = ""
'''


def test_keys_are_found_on_their_lines() -> None:
    """Tables, keys, dotted and quoted names are found; remarks, strings and arrays are not taken for keys."""
    assert key_lines(FILE) == {
        ("server",): 2,
        ("server", "listen"): 3,
        ("server", "trusted_proxies"): 5,
        ("server", "text"): 9,
        ("server", "quoted"): 12,
        ("auth",): 14,
        ("auth", "platform"): 14,
        ("auth", "platform", "enabled"): 15,
        ("auth", "globalValidation"): 16,
        ("auth", "globalValidation", "excluded"): 17,
        ("auth", "globalValidation", "a", "b"): 19,
        ("clouds",): 20,
        ("clouds", "global"): 20,
        ("clouds", "global", "keys_v2"): 21,
    }


def test_an_inner_key_is_placed_at_what_holds_it() -> None:
    """A key of an inline table is placed at the key that holds the table, an unknown one nowhere."""
    lines = key_lines("server = { listen = 1 }\n")
    assert line_of(lines, ("server", "listen")) == 1
    assert line_of(lines, ("other",)) is None


@given(st.text(alphabet="ab.=[]{}\"'#\n\\ ", max_size=80))
def test_no_text_stops_the_scanner(text: str) -> None:
    """Any text, TOML or not, is scanned to its end, and no line is named that is not there."""
    assert all(1 <= line <= text.count("\n") + 1 for line in key_lines(text).values())


@given(
    st.dictionaries(st.sampled_from("abcd"), st.dictionaries(st.sampled_from("wxyz"), st.text(max_size=5)), max_size=4)
)
def test_every_key_of_an_ordinary_file_is_found(content: dict[str, dict[str, str]]) -> None:
    """Where TOML's reader sees a key of a table, the scanner knows its line."""
    lines = [
        line
        for table, members in content.items()
        for line in (f"[{table}]", *(f"{key} = {_quoted(value)}" for key, value in members.items()))
    ]
    text = "\n".join(lines)
    assert tomllib.loads(text) == content
    found = key_lines(text)
    for table, members in content.items():
        assert lines[found[table,] - 1] == f"[{table}]"
        for key in members:
            assert lines[found[table, key] - 1].startswith(f"{key} =")


def _quoted(value: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
