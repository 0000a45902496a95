from doorward.cli.output import cell, table, visible


def test_wide_and_combining_characters_keep_the_columns() -> None:
    """A cell is as wide as a terminal shows it."""
    lines = table([["日本", "x"], ["abcd", "x"], ["e\u0301bcd", "x"]]).splitlines()
    assert lines == ["日本  x", "abcd  x", "e\u0301bcd  x"]


def test_control_characters_are_shown() -> None:
    """A name from outside cannot move the cursor or turn the text around."""
    assert visible("a\x1b[2J\u202eb\n") == "a\\x1b[2J\\u202eb\\n"


def test_values_are_written_for_people() -> None:
    """Nothing, truth, lists and pairs each have their form."""
    assert [cell(value) for value in (None, True, [], [1, 2], {"id": 1, "tenant": "t"})] == [
        "-", "yes", "-", "1, 2", "1=t",
    ]  # fmt: skip
