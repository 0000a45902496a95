"""The two secrets that everything else is derived from: given by the settings, or made once and kept beside SQLite.

The key file and the database belong together: without the file, nothing that was sealed in the database opens again. So
a missing file is never replaced over a database that already holds sealed values.
"""

import os
import tomllib
from contextlib import suppress
from pathlib import Path

from doorward.base.entropy import TOKEN_BYTES, Entropy
from doorward.base.errors import DoorwardError
from doorward.base.faults import KEY_FILE_MISSING, KEY_FILE_UNUSABLE
from doorward.base.frozen import frozen
from doorward.base.secret import Secret
from doorward.protocol.sealing import Sealer

SUFFIX = ".key"
_NAMES = ("encryption_key", "signing_key")
_HEADER = """\
# The keys of the Doorward database beside this file. Back both up together: without these keys, what is encrypted
# there cannot be opened again. Whoever reads this file can forge tokens.
"""


@frozen
class MasterSecrets:
    """The secrets as they are written in hexadecimal."""

    encryption_key: Secret
    signing_key: Secret

    def sealer(self) -> Sealer:
        """Give what seals the token keys."""
        return self._sealer_for("signing keys")

    def session_sealer(self) -> Sealer:
        """Give what seals identities and provider tokens in the database."""
        return self._sealer_for("sessions")

    def pending_sealer(self) -> Sealer:
        """Give what seals half-done sign-ins into the browser's cookies."""
        return self._sealer_for("pending sign-ins")

    def code_sealer(self) -> Sealer:
        """Give what seals the identities of sign-ins whose one-time code was not redeemed yet."""
        return self._sealer_for("sign-in codes")

    def session_token_key(self) -> bytes:
        """Give the key of session tokens: the signing key itself, as App Service does (easy-auth reference 3.1)."""
        return bytes.fromhex(self.signing_key.reveal())

    def _sealer_for(self, purpose: str) -> Sealer:
        return Sealer(bytes.fromhex(self.encryption_key.reveal()), purpose)


def key_file_of(database: Path) -> Path:
    """Give the path of the key file that belongs to a SQLite file."""
    return database.with_name(database.name + SUFFIX)


def read_or_make(given: MasterSecrets, database: Path | None, entropy: Entropy, *, may_make: bool) -> MasterSecrets:
    """Give both secrets: those that the settings hold, and for the others those of the key file of `database`.

    With `may_make` a missing file is made, once, however many processes start at the same moment. Raises
    `DoorwardError`: `key_file_missing`, `key_file_unusable`.
    """
    if (given.encryption_key and given.signing_key) or database is None:
        return given
    path = key_file_of(database)
    if may_make and not path.exists():
        _make(path, entropy)
    kept = _read(path)
    return MasterSecrets(
        encryption_key=given.encryption_key or kept.encryption_key,
        signing_key=given.signing_key or kept.signing_key,
    )


def inspect(given: MasterSecrets, database: Path | None, *, holds_keys: bool) -> None:
    """Refuse what `read_or_make` would refuse over a database that `holds_keys` or not, and make nothing.

    Raises `DoorwardError`: `key_file_missing`, `key_file_unusable`.
    """
    if (given.encryption_key and given.signing_key) or database is None:
        return
    path = key_file_of(database)
    if holds_keys or path.exists():
        _read(path)


def _make(path: Path, entropy: Entropy) -> None:
    """Write a new key file whole or not at all: another process must never read half of one."""
    draft = path.with_name(f"{path.name}.{entropy.draw(8).hex()}")
    lines = (f'{name} = "{entropy.draw(TOKEN_BYTES).hex()}"\n' for name in _NAMES)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(_HEADER + "".join(lines))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first, and its file counts
            os.link(draft, path)
    except OSError as error:
        raise DoorwardError(KEY_FILE_UNUSABLE, path=path, reason=error.strerror) from error
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> MasterSecrets:
    try:
        values = tomllib.loads(path.read_text())
        encryption_key, signing_key = (_hex(values.get(name)) for name in _NAMES)
    except FileNotFoundError as error:
        raise DoorwardError(KEY_FILE_MISSING, path=path) from error
    except (OSError, ValueError) as error:
        raise DoorwardError(KEY_FILE_UNUSABLE, path=path, reason=type(error).__name__) from error
    return MasterSecrets(encryption_key=encryption_key, signing_key=signing_key)


def _hex(value: object) -> Secret:
    if not isinstance(value, str) or len(bytes.fromhex(value)) < TOKEN_BYTES:
        raise ValueError("not a key")
    return Secret(value)
