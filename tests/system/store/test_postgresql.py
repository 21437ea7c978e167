"""PostgreSQL only: roles, locks, durability, notifications, and the meaning of its errors."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from settlement.store import schema
from settlement.store.change_detector import ChangeDetector, open_change_detector
from settlement.store.database import (
    StoreError,
    explain,
    is_connection_lost,
    open_reader,
    open_writer,
    parse_url,
    upgrade,
)
from settlement.store.indexes import READ_INDEXES
from settlement.store.lease import Lease, LeaseError, read_holder
from settlement.store.read.accounts.transfers import list_transfers
from settlement.store.write.loader import load
from settlement.store.write.projector import make_read_indexes
from tests.support import postgres
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.store.chains import demo, lively, picture, replay

SECONDS = 20
GUIDE = Path(__file__).parents[3] / "docs" / "operator.md"


def documented_sql() -> list[str]:
    """The statements of docs/operator.md that make the roles."""
    blocks = re.findall(r"^```sql\n(.*?)^```", GUIDE.read_text("utf-8"), re.M | re.S)
    roles = [block for block in blocks if "ROLE" in block or "GRANT" in block]
    lines = (line.partition("--")[0] for block in roles for line in block.splitlines())
    return [statement.strip() for statement in " ".join(lines).split(";") if statement.strip()]


@pytest.fixture
def writer(postgresql: str) -> Iterator[Engine]:
    engine = open_writer(postgresql)
    yield engine
    engine.dispose()


# ---------------------------------------------------------------- addresses


def test_several_hosts_in_one_url() -> None:
    url = parse_url("postgresql://me:secret@one:5433,two/dex?target_session_attrs=read-write&sslmode=require")
    assert (url.username, url.password, url.database) == ("me", "secret", "dex")
    assert dict(url.query) == {
        "host": "one,two",
        "port": "5433,",
        "target_session_attrs": "read-write",
        "sslmode": "require",
    }
    assert parse_url("postgresql+psycopg://one/dex") == parse_url("postgresql://one/dex")


@pytest.mark.parametrize("url", ["postgresql://h/d?host_name=x", "postgresql://me:secret@[::1/d"])
def test_an_invalid_url_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(
        StoreError, match=r"invalid database URL: use sqlite:///peakedex\.db or postgresql://"
    ) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("open_it", [open_reader, open_writer])
def test_an_unreachable_server_is_reported(open_it: Callable[[str], Engine]) -> None:
    port = free_port()
    with pytest.raises(StoreError, match="start the server, or fix the host and port") as caught:
        open_it(f"postgresql://me:secret@127.0.0.1:{port}/dex")
    assert "secret" not in str(caught.value)
    assert is_connection_lost(caught.value)


@pytest.mark.parametrize("open_it", [open_reader, open_writer])
def test_a_missing_database_is_reported(open_it: Callable[[str], Engine]) -> None:
    with pytest.raises(StoreError, match=r"does not exist: create it as described in docs/operator\.md"):
        open_it(postgres.server().url("nowhere"))


# ---------------------------------------------------------------- the schema


def test_the_migrated_database_is_the_schema_of_the_code(writer: Engine) -> None:
    make_read_indexes(writer)
    with writer.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        assert set(inspect(connection).get_table_names()) == {*schema.metadata.tables, "alembic_version"}
        loose = connection.execute(text(LOOSE_TEXT)).all()
    assert loose == [("alembic_version", "version_num")], (
        "text that sorts by the server's language, or has a limit"
    )


LOOSE_TEXT = """SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'
AND data_type IN ('text', 'character varying') AND (collation_name IS DISTINCT FROM 'C' OR data_type <> 'text')"""


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
@pytest.mark.parametrize("attempt", range(3))
def test_several_upgrades_at_once_take_turns(isolation: str, attempt: int) -> None:
    """Whatever the server's default isolation, each of them succeeds, and the schema is complete."""
    url = postgres.new_database(migrated=False, isolation=isolation)
    start = threading.Barrier(3)

    def migrate(_: int) -> set[str | None]:
        start.wait(SECONDS)
        engine = open_writer(url)
        make_read_indexes(engine)
        indexes = inspect(engine).get_multi_indexes().values()
        engine.dispose()
        return {index["name"] for table in indexes for index in table}

    with ThreadPoolExecutor(3) as threads:
        for made in threads.map(migrate, range(3)):
            assert made >= {index.name for index in READ_INDEXES}
    postgres.drop_database(url)


