"""Read-only access; missing, empty, busy, foreign and replaced databases."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from api.app import create_app
from api.database import Database
from api.http.errors import ApiError
from api.settings import ApiSettings
from settlement.store.database import open_writer
from tests.support.api_client import ApiClient
from tests.system.api.world import World, small_world

PATHS = [
    "/api/pairs",
    "/api/venue",
    "/api/orders",
    "/api/balances?user=bob",
    "/api/orderbook?base=PEK&quote=HBD",
]


def client_of(path: Path) -> ApiClient:
    return ApiClient(create_app(ApiSettings(database_url=f"sqlite:///{path}")))


def test_the_handle_cannot_write(world: World) -> None:
    """Neither rows nor tables, nor after an attempt to disable the protection."""
    database = Database(world.url)
    with database.snapshot() as snapshot:
        for sql in (
            "DELETE FROM orders",
            "UPDATE cursor SET block = 1",
            "INSERT INTO accounts VALUES (99, 'x')",
            "CREATE TABLE x (y)",
            "DROP TABLE orders",
        ):
            with pytest.raises(DBAPIError, match="readonly"):
                snapshot.connection.exec_driver_sql(sql)
        snapshot.connection.exec_driver_sql("PRAGMA query_only=OFF")
        with pytest.raises(DBAPIError, match="readonly"):
            snapshot.connection.exec_driver_sql("DELETE FROM orders")
        assert snapshot.connection.exec_driver_sql("SELECT count(*) FROM orders").scalar_one() > 0
    database.close()


def test_requests_leave_the_database_as_it_is(world: World) -> None:
    before = dump(world.path)
    client = world.client()
    for path in PATHS:
        client.get(path)
        client.post(path)
    assert dump(world.path) == before


def dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


def test_a_missing_database_is_503_until_it_comes(tmp_path: Path) -> None:
    client = client_of(tmp_path / "peakedex.db")
    for path in PATHS:
        answer = client.get(path)
        assert (answer.status_code, answer.json["code"]) == (503, "E_NOT_READY")
        assert str(tmp_path) not in answer.text
        assert answer.headers["Retry-After"]
    assert not (tmp_path / "peakedex.db").exists()
    health = client.get("/api/health")
    assert (health.status_code, health.json["block"]) == (200, None)
    assert health.json["database"] == "The database is not there yet: the indexer has not started."
    assert client.get("/api/ready").status_code == 503
    world = small_world(tmp_path)
    assert [client.get(path).status_code for path in PATHS] == [200] * len(PATHS)
    assert client.get("/api/health").json["database"] == "ok"
    world.close()


def test_an_empty_database_is_503(tmp_path: Path) -> None:
    open_writer(f"sqlite:///{tmp_path / 'peakedex.db'}").dispose()
    answer = client_of(tmp_path / "peakedex.db").get("/api/pairs")
    assert (answer.status_code, answer.json["code"]) == (503, "E_NOT_READY")


@pytest.mark.parametrize("content", [b"", b"this is no database" * 100])
def test_a_file_that_is_no_database_of_ours(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "peakedex.db").write_bytes(content)
    client = client_of(tmp_path / "peakedex.db")
    answer = client.get("/api/pairs")
    assert answer.status_code == 503
    assert str(tmp_path) not in answer.text
    assert client.get("/api/health").status_code == 200


def test_a_replaced_database_is_seen(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, new = small_world(tmp_path / "old"), World(tmp_path / "new")
    new.apply()
    for world in (old, new):
        world.close()
    client = client_of(old.path)
    assert len(client.get("/api/orders").json["orders"]) > 0
    new.path.replace(old.path)
    assert client.get("/api/orders").json["orders"] == []


def test_after_the_writer_has_gone(tmp_path: Path) -> None:
    """A stopped writer removes its write-ahead log; readers continue."""
    world = small_world(tmp_path)
    world.close()
    assert not world.path.with_name("peakedex.db-wal").exists()
    assert world.client().get("/api/pairs").status_code == 200


def test_a_locked_database_is_503(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    world.close()
    client = ApiClient(create_app(ApiSettings(database_url=f"sqlite:///{world.path}?timeout=0.02")))
    with sqlite3.connect(world.path, isolation_level=None) as greedy:
        greedy.execute("PRAGMA locking_mode=EXCLUSIVE")
        greedy.execute("BEGIN EXCLUSIVE")
        answer = client.get("/api/pairs")
        greedy.execute("COMMIT")
    assert (answer.status_code, answer.json["ok"]) == (503, False)
    assert "locked" not in answer.text


def test_an_error_in_a_query_is_a_bug_not_a_busy_database(fresh: World) -> None:
    fresh.apply()
    with fresh.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE pairs RENAME TO secret")
    answer = fresh.client().get("/api/pairs")
    assert (answer.status_code, answer.json["code"]) == (500, "E_INTERNAL")
    assert "pairs" not in answer.json["error"]


def test_one_request_sees_one_block(tmp_path: Path) -> None:
    """A block committed during a request is not partially visible."""
    world = small_world(tmp_path)
    database = Database(world.url)
    with database.snapshot() as snapshot:
        block = snapshot.at.block
        world.apply(world.order("alice", "sell", "1", "0.02"))
        seen = snapshot.connection.exec_driver_sql("SELECT block FROM cursor").scalar_one()
        assert (seen, world.block) == (block, block + 1)
    with database.snapshot() as snapshot:
        assert snapshot.at.block == block + 1
    database.close()
    world.close()


def test_many_threads_and_a_writer(tmp_path: Path) -> None:
    """Every answer is of one block: what is locked equals what the open orders of the answer need."""
    world = World(tmp_path)
    world.apply(world.deposit("alice", "PEK", "100000"))
    app = create_app(world.settings())
    problems: list[object] = []
    stop = threading.Event()

    def read() -> None:
        reader = ApiClient(app)
        while not stop.is_set():
            book = reader.get("/api/orderbook?base=PEK&quote=SWAP.HIVE").json
            orders = sum(level["orders"] for level in book["asks"])
            if orders != book["block"] - 1000:
                problems.append(book)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(60):
        world.apply(world.order("alice", "sell", "1", "0.5"))
    stop.set()
    for thread in threads:
        thread.join(10)
    assert problems == []
    world.close()


def test_snapshot_of_nothing_raises_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(ApiError), Database(f"sqlite:///{tmp_path}/x.db").snapshot():
        pass
