"""Statements about clients, which may introspect: `clients(id, name, secret_digest, created_at)`."""

from doorward.store.sql import Lookup, Sql

ALL = Sql("SELECT id, name, created_at FROM clients ORDER BY created_at, id")
SECRET_OF = Lookup("SELECT secret_digest FROM clients WHERE id = $1", "text")
ADD = Sql("INSERT INTO clients (id, name, secret_digest, created_at) VALUES ($1, $2, $3, $4)")
BY_NAME = Sql("SELECT id FROM clients WHERE name = $1")
REMOVE = Sql("DELETE FROM clients WHERE id = $1")