def test_the_database_of_another_program_is_refused() -> None:
    url = postgres.new_database(migrated=False)
    postgres.execute(url, "CREATE TABLE photos (id integer)")
    for open_it in (open_reader, open_writer):
        with pytest.raises(StoreError, match="has tables, but not those of Peake DEX"):
            open_it(url)
    postgres.drop_database(url)


# ---------------------------------------------------------------- who may write


def test_a_reader_s_transaction_is_a_snapshot_and_read_only(postgresql: str, writer: Engine) -> None:
    with writer.begin() as change:
        change.exec_driver_sql("INSERT INTO accounts VALUES (1, 'alice')")
    reader = open_reader(postgresql)
    with reader.connect() as connection:
        count = text("SELECT count(*) FROM accounts")
        assert connection.scalar(count) == 1
        with writer.begin() as change:
            change.exec_driver_sql("INSERT INTO accounts VALUES (2, 'bob')")
        assert connection.scalar(count) == 1
        with pytest.raises(DBAPIError, match="read-only transaction"):
            connection.exec_driver_sql("DELETE FROM accounts")
    with reader.connect() as connection:
        assert connection.scalar(count) == 2
    reader.dispose()


def test_the_documented_roles(postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The SQL of docs/operator.md: one role owns and writes, the other can only read."""
    database = str(parse_url(postgresql).database)
    owner, api = f"owner_{database}", f"api_{database}"
    as_owner, as_api = (postgresql.replace("postgres@", f"{role}@") for role in (owner, api))
    postgres.execute(postgresql, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    try:
        for statement in documented_sql():
            ours = re.sub(r"\bpeakedex_api\b", api, statement)
            ours = re.sub(r"DATABASE peakedex\b", f"DATABASE {database}", ours)
            ours = re.sub(r"\bpeakedex\b", owner, ours)
            postgres.execute(
                postgresql, ours.replace("CREATE DATABASE", "ALTER DATABASE").replace("OWNER", "OWNER TO")
            )
        folder = lively().write(tmp_path_factory.mktemp("chain"))
        rules, engine = replay(folder, as_owner, until=100)
        make_read_indexes(engine)
        engine.dispose()
        reader = open_reader(as_api)
        assert picture(load(reader, demo()).state) == picture(rules.state)
        reader.dispose()
        watched = open_change_detector(as_api)
        assert watched.changed()
        wait_until(watched.changed)
        watched.close()
        for statement in WRITES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                postgres.execute(as_api, statement)
        with pytest.raises(SQLAlchemyError, match="permission denied"):
            replay(folder, as_api)
    finally:
        everywhere = postgres.server().url("postgres")
        postgres.execute(everywhere, f"ALTER DATABASE {database} OWNER TO {postgres.USER}")
        for role in (api, owner):
            postgres.execute(postgresql, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


WRITES = (
    *(f"DELETE FROM {table}" for table in schema.metadata.tables),
    *(f"UPDATE {table} SET id = id" for table in ("cursor", "lease", "tokens")),
    "INSERT INTO accounts VALUES (0, 'mallory')",
    "TRUNCATE journal",
    "CREATE TABLE loot (id integer)",
    "CREATE TEMPORARY TABLE loot (id integer)",
    "DROP TABLE journal",
    "SELECT * FROM cursor FOR UPDATE",
)


def test_only_one_takes_the_lease(postgresql: str, writer: Engine) -> None:
    """Of two at the same time, one gets it and the other is refused with its name."""
    others, refused = open_writer(postgresql), []
    with Lease(writer):
        with writer.connect() as connection:
            holder = read_holder(connection)
        with pytest.raises(LeaseError, match="another indexer") as caught:
            _hold_elsewhere(others)
        refused.append(str(caught.value))
    assert holder is not None
    assert str(holder.pid) in refused[0]
    others.dispose()


def _hold_elsewhere(engine: Engine) -> None:
    """Take the lease as a process of another machine would, while the holder sends heartbeats."""
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE lease SET pid_namespace = 'elsewhere'")
    with Lease(engine):
        pass


def test_durable_writers_set_synchronous_commit_and_others_do_not(postgresql: str) -> None:
    for durable, expected in ((True, "on"), (False, "off")):
        engine = open_writer(postgresql, durable=durable)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == expected
        engine.dispose()


FETCHED = "SELECT sum(idx_tup_fetch + seq_tup_read) FROM pg_stat_xact_user_tables WHERE relname = 'transfers'"


def test_a_repeated_query_of_a_rare_account_reads_few_rows(postgresql: str, writer: Engine) -> None:
    """A generic plan, which the server caches after some uses, would read all newer rows."""
    with writer.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO transfers SELECT n, 1, 1, CASE n WHEN 1 THEN 99 ELSE n * 7919 %% 41 END, 0, n * 7919 %% 41, 0, 1 "
            "FROM generate_series(1, 20000) AS n"
        )
    make_read_indexes(writer)
    reader = open_reader(postgresql)
    with reader.connect() as connection:
        fetched = []
        for _ in range(10):
            list_transfers(connection, 99, None, 20)
            fetched.append(int(connection.execute(text(FETCHED)).scalar_one()))
    reader.dispose()
    assert fetched[-1] - fetched[-2] <= fetched[0] < 100


# ---------------------------------------------------------------- errors


def lose(engine: Engine) -> SQLAlchemyError:
    """The error of a statement whose server process is terminated."""
    with engine.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        postgres.execute(postgres.server().url("postgres"), f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(SQLAlchemyError) as caught:
            connection.exec_driver_sql("SELECT 1")
    return caught.value


def test_lost_connections_are_distinguished_from_other_errors(postgresql: str, writer: Engine) -> None:
    assert is_connection_lost(lose(writer))
    with writer.connect() as connection:  # the next one is a new connection
        assert connection.scalar(text("SELECT 1")) == 1
    reader = open_reader(postgresql)
    with reader.connect() as connection, pytest.raises(DBAPIError) as read_only:
        connection.exec_driver_sql("DELETE FROM accounts")
    assert is_connection_lost(read_only.value), "a primary that has become a standby: another host may be one"
    with writer.connect() as connection, pytest.raises(DBAPIError) as wrong:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
    assert not is_connection_lost(wrong.value)
    assert "nowhere" in explain(wrong.value)
    assert "\n" not in explain(wrong.value)
    reader.dispose()


def test_a_failed_copy_raises_the_database_s_error(postgresql: str) -> None:
    """Nothing of its batch is written."""
    from settlement.store.write.statements import compile_statements, run

    engine = open_writer(postgresql)
    accounts = compile_statements(engine)["accounts"]
    with pytest.raises(SQLAlchemyError, match="duplicate key"), engine.begin() as connection:
        run(connection, accounts, [(1, "a"), (2, "b"), (1, "c")])
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM accounts")) == 0
    upgrade(engine)
    engine.dispose()


# ---------------------------------------------------------------- change detector


@pytest.fixture
def watched(postgresql: str) -> Iterator[ChangeDetector]:
    """A change detector that is listening and has reported everything so far."""
    watched = open_change_detector(postgresql)
    assert watched.changed()
    wait_until_it_listens(postgresql)
    watched.changed()
    yield watched
    watched.close()


def wait_until_it_listens(url: str) -> None:
    """Wait until a change detector has queried its connection twice: it listens after the first query."""
    find = (
        f"SELECT pid, query_start FROM pg_stat_activity WHERE datname = '{parse_url(url).database}' "
        "AND query LIKE 'SELECT pg_is_in_recovery(), (SELECT journal_hash%'"
    )
    seen: set[tuple[object, ...]] = set()

    def has_queried_twice() -> bool:
        seen.update(postgres.execute(postgres.server().url("postgres"), find))
        return len(seen) > len({pid for pid, _ in seen})

    wait_until(has_queried_twice)


def test_commits_are_detected_by_their_notification_and_rollbacks_never(
    writer: Engine, watched: ChangeDetector
) -> None:
    for n in range(3):
        with writer.begin() as connection:  # the query for changes does not read this table
            connection.exec_driver_sql(f"INSERT INTO accounts VALUES ({n}, 'a{n}')")
        wait_until(watched.changed)
    with writer.connect() as connection:
        connection.exec_driver_sql("INSERT INTO accounts VALUES (9, 'a9')")
        connection.rollback()
    assert not watched.changed()


def test_a_change_without_a_notification_is_detected_by_polling(
    postgresql: str, watched: ChangeDetector
) -> None:
    """As after restoring a backup, or through a pooler that drops notifications."""
    postgres.execute(postgresql, "INSERT INTO indexer_status (id, updated, mode) VALUES (1, 7, 'following')")
    wait_until(watched.changed)
    assert not watched.changed()


def test_losing_and_restoring_the_connection_is_a_change(
    postgresql: str, writer: Engine, watched: ChangeDetector
) -> None:
    database = parse_url(postgresql).database
    kill = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    postgres.execute(postgres.server().url("postgres"), kill)
    wait_until(watched.changed)
    wait_until_it_listens(postgresql)
    watched.changed()
    with open_writer(postgresql).begin() as connection:
        connection.exec_driver_sql("INSERT INTO accounts VALUES (1, 'alice')")
    wait_until(watched.changed)
