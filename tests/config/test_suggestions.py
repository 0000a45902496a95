"""Suggestions for names that are not there."""

import pytest

from doorward.config.suggestions import suggest_key, suggest_path, suggest_section


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("SERVER.LISSEN", "server.listen"),
        ("sever.listen", "server.listen"),
        ("clouds.lab.keysv2", "clouds.lab.keys_v2"),
        ("secrets.signing_keys_file", "secrets.signing_key"),
        ("server.qqqq", None),
        ("qqqq.listen", None),
        ("clouds.keys_v2", None),
        ("server", None),
        ("", None),
    ],
)
def test_the_nearest_whole_name(path: str, meant: str | None) -> None:
    """The nearest section is chosen first, then its nearest key; nothing is proposed where nothing is near."""
    assert suggest_path(path) == meant


def test_sections_and_keys() -> None:
    """A misspelt section or key leads to the one meant, a misplaced key to its section."""
    assert suggest_section("datebase") == "Did you mean [database]?"
    assert suggest_section("leeway") == "Did you mean leeway in [token_service]?"
    assert suggest_key("lisen", ["server.listen", "server.workers"]) == "Did you mean server.listen?"
    assert suggest_key("qqqq", ["server.listen"]) == "Remove it; docs/settings.md lists every setting."
