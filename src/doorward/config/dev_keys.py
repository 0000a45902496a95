"""The keys and the client secret that `doorward dev` works with.

They stand in public source, so whoever reads it can make tokens that they vouch for. `serve` refuses them and `check`
reports them; they read as plain words when decoded, so that they are recognised in a configuration.
"""

from doorward.base.secret import Secret

DEV_ENCRYPTION_KEY = b"doorward dev encryption key only".hex()
DEV_SIGNING_KEY = b"doorward dev signing key only !!".hex()
DEV_CLIENT = "doorward-dev"
DEV_CLIENT_SECRET = b"doorward dev client secret only!".hex()
DEV_SECRET_MARK = "doorward-dev-"
"""How every client secret of a pretend provider begins."""


def is_dev_key(key: Secret) -> bool:
    """Say whether a key is one of the two that everybody knows."""
    return key.reveal().lower() in {DEV_ENCRYPTION_KEY, DEV_SIGNING_KEY}


def is_dev_secret(secret: Secret) -> bool:
    """Say whether a provider's client secret is one that `doorward dev` and its pretend providers work with."""
    return secret.reveal().startswith(DEV_SECRET_MARK)
