"""The rows of the catalogue that an operator meets: on the command line, at the start, in the log.

None of them reaches HTTP, so their status is 0. Messages name what is wrong; the cause and the fix are printed below
them and by `doorward explain CODE`.
"""

from doorward.base.errors import ErrorRow, Level, enter


def _row(code: str, message: str, cause: str, fix: str, level: Level = "error") -> ErrorRow:
    return enter(ErrorRow(code=code, status=0, message=message, cause=cause, fix=fix, level=level))


# --- the database ------------------------------------------------------------------------------------------------

DATABASE_URL_INVALID = _row(
    "database_url_invalid",
    "The database URL is not understood",
    "database.url has another scheme than sqlite: or postgresql:, names no database, or holds a part that is not "
    "supported.",
    'Write "sqlite:///doorward.db", "sqlite:////var/lib/doorward/doorward.db" or '
    '"postgresql://user:password@host:5432/name".',
)
DATABASE_UNREACHABLE = _row(
    "database_unreachable",
    "The database cannot be opened",
    "The PostgreSQL server does not answer or refuses the login, or the SQLite file or its directory is missing, is "
    "not a database, or may not be written.",
    "Check database.url, that the server runs and knows the user and the database, or that the directory of the file "
    "exists and belongs to the user that runs Doorward.",
)
DATABASE_NEWER = _row(
    "database_newer",
    "The database was made by a newer Doorward",
    "The schema has a revision that this program does not know; working on it could damage it.",
    "Run the newer program again, or restore the backup that was made before the upgrade.",
)
DATABASE_BEHIND = _row(
    "database_behind",
    "The database has an older schema",
    "The schema is behind this program and database.auto_migrate is false.",
    "Make a backup, then run: doorward migrate",
)
DATABASE_MIGRATION_FAILED = _row(
    "database_migration_failed",
    "The database could not be brought to the newest schema",
    "A migration was refused by the database; it was rolled back as a whole.",
    "The database user must be allowed to create tables, and the database must hold no tables of the same names that "
    "belong to somebody else.",
)
POSTGRES_MISSING = _row(
    "postgres_missing",
    "The PostgreSQL driver is not installed",
    "database.url names PostgreSQL, whose driver comes with an extra of the package.",
    "pip install 'doorward[postgres]'",
)

# --- settings ----------------------------------------------------------------------------------------------------

SETTINGS_REJECTED = _row(
    "settings_rejected",
    "The settings are not usable",
    "At least one setting is wrong; nothing was started and nothing listens.",
    "doorward check lists every finding with its file, line and fix.",
)
SETTINGS_FILE_UNREADABLE = _row(
    "settings_file_unreadable",
    "A file named by the settings cannot be read",
    "The file does not exist, is not a regular readable file, or does not hold what its setting asks for.",
    "Correct the path (relative paths start at the current directory) or the file's permissions.",
)
SETTINGS_SYNTAX = _row(
    "settings_syntax",
    "A settings file is not well-formed",
    "doorward.toml is not TOML 1.0 in UTF-8, or the file named by auth.file is not JSON or TOML.",
    "Mend the text at the line and column that the finding names.",
)
FILE_OPEN_TO_OTHERS = _row(
    "file_open_to_others",
    "A file with secrets can be read or changed by others",
    "The SQLite file or the key file beside it was made or copied with a mode that lets every user of the machine in. "
    "Whoever reads the key file can forge tokens.",
    "chmod 600 FILE, and chmod 700 its directory.",
    level="warning",
)
SETTING_UNKNOWN = _row(
    "setting_unknown",
    "There is no such setting",
    "A section, key or DOORWARD_ variable is not known; ignoring it could leave a protection off by a slip of the pen. "
    "In the auth tree, where App Service ignores what it does not know, it is a warning.",
    "Use the suggested name or remove the line; docs/settings.md lists every setting, docs/auth-json.md every key of "
    "the auth tree.",
)
SETTING_INVALID = _row(
    "setting_invalid",
    "A setting has a value that it cannot have",
    "The value is of the wrong type, malformed, or outside the range of its setting.",
    "Write a value of the form that the finding names.",
)
SETTING_MISSING = _row(
    "setting_missing",
    "A setting is needed and not there",
    "Another setting makes this one necessary.",
    "Set it, or change the setting that asks for it.",
)
SETTING_CONFLICT = _row(
    "setting_conflict",
    "Two settings contradict each other",
    "Each value is legal by itself, but they cannot both be followed.",
    "Change one of the two settings that the finding names.",
)
SETTING_UNSAFE = _row(
    "setting_unsafe",
    "A setting is not safe in production",
    "The value belongs to development: a key or secret that everybody knows, plain HTTP, or trust in every address; or "
    "a provider signs in anybody, and no list says who may pass.",
    "Use keys of your own (openssl rand -hex 32), https addresses, the narrowest trust that works, and a list of who "
    "may pass.",
)
SETTING_WITHOUT_EFFECT = _row(
    "setting_without_effect",
    "A setting has no effect here",
    "What the setting governs is switched off, cut short by another setting, or not part of this release.",
    "Nothing breaks; remove the setting or change the other one.",
    level="warning",
)

# --- keys and the operator's commands ----------------------------------------------------------------------------

