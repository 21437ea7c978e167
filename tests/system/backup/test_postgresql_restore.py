"""`peakedex restore` over a PostgreSQL database in use: a new one takes its name, the old one is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import update

from settlement.store import schema
from settlement.store.database import closing_writer
from settlement.store.lease import Lease
from tests.support.postgres import drop_database, execute, new_database, server
from tests.support.waiting import wait_until
from tests.system.backup.archives import create, load, members, resume_payouts
from tests.system.cli.command import MISUSED, OK, clean_environment, peakedex
from tests.system.store.chains import dump

READER: Final = "peakedex-test-reader"
RIGHTS: Final = (
    f"""DO $$ BEGIN CREATE ROLE "{READER}" LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$""",
    'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC',
    f'GRANT CONNECT ON DATABASE "{{name}}" TO "{READER}"',
    f'GRANT USAGE ON SCHEMA public TO "{READER}"',
    f'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO "{READER}"',
    f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{READER}"',
    f'GRANT INSERT ON payout_notes TO "{READER}"',
)


def name_of(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


def databases(url: str) -> list[str]:
    """Names of the databases that begin with this one's."""
    query = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{name_of(url)}') ORDER BY 1"
    return [name for (name,) in execute(server().url("postgres"), query)]


@pytest.fixture
def exchange(snapshot: Path, here: Path) -> Iterator[str]:
    """The URL of an exchange's database, with a backup of it in the folder `storage`, whose balances then change."""
    url = new_database()
    load(snapshot, url)
    (here / "storage").mkdir()
    assert peakedex("backup", "--db", url, "--to", "storage").code == OK
    execute(url, *(line.replace("{name}", name_of(url)) for line in RIGHTS))
    with closing_writer(url) as engine, engine.begin() as connection:
        connection.execute(update(schema.balances).values(available=schema.balances.c.available + 1))
    yield url
    for name in databases(url):
        drop_database(server().url(name))


def rows(url: str) -> object:
    with closing_writer(url) as engine:
        return dump(engine)


WORDS: Final = ("restore", "--from", "storage", "--ignore-checkpoint")


def test_a_restored_database_takes_the_name_and_the_old_one_is_kept(exchange: str, here: Path) -> None:
    spoiled = rows(exchange)
    run = peakedex(*WORDS, "--json", "--db", exchange)
    assert run.code == OK, run.err
    name, old = databases(exchange)
    assert (name, old) == (name_of(exchange), run.json["old_database"])
    assert rows(server().url(old)) == spoiled
    resume_payouts(exchange, restores=2)
    create(exchange, here / "restored")
    assert members(here / "restored") == members(here / "peakedex.snapshot")
    reader = exchange.replace("postgres@", f"{READER}@")
    for table in ("cursor", "payout_notes"):
        execute(reader, f"SELECT count(*) FROM {table}")
    execute(reader, "INSERT INTO payout_notes (kind, claim, state, reason) VALUES (0, 77, 'held', '')")
    with pytest.raises(psycopg.Error, match="permission denied"):
        execute(reader, "DELETE FROM payout_notes")
    assert execute(exchange, "SELECT has_database_privilege('public', current_database(), 'CONNECT')") == [
        (False,)
    ]


def test_it_waits_for_nobody_and_says_who_uses_the_database(exchange: str) -> None:
    before = databases(exchange)
    reader = exchange.replace("postgres@", f"{READER}@")
    with psycopg.connect(reader, application_name="an API"):
        run = peakedex(*WORDS, "--db", exchange)
    assert run.code == MISUSED
    assert f"is in use by {READER} (an API): stop indexer, payouts and API" in run.error
    with closing_writer(exchange) as engine, Lease(engine):
        assert peakedex(*WORDS, "--db", exchange).code == MISUSED
    assert databases(exchange) == before


def test_it_needs_the_owner_who_may_create_databases(exchange: str) -> None:
    run = peakedex(*WORDS, "--db", exchange.replace("postgres@", f"{READER}@"))
    assert run.code == MISUSED
    assert "Traceback" not in run.err
    role = f"owner-{uuid.uuid4().hex[:8]}"
    execute(
        exchange, f'CREATE ROLE "{role}" LOGIN', f'ALTER DATABASE "{name_of(exchange)}" OWNER TO "{role}"'
    )
    tables = execute(exchange, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    execute(exchange, *(f'ALTER TABLE "{table}" OWNER TO "{role}"' for (table,) in tables))
    theirs = exchange.replace("postgres@", f"{role}@")
    run = peakedex(*WORDS, "--db", theirs)
    assert (run.code, f'ALTER ROLE "{role}" CREATEDB' in run.error) == (MISUSED, True)
    execute(exchange, f'ALTER ROLE "{role}" CREATEDB')
    run = peakedex(*WORDS, "--db", theirs)
    assert run.code == OK, run.err
    for name in databases(exchange):
        drop_database(server().url(name))
    execute(server().url("postgres"), f'DROP ROLE "{role}"')


@pytest.mark.parametrize("appears", ["_restoring", "_before_"])
def test_killed_there_is_a_whole_database_and_the_next_run_succeeds(
    exchange: str, here: Path, appears: str
) -> None:
    """Killed while the new database is filled, or as soon as it has its name."""
    spoiled = rows(exchange)
    words = [sys.executable, "-m", "indexer.cli", *WORDS, "--db", exchange]
    with subprocess.Popen(words, env=clean_environment(), stderr=subprocess.PIPE, cwd=here) as process:
        wait_until(
            lambda: process.poll() is not None or any(appears in name for name in databases(exchange)),
            timeout=120,
        )
        process.send_signal(signal.SIGKILL)
    if any("_before_" in name for name in databases(exchange)):
        resume_payouts(exchange, restores=2)
        create(exchange, here / "found")
        assert members(here / "found") == members(here / "peakedex.snapshot")
    else:
        assert rows(exchange) == spoiled
    assert peakedex(*WORDS, "--db", exchange).code == OK
    resume_payouts(exchange, restores=2)
    create(exchange, here / "restored")
    assert members(here / "restored") == members(here / "peakedex.snapshot")
    assert not any(name.endswith("_restoring") for name in databases(exchange))
