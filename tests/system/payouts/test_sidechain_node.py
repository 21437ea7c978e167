"""Queries of payouts to a Hive-Engine node, against recorded answers of a real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from settlement.payouts.chain.nodes import ChainError, ChainNodes, Execution, Restrictions, SidechainNode
from tests.support import real_nodes

RECORDED = "engine_transactions"


class _Handler(BaseHTTPRequestHandler):
    answers: dict[str, Any]

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        params = request["params"]
        key = params.get("txid") or f"{params['contract']}.{params['table']}"
        body = json.dumps({"jsonrpc": "2.0", "id": request["id"], **self.answers[key]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def recorded_answers() -> dict[str, Any]:
    """Answers of a node with recorded transactions, and a denied account in its tables."""
    answers: dict[str, Any] = {"odd": {"result": {"logs": "no JSON", "refHiveBlockNumber": 1}}}
    for line in real_nodes.lines(RECORDED):
        ident = line["request"]["params"].get("txid")
        if isinstance(ident, str) and ident:
            answers[ident] = {"result": line["response"]["result"]}
    answers["tokens.params"] = {"result": [real_nodes.result(RECORDED, "params/tokens")]}
    controls = real_nodes.result(RECORDED, "resourcemanager/accountControls")
    answers["resourcemanager.accountControls"] = {"result": controls}
    return answers


@contextmanager
def running(answers: dict[str, Any]) -> Iterator[str]:
    """A node with these answers; its URL."""
    handler = type("Handler", (_Handler,), {"answers": answers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def node() -> Iterator[SidechainNode]:
    with running(recorded_answers()) as url:
        yield SidechainNode(url)


@pytest.mark.parametrize(
    ("case", "execution"),
    [
        ("transaction/existing", Execution(1584, ("",))),
        ("transaction/with-error", Execution(1572, ("not allowed to issue tokens",))),
        ("transaction/array-whole", Execution(1564, ("", ""))),
        ("array/middle-fails/transaction-info", Execution(2004, ("overdrawn balance",))),
        ("transaction/unknown", None),
    ],
)
def test_how_a_transaction_was_executed(node: SidechainNode, case: str, execution: Execution | None) -> None:
    request = real_nodes.exchange(RECORDED, case)["request"]
    assert node.execution(request["params"]["txid"]) == execution


def test_a_malformed_answer_is_an_error(node: SidechainNode) -> None:
    with pytest.raises(ChainError, match="another form"):
        node.execution("odd")


def test_the_blacklist_and_the_denied_accounts(node: SidechainNode) -> None:
    found = node.restrictions(["david-test", "venue-test"])
    assert {"bittrex", "blocktrades", "user.dunamu"} <= found.blacklist
    assert len(found.blacklist) == 15
    assert found.denied == {"david-test"}
    assert node.restrictions(["venue-test"]).denied == frozenset()


def test_one_of_two_nodes_cannot_have_an_account_held() -> None:
    """The liar is listed first; both name the accounts that are really restricted."""
    lies = {
        **recorded_answers(),
        "tokens.params": {"result": [{"blacklist": {"alice": 1, "bittrex": 1}}]},
        "resourcemanager.accountControls": {
            "result": [{"account": name, "isDenied": True} for name in ("david-test", "venue-test")]
        },
    }
    with running(lies) as liar, running(recorded_answers()) as honest:
        nodes = ChainNodes(["http://127.0.0.1:9"], [liar, honest])
        found = nodes.restrictions(["david-test", "venue-test"])
    assert found == Restrictions(frozenset({"bittrex"}), frozenset({"david-test"}))
