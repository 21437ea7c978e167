"""Points that the database answers: indexing, payouts, checkpoints, the first movements, the books."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from indexer.ops.backup.storage import StorageError
from indexer.ops.doctor.escrow import Escrows
from indexer.ops.doctor.findings import duration
from indexer.ops.doctor.golive.points import Point, Section
from indexer.ops.doctor.golive.scene import Scene
from indexer.ops.doctor.ledger import HEARTBEAT_LOOKS, HEARTBEAT_SECONDS, LIVE_BLOCKS
from settlement.core.parsing.amounts import show_units
from settlement.store import payout_schema, schema
from settlement.store.lease import Holder, read_holder
from settlement.store.payout_pause import RUNNING
from settlement.store.read.audit.checkpoints import list_checkpoints

NO_DATABASE: Final = "no database that can be read"
START: Final = "give --db, and start `peakedex follow`: section 10 of docs/go-live.md"
_SETTINGS: Final = "peakedex.toml (on a server /etc/peakedex/peakedex.env)"
_OLD_BACKUP_SECONDS: Final = 26 * 3600
"""A backup each night, and two hours for a slow one."""
_NEWEST_CHECKPOINTS: Final = 20


def indexer(scene: Scene) -> Iterator[Point]:
    """Whether the database is this venue's, and its indexer runs and has caught up."""
    section = Section("Indexer")
    findings = list(scene.ledger.examine(scene.venue, scene.wait))
    state, node = scene.ledger.state, scene.hive
    problems = section.fatal(findings)
    problems += section.fatal(
        (each for each in findings if each.check in ("database", "ledger", "indexer")), ("warn",)
    )
    if state is not None and node is not None:
        block = 0 if state.header is None else state.header.number
        behind = node.irreversible - block
        if behind > LIVE_BLOCKS:
            problems.append(
                section.not_yet(
                    f"it is at block {block}, {behind:,} blocks behind",
                    "wait until it has caught up: section 10 of docs/go-live.md has the duration",
                )
            )
    elif node is None and not problems:
        problems.append(section.unknown("no node says where the chain is", "see the points above"))
    if problems or state is None:
        yield from problems or [section.unknown(NO_DATABASE, START)]
        return
    yield section.ok(f"it follows the chain, journal {state.journal_hash}")


def payouts(scene: Scene) -> Iterator[Point]:
    """Whether payouts run with the settings given here, and a limit above which a person approves."""
    section, reader = Section("Payouts"), scene.ledger.reader
    if scene.venue is None:
        yield section.unknown("no valid venue file", "see point 3")
        return
    if reader is None or scene.ledger.state is None:
        yield section.unknown(NO_DATABASE, START)
        return
    with reader.connect() as connection:
        settings = connection.execute(select(payout_schema.settings)).one_or_none()
        holder = read_holder(connection, payout_schema.lease)
    unlimited = [symbol for symbol in scene.ledger.state.tokens if symbol not in scene.wanted.limited]
    problems = []
    if unlimited:
        problems.append(
            section.not_yet(
                f"no payout-limit for {', '.join(unlimited)}: a payment of any size would need no approval",
                f"set payout-limit in {_SETTINGS}, the same for payouts and doctor",
            )
        )
    if settings is None or settings.policy_hash is None:
        problems.append(
            section.not_yet(
                "payouts have not run on this database",
                "start `peakedex payouts --first-run`: section 11 of docs/go-live.md",
            )
        )
    else:
        if settings.policy_hash != scene.wanted.policy_hash:
            problems.append(
                section.not_yet(
                    "payouts run with other limits, or another lifetime, than the settings given here",
                    f"use the same {_SETTINGS} for both, and restart payouts",
                )
            )
        if settings.pause != RUNNING:
            reason = f": {settings.pause_reason}" if settings.pause_reason else ""
            problems.append(
                section.not_yet(f"payouts are paused{reason}", "find out why, then `peakedex payouts resume`")
            )
        if holder is None:
            problems.append(section.not_yet("payouts are not running", "start them"))
        elif not _beats(reader, holder, scene.wait):
            problems.append(
                section.not_yet(f"payouts give no sign of life ({holder})", "check their log; restart them")
            )
    yield from problems or [section.ok(f"running ({holder}), policy {scene.wanted.policy_hash}")]


def _beats(reader: Engine, seen: Holder, wait: Callable[[float], object]) -> bool:
    """Whether the heartbeat of payouts moves, or another process has taken over. Clocks are not compared."""
    for _ in range(HEARTBEAT_LOOKS):
        wait(HEARTBEAT_SECONDS)
        with reader.connect() as connection:
            holder = read_holder(connection, payout_schema.lease)
        if holder is not None and holder != seen:
            return True
    return False


def checkpoints(scene: Scene) -> Iterator[Point]:
    """Whether a checkpoint of the venue stands on the chain, and agrees with this database."""
    section, venue = Section("Checkpoints"), scene.venue
    if venue is not None and venue.checkpoint_account == venue.operator:
        yield section.not_yet(
            f"{venue.operator} signs checkpoints too: its key lies on the machine that pays",
            "name another account as checkpoint_account before the venue starts",
        )
        return
    reader, state = scene.ledger.reader, scene.ledger.state
    if reader is None or state is None:
        yield section.unknown(NO_DATABASE, START)
        return
    newest = 0 if state.header is None else state.header.number
    with reader.connect() as connection:
        rows = list_checkpoints(connection, _NEWEST_CHECKPOINTS)
    wrong = [row for row in rows if row.journal_agrees(newest) is False]
    for row in wrong:
        yield section.not_yet(
            f"the checkpoint of block {row.claimed_block} differs from this database",
            "`peakedex payouts pause`, then follow Checkpoints and peers in docs/operator.md",
        )
    if not rows:
        yield section.not_yet(
            "no checkpoint on the chain yet",
            f"give payouts the active key of {venue.checkpoint_account if venue else 'the account'} and wait "
            "for the next multiple of checkpoint-every",
        )
    elif not wrong:
        yield section.ok(f"block {rows[0].claimed_block} by {rows[0].account} agrees")


