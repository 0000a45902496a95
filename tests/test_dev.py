"""Development mode as a person meets it: the box, its commands, its data, and what it does not let anybody change."""

import json
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.programs import Program, free_ports, run_doorward, start_doorward

LAST_WORDS = "Have the pretend Entra"
RULE = "-" * 100


def box_of(dev: Program) -> list[str]:
    """Give the commands of the box, once it has been printed."""
    dev.wait_until(lambda: dev.stdout.count(RULE) == 2, "the whole box")
    assert LAST_WORDS in dev.stdout
    return [line for line in dev.stdout.splitlines() if line.startswith("curl ")]


def answer(command: str, directory: Path) -> dict[str, object]:
    """Run one pasted command in a shell, and read what it prints; of a list, the one element."""
    done = subprocess.run(["sh", "-c", command], cwd=directory, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return found[0] if isinstance(found, list) else found


def is_good(found: dict[str, object]) -> bool:
    """Say whether an answer is that of a call that worked."""
    return any((found.get("success") is True, found.get("active") is True, "token" in found, "user_id" in found))


def test_commands_work_in_any_order_from_anywhere(tmp_path: Path) -> None:
    """Every command of the box is one whole line, and works from another directory, backwards, and twice."""
    port = free_ports(4)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with start_doorward("dev", "--port", str(port), cwd=tmp_path, prints_secrets=True) as dev:
        commands = box_of(dev)
        assert len(commands) == 6
        for command in (*reversed(commands), *commands):
            assert is_good(answer(command, elsewhere)), command


def test_the_option_beats_file_and_environment(tmp_path: Path) -> None:
    """With --port the listeners are on N, N+1 and N+2, whatever a file or a variable says."""
    port, other = free_ports(4), free_ports(4)
    (tmp_path / "own.toml").write_text(f'[server]\nlisten = "127.0.0.1:{other}"\n')
    env = {"DOORWARD_SERVER__ADMIN_LISTEN": f"127.0.0.1:{other + 1}"}
    arguments = ("dev", "--config", "own.toml", "--port", str(port))
    with start_doorward(*arguments, cwd=tmp_path, env=env, prints_secrets=True) as dev:
        dev.wait_for_url(f"http://127.0.0.1:{port + 1}/readyz")
        assert all(f"http://127.0.0.1:{port}/" in line for line in box_of(dev)[:4])


def test_its_own_data_keys_and_provider_stay(tmp_path: Path) -> None:
    """A file made for production neither lends its database nor breaks the box: keys, TLS and clouds are dev's own."""
    port = free_ports(4)
    (tmp_path / "own.toml").write_text(
        '[server]\npublic_url = "https://app.example.com"\n'
        '[database]\nurl = "sqlite:///mine.db"\n'
        '[token_service]\nsubscription_key = "CANARY-not-secret"\n'
        '[clouds.global]\nkeys_v2 = "https://keys.example.com/keys"\n'.replace("CANARY-", "")
    )
    arguments = ("dev", "--config", "own.toml", "--port", str(port))
    with start_doorward(*arguments, cwd=tmp_path, prints_secrets=True) as dev:
        for command in box_of(dev):
            assert is_good(answer(command, tmp_path)), command
    assert not (tmp_path / "mine.db").exists()


def test_a_second_one_leaves_the_first_its_box(tmp_path: Path) -> None:
    """Two from one directory, or one started again: the commands of both boxes work."""
    first, second = free_ports(4), free_ports(4)
    with start_doorward("dev", "--port", str(first), cwd=tmp_path, prints_secrets=True) as one:
        commands = box_of(one)
        with start_doorward("dev", "--port", str(second), cwd=tmp_path, prints_secrets=True) as other:
            for command in (*commands, *box_of(other)):
                assert is_good(answer(command, tmp_path)), command


def test_other_commands_work_on_its_data(tmp_path: Path) -> None:
    """The settings file that it writes leads other commands to its database, and `--fresh` empties that."""
    port = free_ports(4)
    config = ".doorward/dev/doorward.toml"
    with start_doorward("dev", "--port", str(port), cwd=tmp_path, prints_secrets=True) as dev:
        box_of(dev)
        run_doorward("--config", config, "users", "add", "extra@contoso.com", "--org", "1", cwd=tmp_path)
        listed = run_doorward("--config", config, "users", "list", "--json", cwd=tmp_path)
        assert {user["email"] for user in json.loads(listed.stdout)} == {"jane@contoso.com", "extra@contoso.com"}
    with start_doorward("dev", "--port", str(port), "--fresh", cwd=tmp_path, prints_secrets=True) as dev:
        box_of(dev)
        listed = run_doorward("--config", config, "users", "list", "--json", cwd=tmp_path)
        assert {user["email"] for user in json.loads(listed.stdout)} == {"jane@contoso.com"}


def test_serve_refuses_what_dev_made_public(tmp_path: Path) -> None:
    """Neither dev's keys nor its client get into production: the fix is named."""
    port = free_ports(4)
    with start_doorward("dev", "--port", str(port), cwd=tmp_path, prints_secrets=True) as dev:
        box_of(dev)
    refused = run_doorward("serve", "--config", ".doorward/dev/doorward.toml", cwd=tmp_path)
    assert refused.returncode == 1
    assert "[setting_unsafe]" in refused.stderr
    keys = {"DOORWARD_SECRETS__ENCRYPTION_KEY": "ab" * 32, "DOORWARD_SECRETS__SIGNING_KEY": "cd" * 32}
    discard = ("keys", "rotate", "--discard-unreadable", "--config", ".doorward/dev/doorward.toml")
    assert run_doorward(*discard, cwd=tmp_path, env=keys).returncode == 0
    settings = tmp_path / ".doorward" / "dev" / "doorward.toml"
    given = settings.read_text()
    before, _, behind = given.partition("[auth]")
    behind = behind.partition("[providers")[0].partition("[database]")[2]
    settings.write_text(f"{before}[auth.platform]\nenabled = false\n[database]{behind}")
    listen = {"DOORWARD_SERVER__LISTEN": f"127.0.0.1:{port}", "DOORWARD_SERVER__ADMIN_LISTEN": f"127.0.0.1:{port + 1}"}
    refused = run_doorward("serve", "--config", ".doorward/dev/doorward.toml", cwd=tmp_path, env={**keys, **listen})
    assert refused.returncode == 1
    assert "[dev_client_present]" in refused.stderr


def test_a_file_in_the_way_of_its_data(tmp_path: Path) -> None:
    """A file where its directory should be is told as what it is."""
    (tmp_path / ".doorward").write_text("")
    refused = run_doorward("dev", "--port", str(free_ports(4)), cwd=tmp_path)
    assert refused.returncode == 1
    assert "[dev_data_unusable]" in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_while_it_starts(tmp_path: Path, number: signal.Signals) -> None:
    """A stop or a reload that comes before it serves ends it cleanly or is passed over; it never dies of it."""
    port = free_ports(4)
    with start_doorward("dev", "--port", str(port), cwd=tmp_path, prints_secrets=True) as dev:
        dev.wait_until((tmp_path / ".doorward" / "dev" / "doorward.toml").exists, "its data")
        dev.signal(number)
        if number == signal.SIGHUP:
            box_of(dev)
            assert dev.stop() == 0
        else:
            assert dev.wait() == 0


def test_commands_are_plain_shell_words(tmp_path: Path) -> None:
    """No command of the box needs more than a shell that can quote."""
    port = free_ports(4)
    with start_doorward("dev", "--port", str(port), cwd=tmp_path, prints_secrets=True) as dev:
        assert all(shlex.split(command)[0] == "curl" for command in box_of(dev))


FROM_APP_SERVICE = {
    "id": "/subscriptions/1/resourceGroups/r/providers/Microsoft.Web/sites/app/config/authsettingsV2",
    "properties": {
        "platform": {"enabled": True},
        "globalValidation": {"requireAuthentication": True, "unauthenticatedClientAction": "RedirectToLoginPage"},
        "identityProviders": {
            "azureActiveDirectory": {
                "registration": {
                    "openIdIssuer": "https://login.microsoftonline.com/organizations/v2.0",
                    "clientId": "11111111-aaaa-4aaa-8aaa-000000000001",
                    "clientSecretSettingName": "SOME_SECRET",
                }
            }
        },
        "httpSettings": {"requireHttps": True},
    },
}


def test_a_tree_from_app_service_is_served_in_plain_http(tmp_path: Path) -> None:
    """A tree as Azure prints it sends browsers to the pretend provider, though it demands HTTPS and many tenants.

    Commands beside it see the same.
    """
    port = free_ports(4)
    (tmp_path / "auth.json").write_text(json.dumps(FROM_APP_SERVICE))
    (tmp_path / "own.toml").write_text('[server]\npublic_url = "https://app.example.com"\n[auth]\nfile = "auth.json"\n')
    asked = f"curl -sS -o /dev/null -A Mozilla/5.0 -w '[\"%{{redirect_url}}\"]' http://127.0.0.1:{port}/page"
    with start_doorward("dev", "--config", "own.toml", "--port", str(port), cwd=tmp_path, prints_secrets=True) as dev:
        box_of(dev)
        sent = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, check=True).stdout
        own = ("--config", ".doorward/dev/doorward.toml")
        told = run_doorward(*own, "explain", "--request", "GET", "/page", "--user-agent", "Mozilla/5.0", cwd=tmp_path)
    assert sent.startswith(f'["http://127.0.0.1:{port + 2}/organizations/oauth2/v2.0/authorize?')
    assert "sent to sign in at aad" in told.stdout
