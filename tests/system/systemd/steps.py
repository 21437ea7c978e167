"""What an operator does on a server, by the documents, and what he then looks at."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.support import doc_examples
from tests.support.waiting import wait_until
from tests.system.systemd.machine import INSTALL_SECONDS, PATIENCE_SECONDS, ROOT, Server, checkout

NAME: Final = "dex.example.org"
SOURCE: Final = "srv/peakedex"
SITE: Final = f"https://{NAME}"
API: Final = "http://127.0.0.1:8080/api/"
NODES: Final = tuple(f"http://127.0.0.1:{port}" for port in (8091, 8092, 8093))
CORE: Final = ("peakedex-indexer", "peakedex-api")
PUBLIC: Final = "/var/lib/peakedex-public"
VENUE: Final = re.sub(
    r"^start_block = .*", "start_block = 1", (ROOT / "venues/small.toml").read_text(), flags=re.MULTILINE
)
KEYS: Final = {
    "GOLDDEX_GOLD_KEY": "golddex.gold",
    "GOLDDEX_HBD_KEY": "golddex.hbd",
    "PEK_CHECKPOINT_KEY": "golddex.proof",
}
_KEYS: Final[dict[str, str]] = {}
T = TypeVar("T")
# Prints status, headers and the beginning of an answer, as a browser of the server itself gets it.
GET: Final = """import http.client, json, ssl, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
if url.scheme == "https":
    context = ssl.create_default_context(cafile="/etc/ssl/dex.pem")
    connection = http.client.HTTPSConnection(url.netloc, context=context, timeout=60)
else:
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
connection.request("GET", url._replace(scheme="", netloc="").geturl())
answer = connection.getresponse()
print(json.dumps([answer.status, dict(answer.getheaders()), answer.read(int(sys.argv[2])).decode()]))
"""


@contextmanager
def chain(server: Server, log: Path) -> Iterator[None]:
    """A devnet with three nodes on the server's network."""
    venue = server.files / "root" / "venue.toml"
    words = ("devnet", "--venue", venue, "--port", 8091, "--nodes", 3, "--block-time", 1)
    with server.beside(sys.executable, "-m", "indexer.cli", *words, log=log):
        yield


def deploy(server: Server, *words: str, script: str = "deploy.sh", code: int = 0) -> str:
    """Run a deploy script as an administrator; returns what it said."""
    command = ("sudo", f"/{SOURCE}/deploy/{script}", *words, "--health-seconds", INSTALL_SECONDS)
    done = server.call(*command, user="admin", timeout=INSTALL_SECONDS)
    said = done.stdout + done.stderr
    assert done.returncode == code, said + server.journal("--lines=60")
    return said


def install(server: Server, script: str = "deploy.sh") -> None:
    """The first installation, from a checkout that belongs to root."""
    checkout(server.files / SOURCE)
    server.write("/root/venue.toml", VENUE)
    server.write("/etc/sudoers.d/admin", "admin ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    server.sh("useradd --create-home admin; useradd --create-home alice")
    said = deploy(server, "--name", NAME, "--venue", "/root/venue.toml", script=script)
    assert f"done: {SITE}\n" in said, said
    assert set(server.states(*CORE, "nginx").values()) == {"active"}
    server.sh("cp /etc/peakedex/tls/self-signed.pem /etc/ssl/dex.pem; chmod 644 /etc/ssl/dex.pem")


def use_devnet(server: Server) -> None:
    """Name the nodes in the settings."""
    lines = (server.files / "etc/peakedex/peakedex.env").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("PEAKEDEX_NODE=", "PEAKEDEX_ENGINE_NODE="))]
    engines = [f"{node}/engine" for node in NODES[:2]]
    ours = [f'PEAKEDEX_NODE="{" ".join(NODES)}"', f'PEAKEDEX_ENGINE_NODE="{" ".join(engines)}"']
    text = "\n".join([*kept, *ours, "PEAKEDEX_CHAIN_ID=devnet", "PEAKEDEX_CHECKPOINT_EVERY=20", ""])
    (server.files / "etc/peakedex/peakedex.env").write_text(text)
    server.run("systemctl", "restart", *CORE)
    wait_for_block(server, 1)


def get(server: Server, url: str, most: int = 1_000_000) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of an answer, as anybody on the server gets it."""
    done = server.call("python3", "-c", GET, url, most, user="alice")
    if done.returncode:
        return 0, {}, done.stderr
    status, headers, text = json.loads(done.stdout)
    return status, headers, text


def health(server: Server) -> dict[str, Any]:
    """The API's health, as nginx passes it on; empty while there is no answer."""
    status, _, text = get(server, f"{SITE}/api/health")
    return json.loads(text) if status == 200 else {}


