"""From files, variables and options to settings or findings."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from doorward.base.errors import DoorwardError, catalogue
from doorward.base.secret import Secret
from doorward.config.addresses import Address
from doorward.config.dev_keys import DEV_ENCRYPTION_KEY, DEV_SIGNING_KEY
from doorward.config.findings import Finding, SettingsRejected
from doorward.config.loading import check, load
from doorward.config.settings import Settings
from doorward.config.sources import Options, Override, Purpose

KEY, OTHER_KEY = "a1" * 32, "b2" * 32


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def options(
    text: str | None = None, environment: Mapping[str, str] | None = None, purpose: Purpose = "serve", **values: object
) -> Options:
    """Give options with `text` as doorward.toml and `values` as given on the command line, `__` for a dot."""
    if text is not None:
        Path("doorward.toml").write_text(text, encoding="utf-8")
    overrides = [
        Override(setting=name.replace("__", "."), value=value, option=f"--{name}") for name, value in values.items()
    ]
    return Options(environment=environment or {}, purpose=purpose, overrides=overrides)


def found(
    text: str | None = None, environment: Mapping[str, str] | None = None, purpose: Purpose = "serve", **values: object
) -> list[tuple[str, str, str, str]]:
    """Give severity, code, place and setting of every finding about what `options` gives."""
    return [facts(finding) for finding in check(options(text, environment, purpose, **values))]


def facts(finding: Finding) -> tuple[str, str, str, str]:
    """Give what a program reads of a finding."""
    return finding.severity, finding.code, finding.where, finding.setting


# --- what counts more --------------------------------------------------------------------------------------------


def test_without_anything_all_is_default() -> None:
    """`doorward serve` without any file starts, with the interface's defaults."""
    settings = load(options())
    assert settings == Settings()
    assert settings.server.listen == Address("127.0.0.1", 8080)
    assert settings.server.public_url == "http://127.0.0.1:8080"
    assert settings.token_service.leeway == 60
    assert str(settings.origin("server.listen")) == "default"
    assert not settings.warnings


def test_each_source_beats_the_one_below() -> None:
    """Command line over DOORWARD_ over WEBSITE_AUTH_ over file over presets; each value says where it is from."""
    environment = {"doorward_server__workers": "3", "WEBSITE_AUTH_SIGNING_KEY": KEY, "DOORWARD_LOG__LEVEL": "error"}
    text = (
        f'[server]\nworkers = 2\nhead_timeout = "3s"\n[secrets]\nsigning_key = "{OTHER_KEY}"\n[log]\nlevel = "debug"\n'
    )
    presets = {"server.head_timeout": "9s", "server.idle_timeout": "9s"}
    given = options(text, environment, log__level="warning")
    settings = load(Options(presets=presets, environment=environment, overrides=given.overrides))
    assert (settings.server.workers, str(settings.origin("server.workers"))) == (3, "doorward_server__workers")
    assert settings.secrets.signing_key == Secret(KEY)
    assert str(settings.origin("secrets.signing_key")) == "WEBSITE_AUTH_SIGNING_KEY"
    assert (settings.log.level, str(settings.origin("log.level"))) == ("warning", "--log__level")
    assert (settings.server.head_timeout, str(settings.origin("server.head_timeout"))) == (3, "doorward.toml:3")
    assert (settings.server.idle_timeout, settings.origin("server.idle_timeout").source) == (9, "default")


def test_our_own_variable_beats_app_services() -> None:
    """DOORWARD_SECRETS__SIGNING_KEY is what counts where WEBSITE_AUTH_SIGNING_KEY is set, too."""
    environment = {"WEBSITE_AUTH_SIGNING_KEY": KEY, "DOORWARD_SECRETS__SIGNING_KEY": OTHER_KEY}
    assert load(options(None, environment)).secrets.signing_key == Secret(OTHER_KEY)


def test_an_unfilled_variable_of_app_service_hides_no_key() -> None:
    """An empty WEBSITE_AUTH_SIGNING_KEY leaves the file's key in place."""
    settings = load(options(f'[secrets]\nsigning_key = "{KEY}"\n', {"WEBSITE_AUTH_SIGNING_KEY": ""}))
    assert settings.secrets.signing_key == Secret(KEY)


