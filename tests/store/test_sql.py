import pytest

from doorward.store import Insert, Sql


def test_one_text_for_both_engines() -> None:
    """Parameters are written once and become what each engine wants; only PostgreSQL needs words for a lock."""
    sql = Sql("SELECT a FROM t WHERE b = $2 AND c = $10", for_update_of="t")
    assert sql.sqlite == "SELECT a FROM t WHERE b = ?2 AND c = ?10"
    assert sql.postgres == "SELECT a FROM t WHERE b = $2 AND c = $10 FOR UPDATE OF t"
    assert Sql("SELECT a FROM t", for_update=True).postgres == "SELECT a FROM t FOR UPDATE"


def test_insert_without_a_unique_key() -> None:
    """SQLite gets one row, PostgreSQL one array a column."""
    insert = Insert("t", {"a": "text", "b": "double precision"})
    assert insert.sqlite == "INSERT INTO t (a, b) VALUES (?, ?)"
    assert insert.postgres == "INSERT INTO t (a, b) SELECT * FROM unnest($1::text[], $2::double precision[])"


def test_insert_with_a_unique_key() -> None:
    """A taken key is left out on both, and PostgreSQL tells which were not."""
    insert = Insert("t", {"a": "bytea", "b": "bigint"}, unique=("a",))
    assert insert.sqlite == "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO NOTHING"
    assert insert.arrays(3) == (
        "INSERT INTO t (a, b) SELECT * FROM unnest($3::bytea[], $4::bigint[]) ON CONFLICT (a) DO NOTHING RETURNING a"
    )


def test_insert_of_unknown_types() -> None:
    """A column type that does not mean the same on both engines is refused."""
    with pytest.raises(ValueError, match="jsonb"):
        Insert("t", {"a": "jsonb"})