def backups(scene: Scene) -> Iterator[Point]:
    """Whether there is a backup of the last night."""
    section = Section("Backups")
    if scene.venue is None:
        yield section.unknown("no valid venue file", "see point 3")
        return
    if scene.wanted.newest_backup is None:
        yield section.unknown(
            "no backup storage given", "name it with --backups URL, or the status file with --backup-status"
        )
        return
    try:
        made = scene.wanted.newest_backup()
    except StorageError as error:
        yield section.unknown(str(error), "correct --backups, or the storage")
        return
    if made is None:
        yield section.not_yet("there is no backup of this venue yet", "run `peakedex backup --to URL`")
        return
    age = scene.now - made.timestamp()
    if age > _OLD_BACKUP_SECONDS:
        cure = "enable peakedex-backup.timer, and read its log"
        yield section.not_yet(f"the newest backup is {duration(age)} old", cure)
    else:
        yield section.ok(f"the newest is of {made.astimezone(UTC):%Y-%m-%d %H:%M} UTC")


# ---------------------------------------------------------------- the first movements


def first_deposit(scene: Scene) -> Iterator[Point]:
    """Whether a deposit was credited."""
    cure = "`peakedex intent deposit … --sign`: section 14 of docs/go-live.md"
    yield _first(scene, "First deposit", _deposit, "no deposit was credited", cure)


def first_trade(scene: Scene) -> Iterator[Point]:
    """Whether a trade happened."""
    cure = "`peakedex intent sell …` and `buy … --sign`: section 15 of docs/go-live.md"
    yield _first(scene, "First trade", _trade, "no trade has happened", cure)


def first_withdrawal(scene: Scene) -> Iterator[Point]:
    """Whether a withdrawal was paid."""
    cure = (
        "`peakedex intent withdraw … --sign`, then `peakedex payouts status`: section 16 of docs/go-live.md"
    )
    yield _first(scene, "First withdrawal", _withdrawal, "no withdrawal was paid", cure)


def first_refund(scene: Scene) -> Iterator[Point]:
    """Whether a refund was paid."""
    cure = "send a token to another token's escrow account: section 17 of docs/go-live.md"
    yield _first(scene, "First refund", _refund, "no refund was paid", cure)


def _first(
    scene: Scene, title: str, read: Callable[[Connection], str | None], missing: str, cure: str
) -> Point:
    section, reader = Section(title), scene.ledger.reader
    if reader is None or scene.ledger.state is None:
        return section.unknown(NO_DATABASE, START)
    with reader.connect() as connection:
        found = read(connection)
    return section.not_yet(missing, cure) if found is None else section.ok(found)


_t, _d, _w, _r = schema.tokens.c, schema.deposits.c, schema.withdrawals.c, schema.refunds.c
_name = schema.accounts.c.name


def _row(connection: Connection, query: Any) -> Any:
    return connection.execute(query.limit(1)).one_or_none()


def _deposit(connection: Connection) -> str | None:
    query = (
        select(_d.block, _d.amount, _t.symbol, _t.precision, _name)
        .join(schema.tokens, _t.id == _d.token_id)
        .join(schema.accounts, schema.accounts.c.id == _d.account_id)
        .order_by(_d.n)
    )
    row = _row(connection, query)
    if row is None:
        return None
    return f"block {row.block}: {show_units(row.amount, row.precision)} {row.symbol} of {row.name}"


def _trade(connection: Connection) -> str | None:
    row = _row(connection, select(schema.trades.c.n, schema.trades.c.block).order_by(schema.trades.c.n))
    return None if row is None else f"block {row.block}: trade {row.n}"


def _withdrawal(connection: Connection) -> str | None:
    query = (
        select(_w.closed_block, _w.amount, _w.to, _w.paid_by, _t.symbol, _t.precision)
        .join(schema.tokens, _t.id == _w.token_id)
        .where(_w.status == schema.PAID)
        .order_by(_w.n)
    )
    row = _row(connection, query)
    if row is None:
        return None
    amount = f"{show_units(row.amount, row.precision)} {row.symbol}"
    return f"block {row.closed_block}: {amount} to {row.to}, {row.paid_by}"


def _refund(connection: Connection) -> str | None:
    row = _row(connection, select(schema.refunds).where(_r.status == schema.PAID).order_by(_r.n))
    if row is None:
        return None
    return f"block {row.closed_block}: {row.quantity} {row.symbol} to {row.account}, {row.paid_by}"


def books(scene: Scene) -> Iterator[Point]:
    """Whether the escrow accounts hold what is owed, on the chain and by the ledger."""
    section = Section("Books")
    if scene.ledger.state is None or scene.hive is None:
        yield section.unknown(NO_DATABASE, START)
        return
    escrows = Escrows(scene.venue, scene.ledger, scene.hive, scene.engine, scene.wait)
    findings = list(escrows.examine())
    problems = section.fatal(each for each in findings if each.check in ("escrow", "solvency"))
    problems += [
        section.unknown(each.text, each.cure)
        for each in findings
        if each.check == "escrow" and each.level == "warn"
    ]
    surplus = "".join(f"; {each.text}" for each in findings if each.check == "surplus")
    yield from problems or [
        section.ok(f"holdings cover what is owed; the accounts hold at least that{surplus}")
    ]
