"""A trader's intents from the signature to their end, with nodes that fail in every way."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from peakedex.client import (
    CallbackSigner,
    InputError,
    JournalError,
    KeyMissing,
    KeySigner,
    ProtectiveStop,
    ReferenceUsed,
    SigningFailed,
    State,
    Trader,
    Trigger,
)
from tests.system.client.exchange import PAIR, Exchange, signer_of

_names = count()


@pytest.fixture
def trader(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = new_trader(exchange, monkeypatch)
    yield made
    made.close()


def new_trader(exchange: Exchange, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Trader:
    name = exchange.account()
    return exchange.trader(signer_of(exchange, name, monkeypatch), f"{name}-{next(_names)}", **options)


def again(exchange: Exchange, old: Trader, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Trader:
    """The same bot after a restart: its journal is all that it remembers."""
    old.close()
    [journal] = exchange.folder.glob(f"{old.account}-*.journal")
    return exchange.trader(signer_of(exchange, old.account, monkeypatch), journal.stem, **options)


def orders(exchange: Exchange, account: str) -> list[Any]:
    return exchange.api().orders(user=account, limit=None)


# -- the way of an intent -----------------------------------------------------------------------------


def test_every_state_on_the_way(exchange: Exchange, trader: Trader) -> None:
    exchange.node.chain.lag = 2
    exchange.steps(3)
    ticket = trader.place(trader.build.limit("sell", PAIR, "100", "0.9"))
    assert (ticket.state, ticket.is_done) == (State.SENT, False)
    seen = []
    while not ticket.is_done:
        exchange.step()
        trader.poll()
        seen.append(ticket.state)
    assert seen[0] == State.IN_BLOCK
    assert seen[-1] == State.OPEN
    assert ticket.order is not None
    assert (ticket.order.id, ticket.order.remaining) == (ticket.id, Decimal(100))
    assert ticket.order.ref == ticket.ref


def test_orders_of_every_kind_reach_their_ends(exchange: Exchange, trader: Trader) -> None:
    build = trader.build
    resting = trader.wait(trader.place(build.limit("sell", PAIR, Decimal("10.5"), "0.25", post_only=True)))
    assert resting.state == State.OPEN
    crossing = build.limit("buy", PAIR, 10, "0.25", time_in_force="IOC")
    assert trader.wait(trader.place(crossing)).state in (State.FILLED, State.CANCELLED, State.REJECTED)
    other = exchange.account()
    exchange.act(other, "buy", symbol="PEK", quote="SWAP.HIVE", quantity="50", price="0.2")
    exchange.steps(2)
    sold = trader.wait(trader.place(build.market_sell(PAIR, 20, worst_price="0.2")))
    assert sold.state == State.FILLED
    assert sold.order is not None
    assert sold.order.average_price == Decimal("0.2")
    stop = trader.place(build.market_sell(PAIR, 5, worst_price="0.1", trigger=Trigger("0.15", "below")))
    assert trader.wait(stop).state == State.WAITING
    guarded = build.limit("buy", PAIR, 10, "0.19", protect=ProtectiveStop("0.3", "0.4"), lifetime=3600)
    assert trader.wait(trader.place(guarded)).state in (State.OPEN, State.REJECTED)
    assert trader.wait(trader.place(build.cancel_all())).state == State.ACCEPTED
    assert trader.refresh(resting).state == State.CANCELLED
    assert trader.refresh(stop).state == State.CANCELLED


def test_a_rejection_says_why(trader: Trader) -> None:
    poor = trader.wait(trader.place(trader.build.limit("sell", PAIR, 10**9, "0.5")))
    assert (poor.state, poor.code, poor.reason) == (State.REJECTED, "E_FUNDS", "Insufficient funds.")
    assert poor.order is None
    gone = trader.wait(trader.place(trader.build.cancel("0" * 40)))
    assert (gone.state, gone.code) == (State.REJECTED, "E_NOT_FOUND")


def test_several_intents_in_one_signature(exchange: Exchange, trader: Trader) -> None:
    build = trader.build
    switch, order, bad = trader.wait_all(
        trader.send(
            build.cancel_all_after(60),
            build.limit("sell", PAIR, 1, "0.8"),
            build.limit("sell", PAIR, 10**9, "0.8"),
        )
    )
    assert (switch.state, order.state, bad.state) == (State.ACCEPTED, State.OPEN, State.REJECTED)
    assert switch.transaction_id == order.transaction_id
    assert order.id == f"{order.transaction_id}-1"
    # The switch fires by the chain's time, and the quote is gone.
    exchange.steps(25)
    assert trader.refresh(order).state == State.CANCELLED


def test_replace_withdraw_and_take_back(trader: Trader) -> None:
    build = trader.build
    old = trader.wait(trader.place(build.limit("sell", PAIR, 10, "0.7")))
    new = trader.wait(trader.place(build.replace(old.id, PAIR, price="0.71")))
    assert (new.state, new.id != old.id) == (State.OPEN, True)
    assert trader.refresh(old).state == State.CANCELLED
    assert trader.wait(trader.place(build.withdraw("PEK", "2000.5", memo="né"))).state == State.ACCEPTED
    [withdrawal] = trader.api.withdrawals(trader.account)
    assert (withdrawal.amount, withdrawal.memo) == (Decimal("2000.5"), "né")
    assert trader.wait(trader.place(build.cancel_withdrawal(withdrawal.id))).state == State.ACCEPTED


def test_a_bot_s_account_trades_under_a_grant(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = new_trader(exchange, monkeypatch)
    helper = exchange.account()
    # The band of a grant needs a mark: a trade between two accounts.
    exchange.act(helper, "sell", symbol="PEK", quote="SWAP.HIVE", quantity="10", price="0.3")
    exchange.steps(2)
    trade = owner.wait(owner.place(owner.build.limit("buy", PAIR, 10, "0.3", time_in_force="IOC")))
    assert trade.state == State.FILLED
    grant = owner.build.grant(
        helper, pairs=[PAIR], per_day={"PEK": 100}, band_bps=1000, until=exchange.now + 86_400
    )
    assert owner.wait(owner.place(grant)).state == State.ACCEPTED
    bot = exchange.trader(signer_of(exchange, helper, monkeypatch), "grantee", acting_for=owner.account)
    assert bot.account == owner.account
    placed = bot.wait(bot.place(bot.build.limit("sell", PAIR, 60, "0.3")))
    assert (placed.state, placed.order and placed.order.user) == (State.OPEN, owner.account)
    over = bot.wait(bot.place(bot.build.limit("sell", PAIR, 60, "0.3")))
    assert (over.state, over.code) == (State.REJECTED, "E_GRANT")
    assert owner.wait(owner.place(owner.build.revoke(helper))).state == State.ACCEPTED
    late = bot.wait(bot.place(bot.build.cancel_all()))
    assert (late.state, late.code) == (State.REJECTED, "E_AUTH")
    bot.close()
    owner.close()


# -- what nodes do ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", ["lost_replies", "duplicate_replies", "lock_errors", "html_errors", "too_many", "bad_json"]
)
def test_nodes_that_fail_make_one_order(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """From the signature on, the next three calls of each node fail."""
    name = exchange.account()
    key = signer_of(exchange, name, monkeypatch)

    def sign(transaction: Any, chain_id: str) -> str:
        for server in exchange.nodes:
            server.faults.set({fault: 3})
        return key.sign(transaction, chain_id)

    trader = exchange.trader(CallbackSigner(name, sign), f"{name}-faults")
    ticket = trader.place(trader.build.limit("sell", PAIR, 3, "0.6"))
    assert ticket.state == (State.SENT if fault == "duplicate_replies" else State.UNKNOWN)
    assert trader.wait(ticket).state == State.OPEN
    assert [order.id for order in orders(exchange, name)] == [ticket.id]
    trader.close()


def test_all_replies_are_lost_and_the_order_is_found(exchange: Exchange, trader: Trader) -> None:
    intent = trader.build.limit("sell", PAIR, 3, "0.6")
    real = trader.place(intent)
    exchange.steps(3)
    for server in exchange.nodes:
        server.faults.set({"refuses": True})  # from now on no node answers, and the API has it
    assert trader.wait(real).state == State.OPEN


def test_what_no_node_took_is_never_included(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    trader = new_trader(exchange, monkeypatch, expires_in=30)
    intent = trader.build.limit("sell", PAIR, 3, "0.6")
    account = trader.account
    exchange.node.chain.without_rc = frozenset([account])
    ticket = trader.place(intent)
    assert (ticket.state, "RC" in ticket.reason) == (State.REFUSED, True)
    assert trader.wait(ticket).state == State.NOT_INCLUDED
    assert exchange.now > ticket.expires
    exchange.node.chain.without_rc = frozenset()
    exchange.steps(10)
    assert orders(exchange, account) == []
    # The ref is spent: asking again does not sign again, also after a restart.
    restarted = again(exchange, trader, monkeypatch)
    assert restarted.place(intent).state == State.NOT_INCLUDED
    restarted.close()


def test_a_fork_drops_the_block_and_the_same_bytes_go_out_again(exchange: Exchange, trader: Trader) -> None:
    exchange.node.chain.lag = 5
    exchange.steps(6)
    ticket = trader.place(trader.build.limit("sell", PAIR, 3, "0.6"))
    exchange.step()
    trader.poll()
    assert ticket.state == State.IN_BLOCK
    exchange.node.fork(1, forget=True)  # the branch that wins does not have it, and no pool does
    trader.poll()
    assert ticket.state != State.IN_BLOCK
    assert trader.wait(ticket).state == State.OPEN
    assert [order.id for order in orders(exchange, trader.account)] == [ticket.id]


def test_a_deadline_holds_although_the_transaction_gets_in(exchange: Exchange, trader: Trader) -> None:
    ticket = trader.place(trader.build.limit("sell", PAIR, 3, "0.6", not_after=exchange.now - 1))
    trader.wait(ticket)
    assert (ticket.state, ticket.code) == (State.REJECTED, "E_LATE")


# -- restarts -----------------------------------------------------------------------------------------


def test_a_restart_finds_what_was_sent(
    exchange: Exchange, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = trader.build.limit("sell", PAIR, 3, "0.6", ref="quote-1")
    sent = trader.place(intent)
    restarted = again(exchange, trader, monkeypatch)
    [found] = restarted.open_tickets
    assert (found.id, found.ref, found.state) == (sent.id, "quote-1", State.SIGNED)
    assert restarted.place(intent) is found
    assert restarted.wait(found).state == State.OPEN
    with pytest.raises(ReferenceUsed, match="quote-1 was used for another sell"):
        restarted.place(restarted.build.limit("sell", PAIR, 4, "0.6", ref="quote-1"))
    last = again(exchange, restarted, monkeypatch)
    assert (last.open_tickets, last.place(intent).state) == ([], State.OPEN)
    last.close()
    assert len(orders(exchange, trader.account)) == 1


def test_a_lost_journal_is_made_up_for_by_the_ref(
    exchange: Exchange, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = trader.build.limit("sell", PAIR, 3, "0.6", ref="quote-1")
    old = trader.wait(trader.place(intent))
    signer = signer_of(exchange, trader.account, monkeypatch)
    fresh = exchange.trader(signer, f"{trader.account}-fresh")
    found = fresh.place(intent)
    assert (found.id, found.state) == (old.id, State.OPEN)
    with pytest.raises(ReferenceUsed, match="was used for another sell"):
        fresh.place(fresh.build.cancel_all(ref="quote-1"))
    fresh.close()
    assert len(orders(exchange, trader.account)) == 1


def test_a_journal_belongs_to_one_process_and_one_account(
    exchange: Exchange, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader.place(trader.build.cancel_all())
    [journal] = exchange.folder.glob(f"{trader.account}-*.journal")
    signer = signer_of(exchange, trader.account, monkeypatch)
    with pytest.raises(JournalError, match="another process uses it"):
        exchange.trader(signer, journal.stem)
    trader.close()
    stranger = signer_of(exchange, exchange.account(), monkeypatch)
    with pytest.raises(JournalError, match=f"belongs to {trader.account}"):
        exchange.trader(stranger, journal.stem)


def test_a_journal_does_not_grow_for_ever(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    trader = new_trader(exchange, monkeypatch, keep=2)
    first = trader.wait(trader.place(trader.build.limit("sell", PAIR, 1, "0.9", ref="first")))
    waiting = trader.place(trader.build.limit("sell", PAIR, 1, "0.9", ref="waiting"))
    for number in range(4):
        trader.wait(trader.place(trader.build.cancel_all_after(60, ref=f"s-{number}")))
        assert len(trader.tickets) <= 6
    assert [ticket.ref for ticket in trader.tickets] == ["s-1", "s-2", "s-3"]
    # What is forgotten here is known to the venue: it is not placed again.
    assert trader.place(first.intent).id == first.id
    assert waiting.is_done
    restarted = again(exchange, trader, monkeypatch, keep=2)
    assert [ticket.ref for ticket in restarted.tickets] == ["s-1", "s-2", "s-3"]
    restarted.close()


def test_a_torn_last_line_was_never_sent_and_a_damaged_one_stops(
    exchange: Exchange, trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = trader.place(trader.build.cancel_all())
    [journal] = exchange.folder.glob(f"{trader.account}-*.journal")
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[: len(whole) // 2])
    restarted = again(exchange, trader, monkeypatch)
    assert [one.id for one in restarted.open_tickets] == [ticket.id]
    restarted.wait_all()
    restarted.close()
    journal.write_bytes(whole + b"{}\n")
    with pytest.raises(JournalError, match="line 2: not a line of a journal"):
        exchange.trader(signer_of(exchange, trader.account, monkeypatch), journal.stem)


# -- keys ---------------------------------------------------------------------------------------------


def test_a_key_is_shown_nowhere(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    trader = new_trader(exchange, monkeypatch)
    wif = exchange.key(trader.account)
    signer = signer_of(exchange, trader.account, monkeypatch)
    exchange.nodes[0].faults.set({"lost_replies": 1})
    trader.wait(trader.place(trader.build.cancel_all()))
    trader.close()
    journals = "".join(path.read_text("utf-8") for path in exchange.folder.glob("*.journal"))
    for shown in (repr(signer), str(signer), repr(trader), caplog.text, journals):
        assert wif not in shown
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(signer)
    monkeypatch.setenv("BOT_KEY", wif[:-1] + ("a" if wif[-1] != "a" else "b"))
    with pytest.raises(KeyMissing, match="BOT_KEY is not a private key") as raised:
        KeySigner(trader.account, "BOT_KEY")
    assert wif[:20] not in str(raised.value)
    monkeypatch.delenv("BOT_KEY")
    with pytest.raises(KeyMissing, match="set the environment variable BOT_KEY to the active key"):
        KeySigner(trader.account, "BOT_KEY")


def test_a_callback_signs(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    name = exchange.account()
    key = signer_of(exchange, name, monkeypatch)
    asked = []

    def sign(transaction: Any, chain_id: str) -> str:
        asked.append(transaction.id)
        return key.sign(transaction, chain_id)

    trader = exchange.trader(CallbackSigner(name, sign), "callback")
    ticket = trader.wait(trader.place(trader.build.limit("sell", PAIR, 1, "0.6")))
    assert (ticket.state, asked) == (State.OPEN, [ticket.transaction_id])
    trader.close()
    silent = exchange.trader(CallbackSigner(name, lambda *_: ""), "silent")
    with pytest.raises(SigningFailed, match="no signature of 130"):
        silent.place(silent.build.cancel_all())
    assert silent.tickets == []
    silent.close()


def test_a_wrong_key_is_refused_and_makes_nothing(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = exchange.account()
    key = signer_of(exchange, name, monkeypatch, "posting")
    wrong = exchange.trader(CallbackSigner(name, key.sign), "wrong", expires_in=15)
    ticket = wrong.place(wrong.build.limit("sell", PAIR, 1, "0.6"))
    assert (ticket.state, "missing required active authority" in ticket.reason) == (State.REFUSED, True)
    assert wrong.wait(ticket).state == State.NOT_INCLUDED
    wrong.close()


# -- what is never signed -----------------------------------------------------------------------------


def test_values_that_no_venue_accepts_are_named(exchange: Exchange, trader: Trader, tmp_path: Path) -> None:
    build = trader.build
    a_float: Any = 0.1
    no_side: Any = "hold"
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: build.limit("sell", PAIR, a_float, "0.6"), "quantity: must be a Decimal"),
        (lambda: build.limit("sell", PAIR, "1e3", "0.6"), "quantity: '1e3' is not a decimal"),
        (lambda: build.limit("sell", PAIR, "-1", "0.6"), "quantity: '-1' is not a decimal"),
        (lambda: build.limit("sell", PAIR, 0, "0.6"), "quantity: 0 must be above zero"),
        (lambda: build.limit("sell", PAIR, "0.001", "0.6"), "quantity: 0.001 is not a multiple of 0.01"),
        (lambda: build.limit("sell", PAIR, 1, "0.60000001"), "price: 0.60000001 is not a multiple"),
        (lambda: build.limit("sell", PAIR, 10**30, 1), "quantity: 1000"),
        (lambda: build.limit(no_side, PAIR, 1, 1), "side: 'hold' must be buy or sell"),
        (lambda: build.limit("sell", "PEK/DOGE", 1, 1), "pair: PEK/DOGE is not listed"),
        (lambda: build.limit("sell", "PEKHIVE", 1, 1), "pair: 'PEKHIVE' is not a pair"),
        (lambda: build.limit("sell", PAIR, 1, 1, ref="a b"), "ref: 'a b' must be"),
        (lambda: build.market_sell(PAIR, 1, trigger=Trigger(1, "below")), "worst_price: is required"),
        (lambda: build.replace("x", PAIR), "quantity, price, protect: at least one"),
        (lambda: build.cancel_all_after(5), "seconds: 5 must be an integer from 15"),
        (lambda: build.withdraw("DOGE", 1), "symbol: 'DOGE' is not listed"),
        (trader.send, "intents: none given"),
        (lambda: trader.send(*[build.cancel("x" * 90) for _ in range(60)]), "bytes are too long"),
    ]
    for make, message in wrong:
        with pytest.raises(InputError) as raised:
            make()
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)
    assert trader.tickets == []
    same = replace(build.cancel_all(ref="twice"))
    with pytest.raises(ReferenceUsed, match="two intents"):
        trader.send(same, same)