def test_variables_are_read_by_kind() -> None:
    """Lists, booleans, integers, sizes and durations are read from variables; clouds by name."""
    environment = {
        "DOORWARD_SERVER__TRUSTED_PROXIES": "10.0.0.0/8, ::1",
        "DOORWARD_SERVER__ACCESS_LOG": "false",
        "DOORWARD_SERVER__HEAD_LIMIT": "65536",
        "DOORWARD_SERVER__DRAIN_TIMEOUT": "00:01:00",
        "DOORWARD_CLOUDS__GLOBAL__KEYS_V2": "https://keys.example/v2",
        "DOORWARD_CLOUDS__CHINA__KEYS_V1": "",
        "DOORWARD_PORT_8080_TCP": "set by an orchestrator, and no setting",
    }
    settings = load(options(None, environment))
    assert [str(network) for network in settings.server.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert (settings.server.access_log, settings.server.head_limit) == (False, 65536)
    assert settings.server.drain_timeout == 60
    assert settings.clouds["global"].keys_v2 == "https://keys.example/v2"
    assert settings.configured_clouds == {"global", "china"}


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_secrets_come_from_files(ending: str) -> None:
    """A variable with _FILE names a file; one line end after the secret does not belong to it."""
    Path("key").write_bytes(f"{KEY}{ending}".encode())
    Path("url").write_bytes(f"postgresql://u:p@h/n{ending}".encode())
    environment = {
        "DOORWARD_SECRETS__ENCRYPTION_KEY_FILE": "key",
        "WEBSITE_AUTH_SIGNING_KEY": OTHER_KEY,
        "DOORWARD_DATABASE__URL_FILE": "url",
    }
    settings = load(options(None, environment))
    assert settings.secrets.encryption_key == Secret(KEY)
    assert settings.database.url == "postgresql://u:p@h/n"
    assert settings.database.engine == "postgres"
    assert str(settings.origin("secrets.encryption_key")) == "DOORWARD_SECRETS__ENCRYPTION_KEY_FILE"


def test_only_the_named_file_is_read() -> None:
    """--config names the file; ./doorward.toml is read only without it."""
    Path("other.toml").write_text("[server]\nworkers = 7\n")
    options("[server]\nworkers = 2\n")
    assert load(Options(config="other.toml", environment={})).server.workers == 7
    assert load(Options(environment={})).server.workers == 2
    assert load(Options(environment={}, purpose="dev")).server.workers == 1


def test_settings_do_not_change_and_do_not_print_secrets() -> None:
    """Settings are frozen, and whoever logs them whole logs no secret."""
    text = f'[secrets]\nsigning_key = "{KEY}"\nencryption_key = "{OTHER_KEY}"\n'
    settings = load(options(text + '[database]\nurl = "postgresql://u:hunter2@h/n"\n'))
    assert not any(secret in repr(settings) for secret in (KEY, OTHER_KEY, "hunter2"))
    with pytest.raises(FrozenInstanceError):
        settings.server.__setattr__("workers", 2)


def test_the_auth_tree_is_kept_as_it_was_written() -> None:
    """An auth tree that is switched off is accepted, inline or from App Service's own file, and kept unread."""
    inline = load(options("[auth.platform]\nenabled = false\n[auth.login]\nx = 1\n"))
    assert inline.auth.tree == {"platform": {"enabled": False}, "login": {"x": 1}}
    Path("auth.json").write_text('{"platform": {"enabled": false}}')
    from_file = load(options('[auth]\nfile = "auth.json"\n'))
    assert from_file.auth.tree == {"platform": {"enabled": False}}
    assert load(options("")).auth.tree is None


# --- what is refused ---------------------------------------------------------------------------------------------

FILES = [
    ("[server]\nlissen = 1\n", "setting_unknown", 2, "server.lissen"),
    ("[sever]\n", "setting_unknown", 1, "sever"),
    ("workers = 1\n", "setting_unknown", 1, "workers"),
    ("\nserver = 1\n", "setting_invalid", 2, "server"),
    ("[clouds]\nglobal = 1\n", "setting_invalid", 2, "clouds.global"),
    ('[clouds."a b"]\n', "setting_invalid", 1, "clouds.a b"),
    ("[clouds.global]\nkeys = 1\n", "setting_unknown", 2, "clouds.global.keys"),
    ("[providers.google]\nissuer = 1\n", "setting_invalid", 2, "providers.google.issuer"),
    ("[server]\nworkers = 0\n", "setting_invalid", 2, "server.workers"),
    ("[server]\nworkers = true\n", "setting_invalid", 2, "server.workers"),
    ('[server]\naccess_log = "true"\n', "setting_invalid", 2, "server.access_log"),
    ("[server]\nlisten = 8080\n", "setting_invalid", 2, "server.listen"),
    ("[server.listen]\n", "setting_invalid", 1, "server.listen"),
    ("[server]\nadditional_hosts = 'a'\n", "setting_invalid", 2, "server.additional_hosts"),
    ("[token_service]\nleeway = '301s'\n", "setting_invalid", 2, "token_service.leeway"),
    ("[token_service]\nrefresh_grace = '61s'\n", "setting_invalid", 2, "token_service.refresh_grace"),
    ("[token_service]\naccess_token_lifetime = '0s'\n", "setting_invalid", 2, "token_service.access_token_lifetime"),
    ("[token_service]\ndefault_organization = 0\n", "setting_invalid", 2, "token_service.default_organization"),
    ("[token_service]\nreplay = 'maybe'\n", "setting_invalid", 2, "token_service.replay"),
    ("[token_service]\ncors_origins = ['*']\n", "setting_invalid", 2, "token_service.cors_origins"),
    ("[rate_limits]\nfailures = 1.5\n", "setting_invalid", 2, "rate_limits.failures"),
    ("[secrets]\nsigning_key = 'abc'\n", "setting_invalid", 2, "secrets.signing_key"),
    ("[database]\nurl = 'postgres://h/n'\n", "setting_invalid", 2, "database.url"),
    ("[server]\npublic_url = 'http://app.example.com'\n", "setting_invalid", 2, "server.public_url"),
    ("[clouds.global]\nkeys_v2 = 'http://keys.example'\n", "setting_invalid", 2, "clouds.global.keys_v2"),
    ("[clouds.global]\nissuer_v2 = 'https://a.example/v2.0'\n", "setting_invalid", 2, "clouds.global.issuer_v2"),
    ("[clouds.lab]\nissuer_v2 = 'https://a.example/{tenantid}'\n", "setting_missing", 1, "clouds.lab.keys_v2"),
    ("[clouds.lab]\nkeys_v1 = 'https://a.example/'\n", "setting_missing", 1, "clouds.lab.issuer_v1"),
    ("[clouds.lab]\n", "setting_missing", 1, "clouds.lab"),
    ("[server]\nadmin_listen = '127.0.0.1:8080'\n", "setting_conflict", 2, "server.admin_listen"),
    ("[server]\nadmin_listen = '0.0.0.0:8080'\n", "setting_conflict", 2, "server.admin_listen"),
    ("[server]\nlisten = '0.0.0.0:8080'\n", "setting_missing", 2, "server.public_url"),
    ("[app]\nupstream = 'http://127.0.0.1:3000'\n", "setting_missing", 2, "auth"),
    ("[app]\nupstream = ['http://127.0.0.1:3000']\n", "setting_missing", 2, "auth"),
    ("[auth.platform]\nenabled = 'false'\n", "setting_invalid", 2, "auth.platform.enabled"),
    ("[auth]\nplatform = 0\n", "setting_invalid", 2, "auth.platform"),
    ("[auth]\nfile = 'missing.json'\n", "settings_file_unreadable", 2, "auth.file"),
    ("[auth]\nfile = 'x.json'\nplatform = {enabled = false}\n", "setting_conflict", 2, "auth.file"),
    ("[outbound]\nca_file = 'missing.pem'\n", "settings_file_unreadable", 2, "outbound.ca_file"),
    (f"[secrets]\nsigning_key = '{DEV_SIGNING_KEY}'\n", "setting_unsafe", 2, "secrets.signing_key"),
    (f"[secrets]\nencryption_key = '{DEV_ENCRYPTION_KEY.upper()}'\n", "setting_unsafe", 2, "secrets.encryption_key"),
    ("[server]\ntls_key = 'doorward.toml'\n", "setting_missing", 2, "server.tls_certificate"),
]


@pytest.mark.parametrize(("text", "code", "line", "setting"), FILES, ids=[f"{row[3]}-{row[1]}" for row in FILES])
def test_a_bad_file_has_one_error_at_its_line(text: str, code: str, line: int, setting: str) -> None:
    """Each fault of a file is one error that names the code, the line and the setting, and nothing beside it."""
    errors = [finding for finding in found(text) if finding[0] == "error"]
    assert errors == [("error", code, f"doorward.toml:{line}", setting)]


@pytest.mark.parametrize(
    ("text", "code", "line", "setting"),
    [
        ("[server]\ntrusted_proxies = ['0.0.0.0/0']\n", "setting_unsafe", 2, "server.trusted_proxies"),
        ("[clouds.global]\nkeys_v2 = 'http://127.0.0.1:9/k'\n", "setting_unsafe", 2, "clouds.global.keys_v2"),
        ("[token_service]\nfamily_lifetime = '8d'\naccess_token_lifetime = '9d'\n", "setting_without_effect", 3,
         "token_service.access_token_lifetime"),
        ("[console]\noperators = ['a@b.example']\n", "setting_without_effect", 2, "console"),
        ("[easyauth]\nprofile = '2016'\n", "setting_without_effect", 2, "easyauth"),
        ("[providers.google]\nissuer = 'https://a.example'\n", "setting_without_effect", 1, "providers"),
        (f"[secrets]\nsigning_key = '{KEY}'\nencryption_key = '{KEY.upper()}'\n", "setting_unsafe", 2,
         "secrets.signing_key"),
    ],
)  # fmt: skip
def test_what_is_questionable_is_a_warning(text: str, code: str, line: int, setting: str) -> None:
    """What is legal but questionable is one warning, which is kept to be logged and does not prevent the start."""
    expected = [("warning", code, f"doorward.toml:{line}", setting)]
    assert found(text) == expected
    assert [facts(warning) for warning in load(options(text)).warnings] == expected


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"[server]\nlisten = \n", "doorward.toml:2:10"),
        (b"[server]\nlisten = 'a", "doorward.toml:2:12"),
        (b"[server]\n[server]\n", "doorward.toml:2:8"),
        (b"[server]\nlisten = '\xff'\n", "doorward.toml:2"),
        (b"\xef\xbb\xbf[server]\nlisten = \n", "doorward.toml:2:10"),
        (b"\xef\xbb\xbf\xef\xbb\xbf[server]\n", "doorward.toml:1:1"),
    ],
)
def test_bad_syntax_is_placed(raw: bytes, where: str) -> None:
    """What is not TOML in UTF-8 is refused with line and column, and nothing else is said about the file."""
    Path("doorward.toml").write_bytes(raw)
    assert [(entry[1], entry[2]) for entry in found()] == [("settings_syntax", where)]


