"""Alembic's entry: applies revisions to the connection that `doorward.store.migrate` has opened and locked.

The transaction belongs to the caller, so that a migration is all or nothing together with the lock that guards it.
"""

from typing import cast

from alembic import context
from sqlalchemy import Connection

context.configure(connection=cast("Connection", context.config.attributes["connection"]))
context.run_migrations()
