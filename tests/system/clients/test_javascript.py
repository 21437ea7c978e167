"""The JavaScript client in Node: orders to their end under lost requests and replies, streams, exact amounts."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.clients.exchange import Exchange
from tests.system.clients.test_trading import intent
from tests.system.clients.traders import HERE, DhiveTrader, node_program

ROOT = HERE.parents[2]
CLIENT = ROOT / "clients" / "javascript"
STEPS = ("life", "rejected", "lostReply", "lostRequest", "notIncluded", "inputs")


def installed(folder: Path) -> Path:
    """A folder of a program in which the client is installed as npm would, and dhive."""
    modules = folder / "node_modules"
    modules.mkdir(parents=True)
    build = [node_program(), str(CLIENT / "build.js"), str(modules / "peakedex-client")]
    subprocess.run(build, check=True, timeout=240)
    (modules / "@hiveio").symlink_to(HERE / "node_modules" / "@hiveio")
    return folder


def run(folder: Path, program: str, keys: dict[str, str], job: object = None) -> str:
    command = [node_program(), program]
    environment = {**os.environ, **keys}
    text = "" if job is None else json.dumps(job)
    ran = subprocess.run(
        command,
        input=text,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = installed(tmp_path_factory.mktemp("node"))
    (folder / "javascript.mjs").write_text((HERE / "javascript.mjs").read_text("utf-8"), "utf-8")
    return folder


@pytest.fixture(scope="module")
def api(exchange: Exchange) -> Iterator[str]:
    with exchange.serve() as url:
        yield url


def funded(exchange: Exchange, name: str) -> dict[str, Any]:
    """A job's account with PEK on the exchange."""
    exchange.rich(name)
    seller = DhiveTrader(exchange, name)
    transfer = {"symbol": "PEK", "to": "peakedex.pek", "quantity": "5000"}
    seller.custom_json({"contractName": "tokens", "contractAction": "transfer", "contractPayload": transfer})
    exchange.wait_for_balance(name, "PEK", "5000.00000000")
    return {"node": exchange.url, "account": name, "chainId": exchange.node.chain.chain_id.hex()}


@pytest.fixture(scope="module")
def seen(exchange: Exchange, folder: Path, api: str) -> dict[str, Any]:
    job = {**funded(exchange, "js-user"), "api": api, "steps": STEPS}
    found = json.loads(run(folder, "javascript.mjs", {"TRADER_KEY": exchange.key("js-user")}, job))
    assert isinstance(found, dict)
    return found


def test_an_order_is_placed_found_by_its_reference_replaced_and_cancelled(seen: dict[str, Any]) -> None:
    life = seen["life"]
    assert (life["ticket"]["state"], life["again"]["state"]) == ("open", "open")
    assert life["again"]["id"] == life["ticket"]["id"]
    assert (life["isOne"], life["signedAgain"]) == (True, 0)
    assert (life["ticket"]["order"]["quantity"], life["ticket"]["order"]["price"]) == (
        "10.50000000",
        "0.900000",
    )
    assert (life["replaced"]["price"], life["replaced"]["quantity"]) == ("0.950000", "10.50000000")
    assert (life["cancelled"], life["open"]) == ("accepted", 0)
    assert life["isSeen"] is True
    assert life["places"] == ["final", None]
    assert life["savedBeforeSending"] is True


def test_a_rejection_has_its_code_and_sentence(seen: dict[str, Any]) -> None:
    rejected = seen["rejected"]
    assert (rejected["state"], rejected["code"]) == ("rejected", "E_FUNDS")
    assert rejected["reason"]


def test_a_lost_reply_is_no_second_order(seen: dict[str, Any]) -> None:
    assert seen["lostReply"] == {"after": "unknown", "state": "open", "orders": 1}


def test_a_lost_request_is_repeated_with_the_same_bytes(seen: dict[str, Any]) -> None:
    lost = seen["lostRequest"]
    assert (lost["after"], lost["state"], lost["different"]) == ("unknown", "open", 1)
    assert lost["sent"] > 1


def test_what_was_never_included_is_known_to_be(seen: dict[str, Any]) -> None:
    assert seen["notIncluded"] == {"state": "not included", "order": None}


def test_inputs_are_exact_or_refused(seen: dict[str, Any]) -> None:
    inputs = seen["inputs"]
    assert inputs["problems"] == [
        *("quantity", "price", "quantity", "quantity", "price", "quantity", "quantity"),
        "quantity",
        *("ref", "ref", "ref", "ref"),
    ]
    assert inputs["quantity"] == "90071992547.41"
    assert inputs["another"] is True


def test_a_bot_acts_under_a_grant(exchange: Exchange, folder: Path, api: str) -> None:
    job = {**funded(exchange, "js-owner"), "api": api, "bot": "js-bot", "steps": ["grantee"]}
    exchange.rich("js-bot")
    until = exchange.node.chain.head_time + 86_400
    limits = {"pairs": ["PEK/SWAP.HIVE"], "perDay": {"PEK": "1000"}, "bandBps": 500, "until": until}
    granted = DhiveTrader(exchange, "js-owner").custom_json(intent("grant", to="js-bot", **limits))
    assert exchange.intent(granted)["status"] == "accepted"
    keys = {"TRADER_KEY": "", "BOT_KEY": exchange.key("js-bot")}
    found = json.loads(run(folder, "javascript.mjs", keys, job))["grantee"]
    assert found == {"state": "accepted", "user": "js-owner", "forbidden": ["rejected", "E_GRANT"]}


def test_the_example_of_the_guide_runs(exchange: Exchange, api: str, tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "bots.md").read_text("utf-8")
    examples = dict(re.findall(r"^```js\n// (\w+\.mjs)\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL))
    folder = installed(tmp_path)
    job = funded(exchange, "js-guide")
    for name, text in examples.items():
        addressed = text.replace("http://127.0.0.1:8080/api/devnet/rpc", exchange.url)
        # This chain's clock runs ahead of the machine's.
        addressed = addressed.replace("signer })", "signer, expiresIn: 600 })")
        (folder / name).write_text(addressed.replace("http://127.0.0.1:8080", api), "utf-8")
        keys = {"BOT": "js-guide", "BOT_KEY": exchange.key("js-guide"), "CHAIN_ID": job["chainId"]}
        out = run(folder, name, keys)
        assert "open" in out
        assert "accepted" in out
        assert keys["BOT_KEY"] not in out
    assert examples


def test_the_package_is_complete_and_of_this_version(tmp_path: Path) -> None:
    package = installed(tmp_path) / "node_modules" / "peakedex-client"
    manifest = json.loads((package / "package.json").read_text("utf-8"))
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'\nversion = "{manifest["version"]}"\n' in project
    assert "dependencies" not in manifest
    tops = {path.name + "/" * path.is_dir() for path in package.iterdir()} - {"package.json"}
    assert tops == set(manifest["files"])
    for module in (package / "site").rglob("*.js"):
        original = ROOT / "frontend" / module.relative_to(package / "site")
        assert module.read_bytes() == original.read_bytes()