def test_a_byte_order_mark_is_passed_over() -> None:
    """What an editor on Windows puts before the text is no part of it."""
    Path("auth.json").write_bytes(b'\xef\xbb\xbf{"platform": {"enabled": false}}')
    Path("doorward.toml").write_bytes(b'\xef\xbb\xbf[auth]\r\nfile = "auth.json"\r\n')
    assert load(Options(environment={})).auth.tree == {"platform": {"enabled": False}}


@pytest.mark.parametrize("name", ["missing.toml", ".", "", "\0"])
def test_a_file_that_is_not_there_is_refused(name: str) -> None:
    """A file that was asked for has to be there; defaults in its place would be a surprise."""
    findings = check(Options(config=name, environment={}))
    assert [(finding.code, finding.setting) for finding in findings] == [("settings_file_unreadable", "--config")]


@pytest.mark.parametrize(
    ("variable", "value", "code", "words"),
    [
        ("DOORWARD_SERVER__LISSEN", "", "setting_unknown", "Did you mean DOORWARD_SERVER__LISTEN?"),
        ("doorward_severs__lisen", "", "setting_unknown", "Did you mean DOORWARD_SERVER__LISTEN?"),
        ("DOORWARD_SERVER__QQQQ", "", "setting_unknown", "docs/settings.md"),
        ("DOORWARD_CLOUDS__GLOBAL__KEYS_V3", "", "setting_unknown", "DOORWARD_CLOUDS__GLOBAL__KEYS_V"),
        ("DOORWARD_CLOUDS__A B__KEYS_V2", "", "setting_unknown", ""),
        ("DOORWARD_AUTH__PLATFORM__ENABLED", "false", "setting_unknown", "auth.file"),
        ("DOORWARD___", "", "setting_unknown", ""),
        ("DOORWARD_SERVER__WORKERS", "many", "setting_invalid", "digits"),
        ("DOORWARD_SERVER__ACCESS_LOG", "1", "setting_invalid", "true or false"),
        ("DOORWARD_SECRETS__SIGNING_KEY", "abcd", "setting_invalid", "openssl"),
        ("DOORWARD_SECRETS__SIGNING_KEY_FILE", "missing", "settings_file_unreadable", "No such file"),
        ("DOORWARD_SERVER__LISTEN_FILE", "key", "setting_unknown", ""),
        ("DOORWARD_SERVER_LISTEN", "x", "setting_unknown", "Did you mean DOORWARD_SERVER__LISTEN?"),
        ("doorward_token_service_leeway", "", "setting_unknown", "Did you mean DOORWARD_TOKEN_SERVICE__LEEWAY?"),
        ("DOORWARD_SECRETS_SIGNING_KEY_FILE", "x", "setting_unknown", "DOORWARD_SECRETS__SIGNING_KEY_FILE?"),
    ],
)
def test_a_bad_variable_is_named(variable: str, value: str, code: str, words: str) -> None:
    """A variable that is misspelt or holds nonsense is one error with its name, and a suggestion if one is near."""
    (finding,) = check(options(None, {variable: value}))
    assert (finding.code, finding.where, finding.severity) == (code, variable, "error")
    assert words in f"{finding.what} {finding.fix}"


