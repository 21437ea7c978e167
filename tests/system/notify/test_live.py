"""`peakedex notify` and a real exchange: what happens is told once, whatever dies meanwhile."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.traders.payloads import custom_json, intent, token_transfer
from tests.support.doc_examples import DOCUMENTS
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.cli.world import Process
from tests.system.notify.servers import Answer, Receiver, receiver
from tests.system.payouts.processes import VIEW, Chain, Operator

SECRET = "hush-9f2c"
CONFIG = """
poll_seconds = 1
after_seconds = {{ down = 1 }}

[targets.hook]
type = "webhook"
url = "{url}/hook"
secret_env = "TEST_NOTIFY_SECRET"
per_minute = 6000

[targets.deaf]
type = "webhook"
url = "{url}/deaf"

[[rules]]
when = "account"
accounts = ["alice"]
to = ["deaf", "hook"]

[[rules]]
when = "price"
pair = "PEK/HBD"
above = "0.5"
to = ["hook"]

[[rules]]
when = "alarm"
to = ["hook"]
"""


class Exchange:
    """A devnet with an indexer, payouts, an API, and the process under test."""

    def __init__(self, folder: Path, target: Receiver) -> None:
        self.folder = folder
        self.target = target
        self.chain = Chain()
        hbd, pek = PrivateKey("notify hbd"), PrivateKey("notify pek")
        self.chain.authority("venue.hbd", 1, hbd)
        self.chain.authority("venue.pek", 1, pek)
        keys = {"TEST_HBD_KEY": hbd.wif, "TEST_PEK_KEY": pek.wif}
        self.operator = Operator(self.chain, folder / "operator", keys, "--first-run")
        self.chain.deposit("alice", "HBD", 100_000)
        self.port = free_port()
        self.api = f"http://127.0.0.1:{self.port}"
        self.running: list[Process] = []
        try:
            self.operator.up()
            self.start_api()
        except BaseException:
            self.close()  # nobody else would end its processes
            raise
        self.config = folder / "notify.toml"
        self.config.write_text(CONFIG.format(url=target.url))

    def start_api(self) -> None:
        self.serve = Process(
            self.folder, "serve", "--db", self.operator.db, "--port", self.port, "--workers", 1
        )
        self.running.append(self.serve)
        self.serve.wait_until(lambda: self.balance("alice") is not None)

    def balance(self, user: str) -> object:
        """What the API says; None while it does not answer, or says nothing."""
        try:
            body = requests.get(f"{self.api}/api/balances?user={user}", timeout=60).json()
        except requests.RequestException:
            return None
        return body.get("balances") or None

    def notify(self) -> Process:
        """Start the process under test; it follows the stream when this returns."""
        files = ("--config", self.config, "--state", self.folder / "state.json")
        words = (*files, "--api", self.api, "--log-level", "debug")
        process = Process(self.folder, "notify", *words, TEST_NOTIFY_SECRET=SECRET)
        self.running.append(process)
        process.wait_until((self.folder / "state.json").exists)
        return process

    def send(self, user: str, action: str, **payload: str) -> str:
        return self.chain.node.broadcast([custom_json(VIEW, user, intent(VIEW, action, payload))])

    def order(self, user: str, side: str, quantity: str, price: str) -> str:
        return self.send(user, side, symbol="PEK", quote="HBD", quantity=quantity, price=price)

    def wait_for(self, *ids: str) -> None:
        wait_until(
            lambda: set(ids) <= set(self.target.ids("/hook")),
            lambda: f"{ids}, got {self.target.ids('/hook')}; {self.running[-1].said}",
        )

    def wait_for_kind(self, kind: str, count: int) -> None:
        wait_until(
            lambda: sum(each.json["kind"] == kind for each in self.target.at("/hook")) >= count,
            lambda: f"{kind}, got {self.target.ids('/hook')}; {self.running[-1].said}",
        )

    def count(self, beginning: str, end: str) -> int:
        """How many ids of received messages begin and end so."""
        return sum(id_.startswith(beginning) and id_.endswith(end) for id_ in self.target.ids("/hook"))

    def wait_at_rest(self) -> None:
        """Wait until what the target has received is written down."""

        def is_written() -> bool:
            queue = json.loads((self.folder / "state.json").read_text())["queues"]["hook"]
            return not queue["pending"] and queue["delivered"][-1] == self.target.ids("/hook")[-1]

        wait_until(is_written, "the state file")

    def close(self) -> None:
        for process in self.running:
            if process.run.poll() is None:
                process.end()
        self.operator.close()
        self.chain.close()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with receiver() as target:
        target.always["/deaf"] = Answer(before=target.hang)
        exchange = Exchange(tmp_path_factory.mktemp("notify"), target)
        yield exchange
        exchange.close()


def test_what_happens_is_told_once_through_kills_and_outages(exchange: Exchange) -> None:
    chain, target = exchange.chain, exchange.target
    process = exchange.notify()
    wait_until(lambda: '"alice"' in (exchange.folder / "state.json").read_text(), "the first look")
    assert target.ids("/hook") == []  # what was before the first start is no news

    # Live: a deposit, a fill and a price, a withdrawal that is requested and paid.
    deposit = chain.deposit("alice", "PEK", 50_00000000)
    exchange.wait_for(f"deposit/{deposit}/credited")
    chain.deposit("bob", "HBD", 100_000)
    wait_until(lambda: exchange.balance("bob"), "bob's deposit")
    sale = exchange.order("alice", "sell", "10", "0.6")
    exchange.order("bob", "buy", "4", "0.6")
    exchange.wait_for_kind("fill", 1)
    exchange.wait_for("price/PEK/HBD/above/0.5/1")
    withdrawal = exchange.send("alice", "withdraw", symbol="HBD", quantity="1.000", memo="@everyone `x`")
    exchange.wait_for(f"withdrawal/{withdrawal}/pending", f"withdrawal/{withdrawal}/paid")

    # Killed while the target has the message and has not answered: it comes again, with the same id.
    exchange.wait_at_rest()
    repeated: list[str] = []

    def die() -> None:
        repeated.append(target.ids("/hook")[-1])
        process.run.kill()
        process.run.wait(240)

    target.script["/hook"] = deque([Answer(before=die)])
    second = chain.deposit("alice", "PEK", 1_00000000)
    process.run.wait(240)
    assert process.run.returncode == -signal.SIGKILL
    # While it is away: a fill, and a transfer that has to be refunded.
    exchange.order("bob", "buy", "6", "0.6")
    astray = chain.node.broadcast([custom_json(VIEW, "alice", token_transfer("PEK", "venue.hbd", "2.5"))])
    wait_until(lambda: refunded(exchange, astray), "the refund")
    process = exchange.notify()
    exchange.wait_for(
        f"deposit/{second}/credited", f"deposit/{astray}/refund_due", f"deposit/{astray}/refunded"
    )
    exchange.wait_for_kind("fill", 2)

    # Killed at rest, and away for so long that the stream no longer has its place.
    exchange.wait_at_rest()
    process.end(signal.SIGKILL)
    state = json.loads((exchange.folder / "state.json").read_text())
    (exchange.folder / "state.json").write_text(json.dumps({**state, "event_id": "999999-deadbeef"}))
    missed = chain.deposit("alice", "PEK", 2_00000000)
    process = exchange.notify()
    exchange.wait_for(f"deposit/{missed}/credited")

    # The API goes away and comes back.
    downs, resolved = exchange.count("alarm/down/", "/1"), exchange.count("alarm/down/", "/resolved")
    exchange.serve.end()
    wait_until(lambda: exchange.count("alarm/down/", "/1") > downs, lambda: f"the alarm: {process.said}")
    exchange.start_api()
    wait_until(
        lambda: exchange.count("alarm/down/", "/resolved") > resolved, lambda: f"its end: {process.said}"
    )
    last = chain.deposit("alice", "PEK", 3_00000000)
    exchange.wait_for(f"deposit/{last}/credited")
    process.end()

    # Each kill repeats one message at most.
    times = Counter(target.ids("/hook"))
    assert times[repeated[0]] == 2
    assert times.total() - len(times) <= 2
    bodies = {each.json["id"]: each.json for each in target.at("/hook")}
    fills = [each["fields"] for each in bodies.values() if each["kind"] == "fill"]
    assert [(each["order"], each["amount"]) for each in fills] == [
        (sale, "4.00000000 PEK"),
        (sale, "6.00000000 PEK"),
    ]
    is_genuine = documented_check()
    for each in target.at("/hook"):
        assert is_genuine(SECRET, each.headers, each.body)
        assert not is_genuine(SECRET, each.headers, each.body + b" ")
        assert not is_genuine("other", each.headers, each.body)
    said = "".join(each.said for each in exchange.running)
    assert SECRET not in said
    assert "Traceback" not in said
    assert target.at("/deaf"), "the target that hangs was tried, and held up no other"


def documented_check() -> Callable[[str, dict[str, str], bytes], bool]:
    """The function of docs/notifications.md that checks a webhook's signature; timestamps may be older here."""
    [text] = re.findall(r"```python\n(.*?)```", DOCUMENTS["notifications.md"], re.DOTALL)
    found: dict[str, Any] = {}
    exec(text.replace("< 300", "< 3000"), found)
    check: Callable[[str, dict[str, str], bytes], bool] = found["is_genuine"]
    return check


def refunded(exchange: Exchange, id_: str) -> bool:
    body = requests.get(f"{exchange.api}/api/deposits?user=alice", timeout=60).json()
    return any(each["id"].startswith(id_) and each["status"] == "refunded" for each in body["deposits"])