KEYS_NOT_OPENED = _row(
    "keys_not_opened",
    "The stored keys were sealed with another encryption key",
    "The database came without its key file, or secrets.encryption_key was changed.",
    "Restore the key file that belongs to this database (docs/backup.md). If it is lost: doorward keys rotate "
    "--discard-unreadable makes a new ring; every access_token issued before is then refused.",
)
KEY_FILE_MISSING = _row(
    "key_file_missing",
    "The key file of the database is missing",
    "The SQLite file holds keys that were sealed with a key file beside it (its name and .key), which is not there.",
    "Restore the key file from the backup that the database came from (docs/backup.md). If it is lost: doorward keys "
    "rotate --discard-unreadable makes a new one; every access_token issued before is then refused.",
)
KEY_FILE_UNUSABLE = _row(
    "key_file_unusable",
    "The key file cannot be used",
    "The file beside the SQLite database with the generated keys cannot be read or written, or is no key file.",
    "Check its owner and mode (0600), or restore it from the backup that the database came from.",
)
NOT_THERE = _row(
    "not_there",
    "There is nothing of that name",
    "The command names something that does not exist; nothing was changed.",
    "The list command of the same noun shows what there is.",
)
ALREADY_THERE = _row(
    "already_there",
    "That exists already",
    "The command would add something that is there; nothing was changed.",
    "Use what is there, remove it first, or choose another name.",
)
VALUE_REFUSED = _row(
    "value_refused",
    "A value is not acceptable",
    "An argument of the command is malformed, or contradicts another; nothing was changed.",
    "The line above says which argument and what it must look like; --help shows them all.",
)
UNKNOWN_CODE = _row(
    "unknown_code",
    "This is neither an error code nor a token",
    "`doorward explain` knows the codes of its catalogue, three-part tokens (JWT) and opaque tokens of 64 hexadecimal "
    "digits.",
    "Check the spelling, or whether the token was copied whole; docs/errors.md lists every code.",
)

OUTPUT_LOST = _row(
    "output_lost",
    "The results could not be written to standard output",
    "Standard output is closed, or the disk that it goes to is full. What the command had to do may be done.",
    "Give standard output a place to go, and ask with the list or show command before you repeat a change.",
)

# --- healthcheck -------------------------------------------------------------------------------------------------

NOT_READY = _row(
    "not_ready",
    "Doorward runs but is not ready",
    "/readyz on the admin listener did not answer 200; the reasons stand beside this message.",
    "Mend what the reasons name, or wait while it starts or stops.",
)
NOT_RUNNING = _row(
    "not_running",
    "No Doorward answers",
    "Nothing answers at server.admin_listen of these settings.",
    "Start doorward serve, or name the settings that it runs with: doorward healthcheck --config FILE.",
)

# --- listening ---------------------------------------------------------------------------------------------------

ADDRESS_IN_USE = _row(
    "address_in_use",
    "The address is already in use",
    "Another program, or another Doorward, listens on this address and port.",
    "Stop the other program, or choose another port in server.listen and server.admin_listen.",
)
ADDRESS_UNUSABLE = _row(
    "address_unusable",
    "The address cannot be listened on",
    "It is not of the form HOST:PORT, this machine has no such address, or the port is below 1024 and kept for root.",
    'Write server.listen as "127.0.0.1:8080", "0.0.0.0:8080" or "[::]:8080", with a port from 1024 up.',
)
TLS_UNUSABLE = _row(
    "tls_unusable",
    "The TLS certificate cannot be used",
    "A file is missing or unreadable, is not PEM, the key is encrypted, or key and certificate do not belong together.",
    "Check server.tls_certificate (with its chain) and server.tls_key (unencrypted, readable by the user that runs "
    "Doorward).",
)

# --- the run of the process --------------------------------------------------------------------------------------

CHECK_TIMED_OUT = _row(
    "check_timed_out",
    "A readiness check gave no answer in time",
    "A part that must be asked before the service is ready, such as the database, hangs.",
    "Look at the database and at the other lines of the log.",
    "warning",
)
WORKER_NOT_READY = _row(
    "worker_not_ready",
    "A worker process is not ready",
    "A worker is starting, has just died and is started again, or does not answer its supervisor.",
    "Wait a moment; if it lasts, look for the worker's last lines in the log.",
    "warning",
)

# --- the emulator ------------------------------------------------------------------------------------------------

EMULATOR_UNREACHABLE = _row(
    "emulator_unreachable",
    "No emulator answers",
    "`doorward dev` does not run, or its emulator listens on another address.",
    "Start `doorward dev` again, or name the address that it printed for the pretend providers with --url.",
)
EMULATOR_REFUSED = _row(
    "emulator_refused",
    "The emulator refused",
    "What was asked for is not understood; the reason stands beside this message.",
    "Correct the option that the reason names.",
)
DEFAULT_ORGANIZATION_UNUSABLE = _row(
    "default_organization_unusable",
    "The default organization does not exist or is disabled",
    "token_service.default_organization names an organization that cannot take new users.",
    "doorward orgs list shows those that there are; doorward orgs enable ID, or another number in the setting.",
)
DEV_DATA_UNUSABLE = _row(
    "dev_data_unusable",
    "Development mode cannot keep its data here",
    "The directory .doorward/dev below the current directory cannot be made or written.",
    "Start it from a directory that belongs to you.",
)
DEV_CLIENT_PRESENT = _row(
    "dev_client_present",
    "The database knows the client of development mode",
    "The secret of that client stands in public source, so whoever reads it could introspect tokens here.",
    "doorward clients remove doorward-dev; or serve another database than that of development mode.",
)
DEV_OFF_LOOPBACK = _row(
    "dev_off_loopback",
    "Development mode listens on loopback only",
    "server.listen or server.admin_listen names another address, and whoever reaches development mode is let in.",
    "Leave the addresses out and use --port, or run doorward serve.",
)
