"""`peakedex intent`: every action of the protocol, signed with active and posting keys and decided by the venue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from indexer.cli import main
from tests.system.clients.exchange import Exchange

PAIR = ("--symbol", "PEK", "--quote", "SWAP.DOGE")
DEVNET = ("--chain-id", "devnet")


class Signer:
    """An account that signs with `peakedex intent --sign`."""

    def __init__(self, exchange: Exchange, account: str) -> None:
        self.exchange = exchange
        self.account = account

    def run(self, *arguments: str) -> Result:
        """The command, with both of the account's keys in the environment."""
        keys = {
            "PEAKEDEX_ACTIVE_KEY": self.exchange.key(self.account),
            "PEAKEDEX_POSTING_KEY": self.exchange.key(self.account, "posting"),
        }
        files = ("--venue", str(self.exchange.venue_file))
        sign = ("--sign", "--account", self.account, "--json", *DEVNET)
        environment = {**keys, "PEAKEDEX_NODE": self.exchange.url}
        result = CliRunner().invoke(main, ["intent", *arguments, *files, *sign], env=environment)
        shown = result.output + result.stderr
        assert not any(key in shown for key in keys.values())
        return result

    def send(self, *arguments: str) -> str:
        """The id of a transaction that was sent."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return str(json.loads(result.stdout)["transaction_id"])

    def accepted(self, *arguments: str) -> str:
        """The id of a transaction that the venue accepted."""
        ident = self.send(*arguments)
        outcome = self.exchange.intent(ident)
        assert outcome["status"] == "accepted", outcome
        return ident

    def rejected(self, *arguments: str) -> str:
        """The code with which the venue rejected it."""
        return str(self.exchange.intent(self.send(*arguments))["code"])

    def fund(self, symbol: str, quantity: str, rest: str) -> None:
        self.exchange.node.faucet(self.account, symbol, quantity)
        self.send("deposit", "--symbol", symbol, "--quantity", quantity)
        self.exchange.wait_for_balance(self.account, symbol, rest)

    def order(self, ident: str) -> dict[str, Any]:
        found: dict[str, Any] = self.exchange.wait(f"/api/orders/{ident}")["order"]
        return found


@pytest.fixture(scope="module")
def maker(exchange: Exchange) -> Signer:
    signer = Signer(exchange, "cli-maker")
    signer.fund("PEK", "10000", "10000.00000000")
    return signer


@pytest.fixture(scope="module")
def taker(exchange: Exchange, maker: Signer) -> Signer:
    """An account that has traded with the maker, so that the pair has a mark of 0.5."""
    signer = Signer(exchange, "cli-taker")
    signer.fund("SWAP.DOGE", "10000", "10000.00000000")
    maker.accepted("sell", *PAIR, "--quantity", "100", "--price", "0.5")
    signer.accepted("marketBuy", *PAIR, "--quantity", "50", "--price", "0.6", "--max-fee-bps", "20")
    return signer


def test_stops_wait_and_are_cancelled(taker: Signer) -> None:
    stop = taker.accepted(
        *("buy", *PAIR, "--quantity", "10", "--price", "0.9"),
        *("--trigger-price", "0.8", "--trigger-when", "above", "--expiration", "3600"),
    )
    assert taker.order(stop)["status"] == "waiting"
    taker.accepted("cancel", "--id", stop)
    reached = ("--trigger-price", "0.4", "--trigger-when", "above")
    assert taker.rejected("market-buy", *PAIR, "--quantity", "1", "--price", "1", *reached) == "E_TRIGGER"


def test_a_protective_stop_is_moved_with_its_order(maker: Signer, taker: Signer) -> None:
    protective = ("--stop-price", "0.3", "--stop-limit", "0.2")
    first = maker.accepted("sell", *PAIR, "--quantity", "10", "--price", "0.9", *protective, "--post-only")
    moved = ("--price", "0.8", "--stop-price", "0.35", "--stop-limit", "0.2", *PAIR)
    second = maker.accepted("replace", "--id", first, *moved)
    assert maker.order(first)["status"] == "cancelled"
    assert maker.order(second)["price"] == "0.800000"
    maker.accepted("cancel-all", *PAIR)


def test_a_timer_is_set_and_disarmed(maker: Signer) -> None:
    maker.accepted("cancel-all-after", "--seconds", "3600")
    assert maker.exchange.get(f"/api/timers?user={maker.account}")["timers"]
    maker.accepted("cancel-all-after", "--seconds", "0")
    assert not maker.exchange.get(f"/api/timers?user={maker.account}")["timers"]


def test_the_posting_key_and_another_account_trade_under_grants(maker: Signer, taker: Signer) -> None:
    limits = ("--pair", "PEK/SWAP.DOGE", "--per-day", "PEK=100", "--band-bps", "1000", "--until", "30d")
    order = ("sell", *PAIR, "--quantity", "60", "--price", "0.7")
    assert maker.rejected(*order, "--posting") == "E_AUTH"
    maker.accepted("grant", "--to", "posting", *limits)
    maker.accepted("grant", "--to", taker.account, *limits)
    assert len(maker.exchange.get(f"/api/grants?user={maker.account}")["given"]) == 2
    mine = maker.accepted(*order, "--posting")
    assert maker.rejected(*order, "--posting") == "E_GRANT", "60 and 60 are more than 100 a day"
    theirs = taker.accepted(*order, "--for", maker.account)
    for ident in (mine, theirs):
        assert maker.order(ident)["user"] == maker.account
    taker.accepted("cancel", "--id", mine, "--for", maker.account)
    maker.accepted("revoke", "--to", taker.account)
    assert taker.rejected("cancel", "--id", theirs, "--for", maker.account) == "E_AUTH"
    maker.accepted("cancel-all", "--posting", "--not-after", "10m")
    assert maker.order(theirs)["status"] == "cancelled"
    refused = maker.run("withdraw", "--symbol", "PEK", "--quantity", "all", "--posting")
    assert refused.exit_code == 2
    assert "No such option '--posting'" in refused.stderr


def test_a_withdrawal_is_taken_back(taker: Signer) -> None:
    """One that payouts cannot pay before, because its recipient does not exist."""
    withdrawal = taker.accepted(
        *(
            "withdraw",
            "--symbol",
            "SWAP.DOGE",
            "--quantity",
            "5",
            "--to",
            "no-such-account",
            "--memo",
            "later",
        )
    )
    taker.accepted("cancel-withdrawal", "--id", withdrawal)
    taker.exchange.wait_for_line(f"returning {withdrawal} ")
    assert taker.rejected("cancel-withdrawal", "--id", withdrawal) == "E_NOT_FOUND"


def test_the_operator_lists_changes_and_returns(exchange: Exchange, taker: Signer) -> None:
    operator = Signer(exchange, exchange.view.operator)
    operator.accepted(
        *("list-token", "--symbol", "CLI", "--precision", "3"),
        *("--escrow", "peakedex.pek", "--min-withdrawal", "0.5"),
    )
    fees = (
        "--maker-fee-bps",
        "1",
        "--taker-fee-bps",
        "2",
        "--price-policy",
        "midpoint",
        "--self-trade",
        "allow",
    )
    operator.accepted(
        *("listPair", "--symbol", "PIMP", "--quote", "SWAP.HIVE"),
        *("--price-decimals", "6", "--quantity-decimals", "2", *fees),
    )
    operator.accepted("update-pair", "--symbol", "PEK", "--quote", "SWAP.ETH", "--status", "paused")
    operator.accepted("update-pair", "--symbol", "PEK", "--quote", "SWAP.ETH", "--status", "active")
    operator.accepted("update-venue", "--max-open-orders", "150", "--fee-account", "peakecoin.fees")
    operator.accepted("upgrade", "--protocol", "3", "--text", "a" * 64, "--block", "4000000000")
    operator.accepted("upgrade", "--protocol", "3", "--text", "a" * 64, "--block", "0")
    hashes = ("--state-hash", "b" * 64, "--journal-hash", "c" * 64)
    checkpoint = Signer(exchange, exchange.view.checkpoint_account)
    checkpoint.accepted("checkpoint", "--block", "1", *hashes)
    withdrawal = taker.accepted(
        *("withdraw", "--symbol", "SWAP.DOGE", "--quantity", "6", "--to", "no-such-account")
    )
    operator.accepted("return-withdrawal", "--id", withdrawal)
    taker.exchange.wait_for_line(f"returning {withdrawal} ")
    refused = taker.run("update-venue", "--max-open-orders", "1")
    assert refused.exit_code == 1
    assert refused.stderr == "Error: account: updateVenue must be signed by the operator, peakecoin\n"