@pytest.mark.parametrize("variable", [
    "DOORWARD_SERVICE_HOST", "DOORWARD_SERVICE_PORT", "DOORWARD_PORT", "DOORWARD_PORT_8080_TCP_ADDR",
    "DOORWARD_SERVER_SERVICE_HOST", "DOORWARD_SERVER_PORT", "DOORWARD_DEBUG", "DOORWARD_", "DOORWARD_SERVER",
])  # fmt: skip
def test_variables_that_others_set_are_left_alone(variable: str) -> None:
    """Kubernetes names variables after its services, and they are none of ours."""
    assert check(options(None, {variable: "tcp://10.0.0.1:8080"})) == []


def test_two_variables_for_one_setting_are_refused() -> None:
    """The same setting under two spellings, or as value and as file, leaves open which counts, so neither does."""
    Path("key").write_text(KEY)
    environment = {"DOORWARD_SECRETS__SIGNING_KEY": KEY, "DOORWARD_SECRETS__SIGNING_KEY_FILE": "key"}
    assert [entry[1] for entry in found(None, environment)] == ["setting_conflict"]
    assert [entry[1] for entry in found(None, {"doorward_log__level": "info", "DOORWARD_LOG__LEVEL": "info"})] == [
        "setting_conflict"
    ]


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("[server]\nlissen = 1\n", "Did you mean server.listen?"),
        ("[server]\nleeway = 1\n", "Did you mean leeway in [token_service]?"),
        ("[databse]\n", "Did you mean [database]?"),
        ("[clouds.global]\nkeys = 1\n", "Did you mean clouds.global.keys_v"),
        ("leeway = 1\n", "Did you mean leeway in [token_service]?"),
        ("[zzz]\n", "Remove it; docs/settings.md lists every setting."),
    ],
)
def test_unknown_keys_come_with_a_suggestion(text: str, suggestion: str) -> None:
    """Who misspells a key is told the one that was probably meant."""
    (finding,) = check(options(text))
    assert finding.fix.startswith(suggestion)


