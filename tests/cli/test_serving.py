from tests.cli.conftest import CommandLine


def test_dev_takes_an_address_for_the_application(cli: CommandLine) -> None:
    """`dev --app` with something that is no address is refused in words, and nothing is started or written."""
    assert "--app: error: app.upstream" in cli.refused_settings("dev", "--app", "not an address").err
    assert list(cli.directory.iterdir()) == []


def test_serve_refuses_bad_settings(cli: CommandLine) -> None:
    """`serve` tells every finding, and starts nothing."""
    cli.settings(server={"listen": "nowhere"})
    assert "doorward.toml:2" in cli.refused_settings("serve").err