def api(server: Server, path: str) -> Any:
    """An answer of the API behind nginx, once there is one."""

    def answer() -> str | None:
        status, _, text = get(server, f"{SITE}/api/{path}")
        return text if status == 200 else None

    return json.loads(wait_for(server, answer, path))


def documented(document: str, contains: str) -> str:
    """The commands for root of a document that contain this text."""
    blocks = [block for block in doc_examples.shell_blocks(document) if block.mark == "root"]
    [text] = [block.text for block in blocks if contains in block.text]
    return text


def wait_for(server: Server, condition: Callable[[], T | None], what: str) -> T:
    return wait_until(
        condition, lambda: f"{what}: {server.journal('--lines=80')}", timeout=PATIENCE_SECONDS, poll=0.2
    )


def wait_for_lines(server: Server, unit: str, pattern: str) -> list[str]:
    """What a unit has said that fits the pattern: journald may write a line after its service has ended."""
    return wait_for(
        server,
        lambda: re.findall(pattern, server.journal(f"--unit={unit}"), re.MULTILINE),
        f"{pattern} of {unit}",
    )


def wait_until_active(server: Server, *units: str) -> None:
    wait_for(server, lambda: set(server.states(*units).values()) == {"active"}, f"{units} that are active")


def block(server: Server) -> int:
    """The newest block; 0 while the API does not answer."""
    return int(health(server).get("block") or 0)


def wait_for_block(server: Server, number: int) -> None:
    wait_for(server, lambda: block(server) >= number, f"block {number}")


def key(server: Server, account: str) -> str:
    """The active key of an account of the devnet, which is always the same."""
    if account not in _KEYS:
        shown = json.loads(server.run("peakedex", "devnet", "keys", account, "--json", user="alice"))
        _KEYS[account] = str(shown["active"]["wif"])
    return _KEYS[account]


def start_payouts(server: Server, script: str = "deploy.sh") -> None:
    """Keys, the first run by hand, and then the service."""
    lines = [f"{variable}={key(server, account)}" for variable, account in KEYS.items()]
    server.write("/etc/peakedex/payouts.env", "\n".join([*lines, ""]), 0o600)
    first = """peakedex payouts --first-run 2>/root/first-run & process=$!
        until grep -q "payouts started" /root/first-run; do kill -0 $process; sleep 0.2; done
        kill $process; wait $process; cat /root/first-run"""
    said = server.sh(first)
    assert "cannot be written" not in said
    deploy(server, "--name", NAME, "--payouts", script=script)
    assert server.states("peakedex-payouts") == {"peakedex-payouts": "active"}


def sign(server: Server, *words: str, account: str = "alice") -> None:
    """A trader's intent, signed by his own command on this server."""
    where = ("--api", API.removesuffix("/api/"), "--node", NODES[0], "--chain-id", "devnet")
    who = ("--account", account, "--key-env", "MY_KEY", "--sign")
    shown = server.run("peakedex", "intent", *words, *where, *who, user="alice", MY_KEY=key(server, account))
    assert "sent" in shown


def fund(server: Server) -> None:
    """Give a trader coins, and deposit some."""
    server.run("peakedex", "devnet", "faucet", "alice", "HBD", "10", user="alice")
    sign(server, "deposit", "--symbol", "HBD", "--quantity", "5")
    wait_for(server, lambda: available(server) == "5.000", "the deposit")


def available(server: Server) -> str:
    found = api(server, "balances?user=alice")["balances"]
    return str(next((row["available"] for row in found if row["symbol"] == "HBD"), ""))


def withdrawals(server: Server) -> list[str]:
    """The status of each withdrawal of the trader, newest first."""
    return [row["status"] for row in api(server, "withdrawals?user=alice")["withdrawals"]]


def withdraw(server: Server) -> None:
    before = len(withdrawals(server))
    sign(server, "withdraw", "--symbol", "HBD", "--quantity", "0.5")
    wait_for(server, lambda: len(withdrawals(server)) > before, "the withdrawal")


def wait_until_paid(server: Server) -> None:
    wait_for(server, lambda: set(withdrawals(server)) == {"paid"}, "payment")


def install_probe(server: Server, units: Iterable[str], places: list[str]) -> None:
    """A copy of each unit that runs probe.py in place of the service."""
    server.write("/usr/local/lib/probe.py", (Path(__file__).parent / "probe.py").read_text())
    start = f"Type=oneshot\nExecStart=/usr/bin/python3 /usr/local/lib/probe.py {','.join(places)}"
    for unit in units:
        text = (server.files / f"etc/systemd/system/{unit}.service").read_text()
        text = re.sub(r"^(Exec|Type|Restart).*\n", "", text, flags=re.MULTILINE)
        server.write(
            f"/etc/systemd/system/probe-{unit}.service", text.replace("[Service]", f"[Service]\n{start}")
        )