def test_everything_wrong_is_said_at_once() -> None:
    """One run tells all faults, errors first, and `load` raises one error that carries them."""
    text = "[server]\nlissen = 1\nworkers = 0\ntrusted_proxies = ['::/0']\n[database]\nurl = 'postgresql://u:hunter2@h/n'\n"
    given = options(text, {"DOORWARD_LOG__LEVEL": "loud"})
    findings = check(given)
    assert [finding.severity for finding in findings] == ["error"] * 5 + ["warning"]
    with pytest.raises(SettingsRejected) as refused:
        load(given)
    assert isinstance(refused.value, DoorwardError)
    assert refused.value.code == "settings_rejected"
    assert sorted(refused.value.findings, key=str) == sorted(findings, key=str)
    assert str(refused.value).count("\n") == 5
    assert "hunter2" not in str(refused.value) + repr(refused.value.facts)
    assert {finding.code for finding in findings} <= catalogue().keys()


@pytest.mark.parametrize(("purpose", "warned"), [("serve", 2), ("check", 2), ("dev", 0), ("command", 0)])
def test_open_files_are_told_where_they_matter(purpose: Purpose, warned: int) -> None:
    """Who serves, or checks before serving, hears of a database or key file that is open to every user."""
    for name in ("doorward.db", "doorward.db.key"):
        Path(name).touch()
        Path(name).chmod(0o644)
    settings = load(Options(purpose=purpose, environment={}))
    assert [finding.code for finding in settings.warnings] == ["file_open_to_others"] * warned


