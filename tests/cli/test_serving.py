from tests.cli.conftest import CommandLine


def test_dev_has_no_gateway_yet(cli: CommandLine) -> None:
    """`dev --app` is refused in words, and nothing is started or written."""
    cli.refused("setting_not_in_release", "dev", "--app", "http://127.0.0.1:3000")
    assert list(cli.directory.iterdir()) == []


def test_serve_refuses_bad_settings(cli: CommandLine) -> None:
    """`serve` tells every finding, and starts nothing."""
    cli.settings(server={"listen": "nowhere"})
    assert "doorward.toml:2" in cli.refused_settings("serve").err
