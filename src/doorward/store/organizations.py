"""Statements about organizations: `organizations(id, name, enabled, created_at)`."""

from doorward.store.sql import Sql

COLUMNS = "id, name, enabled"
ALL = Sql(f"SELECT {COLUMNS} FROM organizations ORDER BY id")
BY_ID = Sql(f"SELECT {COLUMNS} FROM organizations WHERE id = $1")
NEXT_ID = Sql("SELECT COALESCE(MAX(id), 0) + 1 FROM organizations")
ADD = Sql("INSERT INTO organizations (id, name, enabled, created_at) VALUES ($1, $2, 1, $3)")
SET_ENABLED = Sql("UPDATE organizations SET enabled = $2 WHERE id = $1")
