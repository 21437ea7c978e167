"""`peakedex intent`: printed, signed for a pinned chain id, broadcast once; unknown outcomes are reported as such."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner, Result

from indexer.cli import main
from indexer.devnet.hive.keys import PrivateKey, recover_public_key
from indexer.devnet.rpc.block_methods import read_transaction
from settlement.payouts.chain.chain_time import check_clock
from settlement.payouts.chain.nodes import ChainError, ChainPosition, HiveNode
from settlement.payouts.signing.transactions import Key, SignedTransaction, SigningError, Transaction, signer
from tests.system.clients.exchange import Exchange, available
from tests.system.sources import server
from tests.system.sources.server import Raw

USER = "cli-trader"
SELL = ("sell", "--symbol", "PEK", "--quote", "SWAP.HIVE", "--quantity", "10", "--price", "0.8")
DEVNET = ("--chain-id", "devnet")
MAINNET = "beeab0de00000000000000000000000000000000000000000000000000000000"


@dataclass
class Cli:
    """Runs the command, and asserts that it never prints the key."""

    exchange: Exchange
    key: str
    node: str

    def run(self, *arguments: str, key: str | None = None, env: str = "PEAKEDEX_ACTIVE_KEY") -> Result:
        key = self.key if key is None else key
        files = ("--venue", str(self.exchange.venue_file)) if "--api" not in arguments else ()
        result = CliRunner().invoke(
            main, ["intent", *arguments, *files], env={env: key, "PEAKEDEX_NODE": self.node}
        )
        shown = result.output + result.stderr + repr(result.exception)
        assert key not in shown or not key
        return result

    def sign(self, *arguments: str, **more: Any) -> Result:
        return self.run(*arguments, "--sign", "--account", USER, *DEVNET, **more)

    def sent(self, *arguments: str) -> str:
        """The id of a transaction that was signed and sent."""
        result = self.sign(*arguments, "--json")
        assert result.exit_code == 0, result.output
        said = json.loads(result.stdout)
        assert said["status"] == "sent"
        assert f"transaction {said['transaction_id']}, expires {said['expiration']}" in result.stderr
        return str(said["transaction_id"])


@pytest.fixture
def cli(exchange: Exchange) -> Cli:
    exchange.rich(USER)
    return Cli(exchange, exchange.key(USER), exchange.url)


def test_the_command_line_trades(cli: Cli) -> None:
    exchange = cli.exchange
    cli.sent("deposit", "--symbol", "HBD", "--quantity", "5")
    cli.sent("deposit", "--symbol", "PEK", "--quantity", "1000")
    exchange.wait_for_balance(USER, "HBD", "5.000")
    exchange.wait_for_balance(USER, "PEK", "1000.00000000")
    first = cli.sent(*SELL, "--ref", "cli.1", "--expiration", "86400")
    assert exchange.intent(first)["status"] == "accepted"
    second = cli.sent("replace", "--id", first, "--price", "0.9", "--symbol", "PEK", "--quote", "SWAP.HIVE")
    exchange.wait(f"/api/orders/{first}", lambda body: body["order"]["status"] == "cancelled")
    assert exchange.wait(f"/api/orders/{second}")["order"]["price"] == "0.900000"
    assert exchange.intent(cli.sent("cancel", "--id", second))["status"] == "accepted"
    assert exchange.intent(cli.sent("cancel-all"))["status"] == "accepted"
    market = cli.sent("market-sell", "--symbol", "PEK", "--quote", "SWAP.LTC", "--quantity", "10")
    assert exchange.intent(market)["code"] == "E_NO_LIQUIDITY"
    out = cli.sent("withdraw", "--symbol", "HBD", "--quantity", "all", "--memo", "home")
    exchange.wait_for_line(f"paid {out} ")
    exchange.wait(f"/api/balances?user={USER}", lambda body: available(body, "HBD") in (None, "0.000"))


def test_a_draft_is_printed_ready_to_paste(cli: Cli) -> None:
    printed = cli.run(*SELL)
    assert printed.exit_code == 0
    element = json.loads(printed.stdout)
    assert element["contractAction"] == "sell"
    whole = cli.run(*SELL, "--json", "--account", "alice")
    assert json.loads(whole.stdout) == [
        "custom_json",
        {
            "required_auths": ["alice"],
            "required_posting_auths": [],
            "id": "ssc-mainnet-hive",
            "json": printed.stdout.strip(),
        },
    ]


def test_amounts_are_checked_against_a_running_api(cli: Cli) -> None:
    with cli.exchange.serve() as url:
        assert cli.run(*SELL, "--api", url).exit_code == 0
        refused = cli.run(*SELL[:-3], "0.001", *SELL[-2:], "--api", url)
        assert refused.exit_code == 1
        assert (
            refused.stderr
            == "Error: quantity: 0.001 is not a multiple of 0.01, the lot size of PEK/SWAP.HIVE\n"
        )
    for wrong in (url, cli.exchange.url):
        refused = cli.run(*SELL, "--api", wrong)
        assert refused.exit_code == 1
        assert refused.stderr.startswith(f"Error: --api {wrong}/api/venue: ")


# -- unknown outcomes -----------------------------------------------------------------------------


@pytest.fixture
def at_broadcast(cli: Cli) -> Iterator[Callable[..., None]]:
    """A node between the command and the devnet with faults for the broadcast only."""
    faults = cli.exchange.public.faults
    switched: dict[str, object] = {}

    def before(method: str) -> Raw | None:
        if not method.endswith("broadcast_transaction"):
            return None
        if switched == {"no_result": True}:
            return Raw(body=b'{"jsonrpc":"2.0","result":null,"id":%d}' % between.request_id)
        faults.set(switched)
        return None

    between = server.forwarding(cli.exchange.url, before)
    with server.serve(between):
        cli.node = between.url
        yield switched.update
    faults.set(dict.fromkeys(("lost_replies", "lock_errors", "html_errors", "too_many", "bad_json"), 0))


@pytest.mark.parametrize("fault", ["lost_replies", "lock_errors", "html_errors", "too_many", "bad_json"])
def test_a_lost_reply_is_neither_success_nor_failure(
    cli: Cli, at_broadcast: Callable[..., None], fault: str
) -> None:
    at_broadcast(**{fault: 1})
    result = cli.sign("cancel-all", "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["status"] == "unknown"
    assert f"unknown outcome of transaction {said['transaction_id']}" in result.stderr
    if fault in ("lost_replies", "bad_json"):
        # It is in the chain all the same.
        assert cli.exchange.intent(said["transaction_id"])["status"] == "accepted"


def test_an_answer_of_nothing_is_no_success(cli: Cli, at_broadcast: Callable[..., None]) -> None:
    at_broadcast(no_result=True)
    result = cli.sign("cancel-all")
    assert result.exit_code == 1
    assert "unknown outcome of transaction " in result.stderr


def test_sent_twice_is_sent(cli: Cli, at_broadcast: Callable[..., None]) -> None:
    at_broadcast(duplicate_replies=1)
    result = cli.sign("cancel-all", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["reason"] == "the node has it already"


# -- keys and chains ------------------------------------------------------------------------------


def test_a_key_of_another_is_refused_by_the_node(cli: Cli) -> None:
    # The reference makes it another transaction than those of the tests before: hived looks for duplicates first.
    result = cli.sign("cancel-all", "--ref", "wrong-key", key=cli.exchange.key("peakecoin"))
    assert result.exit_code == 1
    assert "rejected by the node: missing required active authority" in result.stderr
    assert "check that the key is the account's active key" in result.stderr


@pytest.mark.parametrize("change", [lambda wif: wif[:-1] + "1", lambda wif: wif[1:], lambda wif: f"{wif}x"])
def test_a_broken_key_is_named_by_its_variable_alone(cli: Cli, change: Callable[[str], str]) -> None:
    result = cli.sign("cancel-all", "--key-env", "MY_KEY", key=change(cli.key), env="MY_KEY")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: MY_KEY: not a private key in wallet import format (51 characters, begins with 5)\n"
    )


def test_what_is_missing_is_said(cli: Cli) -> None:
    absent = cli.sign("cancel-all", key="")
    assert absent.exit_code == 2
    assert "set the environment variable PEAKEDEX_ACTIVE_KEY" in absent.stderr
    assert cli.run("cancel-all", "--sign", *DEVNET).exit_code == 2
    assert cli.run("cancel-all", "--json").exit_code == 2
    assert cli.run("cancel-all", "--sign", "--account", USER, "--chain-id", "beeab0de").exit_code == 2


def test_a_node_of_another_chain_than_the_main_network_has_to_be_named(cli: Cli) -> None:
    result = cli.run("cancel-all", "--sign", "--account", USER, "--json")
    assert result.exit_code == 1
    own = cli.exchange.node.chain.chain_id.hex()
    assert f"is a node of another chain: its chain id is {own}, expected {MAINNET}" in result.stderr
    assert result.stdout == ""
    named = cli.run(
        *("cancel-all", "--sign", "--account", USER, "--json"),
        *("--chain-id", cli.exchange.node.chain.chain_id.hex()),
    )
    assert named.exit_code == 0, named.stderr


def test_only_a_devnet_tells_its_own_chain_id(cli: Cli) -> None:
    with cli.exchange.serve() as url, pytest.raises(ChainError, match="is not a devnet"):
        HiveNode(url).devnet_chain_id()
    liar = server.Node(lambda *_: None)
    liar.pages["/dev/status"] = {"devnet": True, "chain_id": MAINNET}
    with server.serve(liar), pytest.raises(ChainError, match="names the main network's chain id"):
        HiveNode(liar.url).devnet_chain_id()


def test_the_signature_is_of_the_pinned_chain_and_the_id_of_these_bytes() -> None:
    key = PrivateKey("a test")
    operations: list[tuple[str, dict[str, object]]] = [
        ("transfer", {"from": "alice", "to": "bobby", "amount": "4503599627370.497 HBD", "memo": "Grüße"}),
        (
            "custom_json",
            {
                "required_auths": ["alice"],
                "required_posting_auths": [],
                "id": "ssc-mainnet-hive",
                "json": '{"memo":"東京"}' + " " * 200,
            },
        ),
    ]
    for chosen in ([operations[0]], [operations[1]], operations):
        made = Transaction(tuple(chosen), 17740, 572464355, 1_700_000_060)
        signature = Key(key.wif).sign(made, MAINNET)
        read = read_transaction(SignedTransaction(made, (signature,)).to_json())
        assert read.id == made.id
        digest = read.digest(bytes.fromhex(MAINNET))
        assert recover_public_key(digest, read.signatures[0]) == key.public_key
        assert signer(made, signature, MAINNET) == key.public_key
        assert made.expiration == "2023-11-14T22:14:20"
    assert Key(key.wif).public == key.public_key
    assert key.wif not in repr(Key(key.wif))


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("9007199254740.993 HBD", "beem serializes the transaction differently"),
        ("9223372036854775.807 HBD", "beem cannot serialize"),
    ],
)
def test_what_beem_would_sign_wrongly_is_not_signed(amount: str, words: str) -> None:
    """It rounds to a float: 9007199254740.993 becomes 9007199254740.992."""
    operation: tuple[str, dict[str, object]] = (
        "transfer",
        {"from": "alice", "to": "bobby", "amount": amount, "memo": ""},
    )
    with pytest.raises(SigningError, match=words):
        Key(PrivateKey("a").wif).sign(Transaction((operation,), 1, 1, 61), MAINNET)


def test_a_node_far_from_our_clock_is_refused() -> None:
    check_clock(ChainPosition("", 1000), 1500.0)
    with pytest.raises(ChainError, match="900 seconds ahead of this machine's clock"):
        check_clock(ChainPosition("", 1900), 1000.0)
    with pytest.raises(ChainError, match="900 seconds behind"):
        check_clock(ChainPosition("", 1000), 1900.0)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"head_block_number": 5, "last_irreversible_block_num": 5, "head_block_id": "zz", "time": "x"},
        {
            "head_block_number": 5,
            "last_irreversible_block_num": 5,
            "head_block_id": "0" * 39,
            "time": "2026-01-01T00:00:00",
        },
        [],
        None,
    ],
)
def test_a_node_that_tells_nonsense_is_named(answer: object) -> None:
    with (
        server.serve(server.Node(lambda *_: answer)) as node,
        pytest.raises(ChainError, match=f"{node.url} "),
    ):
        HiveNode(f"{node.url}/").position()