def test_postgres_needs_both_keys() -> None:
    """With PostgreSQL there is no file to keep made-up keys in, so both must be set."""
    assert [entry[3] for entry in found("[database]\nurl = 'postgresql://h/n'\n")] == [
        "secrets.encryption_key",
        "secrets.signing_key",
    ]


@pytest.mark.parametrize("purpose", ["dev", "command"])
def test_the_fixed_keys_are_for_development(purpose: Purpose) -> None:
    """`dev` and commands on its database work with the fixed keys that `serve` refuses."""
    text = f"[secrets]\nencryption_key = '{DEV_ENCRYPTION_KEY}'\nsigning_key = '{DEV_SIGNING_KEY}'\n"
    assert found(text, purpose=purpose) == []
    assert [entry[1] for entry in found(text, purpose="check")] == ["setting_unsafe"] * 2


def test_commands_do_not_ask_for_what_only_listeners_need() -> None:
    """A command that only opens the database runs with a file that also describes an app and its certificates."""
    text = "[app]\nupstream = 'http://127.0.0.1:3000'\n[server]\ntls_certificate = 'elsewhere.pem'\n"
    assert found(text, purpose="command") == []


def test_a_certificate_needs_its_key_and_a_public_url_of_its_kind() -> None:
    """With certificate and key in place the only thing left to say is that the public URL does not fit."""
    for name in ("c.pem", "k.pem"):
        Path(name).write_text("pem")
    text = "[server]\ntls_certificate = 'c.pem'\ntls_key = 'k.pem'\n"
    assert [entry[:2] for entry in found(text)] == [("warning", "setting_conflict")]
    assert found(text + "public_url = 'https://a.example'\n") == []


def test_listeners_that_differ_are_accepted() -> None:
    """Two ports, two addresses, or any two free ports are two listeners."""
    for listen, admin in (("127.0.0.1:1", "127.0.0.2:1"), ("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:1", "127.0.0.1:1")):
        assert found(f"[server]\nlisten = '{listen}'\nadmin_listen = '{admin}'\n") == []


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1, "a": 2}', "", "\ud83d"])
def test_an_auth_file_must_be_one_json_object(text: str) -> None:
    """App Service's file is read as strictly as any JSON from outside."""
    Path("auth.json").write_bytes(text.encode(errors="surrogatepass"))
    errors = [entry for entry in found("[auth]\nfile = 'auth.json'\n") if entry[0] == "error"]
    assert [(entry[1], entry[3]) for entry in errors] == [("settings_syntax", "auth.file")]


def test_an_unknown_override_is_our_own_fault() -> None:
    """A command that overrides a setting which is not there does not go unnoticed."""
    with pytest.raises(LookupError):
        load(options(server__lissen="x"))
