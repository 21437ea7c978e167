"""An operator's server, booted: PostgreSQL 15, nginx and the services of deploy/, with a devnet as chain."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.system.deploy.server import LATER_REVISION
from tests.system.systemd import machine, steps
from tests.system.systemd.machine import INSTALL_SECONDS, Server, server
from tests.system.systemd.steps import (
    CORE,
    NAME,
    PUBLIC,
    SITE,
    deploy,
    get,
    wait_for,
    wait_for_lines,
    wait_until_active,
)

SERVICES: Final = ("peakedex-indexer", "peakedex-api", "peakedex-payouts")
UNITS: Final = (*SERVICES, *(f"peakedex-{name}" for name in ("backup", "publish", "notify", "relay")))
MOST_EXPOSURE: Final = 1.5
"""As `systemd-analyze security` counts it: 10 is a service without any restriction."""
STATE: Final = "/var/lib/peakedex"
WRITABLE: Final = {
    "peakedex-indexer": {STATE},
    "peakedex-payouts": {STATE, f"{STATE}-payouts"},
    "peakedex-backup": {PUBLIC},
    "peakedex-publish": {PUBLIC},
}
"""Folders outside /tmp that a unit may write to."""
PLACES: Final = ["/", "/etc", "/opt/peakedex", "/usr", "/root", "/run", STATE, f"{STATE}-payouts", PUBLIC]
DENIED: Final = (
    "keys",
    "homes",
    "root",
    "setuid file",
    "namespace",
    "mount",
    "raw packets",
    "code in memory",
)
KEY: Final = re.compile(r"\b5[HJK][1-9A-HJ-NP-Za-km-z]{49}\b")
# Works by hand and in the trial, not under the unit: the API may write nowhere.
DEAD_UNDER_ITS_UNIT: Final = f'\nopen("{STATE}/cache", "a").close()\n'
HOOK: Final = """import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", 9000), Hook).serve_forever()
"""
NOTIFY: Final = """[targets.hook]
type = "webhook"
url = "http://127.0.0.1:9000/"

[[rules]]
when = "account"
accounts = ["alice"]
to = ["hook"]
"""


@pytest.fixture
def booted(tmp_path: Path) -> Iterator[Server]:
    """A server with an installed system and nothing of ours, and a webhook's receiver beside it."""
    if reason := machine.why_not():
        pytest.skip(reason)
    with ExitStack() as stack:
        try:
            made = stack.enter_context(server())
        except subprocess.CalledProcessError as error:
            pytest.skip(f"Debian's packages or the wheels cannot be had: {error}")
        stack.enter_context(made.beside(sys.executable, "-c", HOOK, log=tmp_path / "hook"))
        yield made


def test_an_operator_s_server(booted: Server, tmp_path: Path) -> None:
    """From SQLite to PostgreSQL, to a second version and back, and through a restart of the machine."""
    steps.install(booted, "deploy-simple.sh")
    with steps.chain(booted, tmp_path / "chain"):
        steps.use_devnet(booted)
        steps.start_payouts(booted, "deploy-simple.sh")
        check_the_command(booted)
        steps.fund(booted)
        check_a_pause(booted)
        check_a_pause_while_all_is_stopped(booted)
        check_backups(booted)
        check_the_move_to_postgresql(booted)
        check_the_documented_commands(booted)
        check_the_site(booted)
        check_that_keys_stay(booted)
        check_restrictions(booted)
        check_evidence(booted)
        check_notifications(booted, tmp_path / "hook")
        check_a_filling_disk(booted)
        first = check_upgrades(booted)
        check_a_rollback(booted, first)
        check_a_restart(booted)


# ---------------------------------------------------------------- the services


def check_the_command(server: Server) -> None:
    """`peakedex` on the PATH, as root, as an administrator and as anybody."""
    assert server.run("sudo", "peakedex", "--version", user="admin") == server.run(
        "peakedex", "--version", user="alice"
    )
    status = server.run("sudo", "peakedex", "payouts", "status", user="admin")
    assert "0 pending" in status
    findings = json.loads(server.run("sudo", "peakedex", "doctor", "--json", user="admin"))["findings"]
    fatal = {finding["check"] for finding in findings if finding["level"] == "fatal"}
    assert fatal <= {"indexer", "clock"}  # what a busy machine may be too slow for
    refused = server.call("peakedex", "payouts", "pause", user="alice")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "run the command as root (sudo)" in refused.stderr


def check_a_pause(server: Server) -> None:
    """A withdrawal waits while payouts are paused, and is paid afterwards."""
    server.run("sudo", "peakedex", "payouts", "pause", user="admin")
    steps.withdraw(server)
    steps.wait_for_block(server, steps.block(server) + 5)
    assert steps.withdrawals(server)[0] == "pending"
    assert "PAUSED" in server.run("sudo", "peakedex", "payouts", "status", user="admin")
    server.run("sudo", "peakedex", "payouts", "resume", user="admin")
    steps.wait_until_paid(server)
    wait_for_lines(server, "peakedex-payouts", r"sent [0-9a-f]{40}, accepted")
    wait_for_lines(server, "peakedex-indexer", r"following from block \d+")


def check_a_pause_while_all_is_stopped(server: Server) -> None:
    """The API starts all the same: with SQLite it can only read."""
    for words in (
        ("systemctl", "stop", *SERVICES),
        ("peakedex", "payouts", "pause"),
        ("systemctl", "start", *SERVICES),
    ):
        server.run("sudo", *words, user="admin")
    wait_for(server, lambda: steps.block(server) > 0, "the API")
    assert "PAUSED" in server.run("sudo", "peakedex", "payouts", "status", user="admin")
    server.run("sudo", "peakedex", "payouts", "resume", user="admin")


def check_the_documented_commands(server: Server) -> None:
    """The operator's guide's list, from a home folder that no service can enter."""
    commands = steps.documented("operator.md", "sudo peakedex state --json")
    said = server.sh(f"cd /home/admin; chmod 700 .\n{commands}", user="admin")
    assert "Payouts paused" in said
    assert '"state_hash"' in said
    assert "peakedex-" in said
    server.run("sudo", "peakedex", "payouts", "resume", user="admin")


def check_the_site(server: Server) -> None:
    """nginx serves site, API and streams with TLS, and nothing else."""
    status, headers, page = get(server, f"{SITE}/")
    assert (status, page[:15]) == (200, "<!doctype html>")
    assert {"Content-Security-Policy", "Strict-Transport-Security"} <= headers.keys()
    venue_hash = server.run("peakedex", "venue", "hash", "/etc/peakedex/venue.toml", user="alice").strip()
    assert f'"venueHash": "{venue_hash}"' in get(server, f"{SITE}/config.js")[2]
    wait_for(server, lambda: steps.health(server).get("alarms") == [], "health without alarms")
    assert steps.api(server, "venue")["venue_hash"] == venue_hash
    assert get(server, f"{SITE}/metrics")[0] == 404
    status, headers, _ = get(server, f"http://{NAME}/trade")
    assert (status, headers["Location"]) == (301, f"{SITE}/trade")
    status, headers, text = get(server, f"{SITE}/api/stream?topics=block", 20)
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/event-stream"), text


def check_that_keys_stay(server: Server) -> None:
    """Keys are in root's file alone: in no process's environment or arguments, no log, no property of a unit."""
    assert len(KEY.findall(server.run("cat", "/etc/peakedex/payouts.env"))) == len(steps.KEYS)
    seen = server.sh("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' || true")
    assert "PEAKEDEX_DB" in seen
    assert seen.count("GOLDDEX_HBD_KEY=") == 1  # payouts' own, which has overwritten the key
    for text in (seen, server.run("systemctl", "show", *SERVICES), server.run("journalctl", "--no-pager")):
        assert KEY.search(text) is None
    for user in ("peakedex-indexer", "peakedex-api", "peakedex-payouts", "peakedex-backup", "alice"):
        assert server.call("cat", "/etc/peakedex/payouts.env", user=user).returncode == 1


def check_restrictions(server: Server) -> None:
    """What the units forbid is really forbidden: tried by a process in the place of each service."""
    for unit in SERVICES:
        status = server.run("cat", f"/proc/{server.main_process(unit)}/status")
        for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000"):
            assert line in status, unit
    steps.install_probe(server, UNITS, PLACES)
    server.run("systemctl", "daemon-reload")
    server.run("systemctl", "start", *(f"probe-{unit}" for unit in UNITS))
    for unit in UNITS:
        [line] = wait_for_lines(server, f"probe-{unit}", r"^\{.*\}$")
        found = json.loads(line)
        assert found["user"] != 0
        assert {path for path, end in found["writes"].items() if end == "allowed"} == WRITABLE.get(
            unit, set()
        ), unit
        assert {name: found[name] for name in DENIED if found[name] == "allowed"} == {}, unit
        assert (found["listen"] == "allowed") == (unit in ("peakedex-api", "peakedex-relay")), unit
        assert (found["others"] == 0) == (unit != "peakedex-indexer"), unit  # it looks for the lease's holder
        shown = server.run("systemd-analyze", "security", "--no-pager", f"{unit}.service")
        [exposure] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", shown)
        assert float(exposure) <= MOST_EXPOSURE, shown


# ---------------------------------------------------------------- timers, evidence, notifications


def metrics(server: Server) -> dict[str, float]:
    status, _, text = get(server, "http://127.0.0.1:8080/metrics")
    lines = text.splitlines() if status == 200 else []
    return {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line[:1] not in ("#", "")
    }


def check_backups(server: Server) -> None:
    """As documented, by hand and by the timer; a failure is an alarm until the next one succeeds."""
    nightly = steps.documented("operator.md", "backup.env")
    server.write("/root/backup.env", "PEAKEDEX_BACKUP_TO=/mnt/backups\n")
    server.run("install", "-d", "-o", "peakedex-backup", "-g", "peakedex", "-m", "0750", "/mnt/backups")
    refused = server.call("bash", "-ec", f"cd /root\n{nightly}")
    assert refused.returncode == 1
    wait_for_lines(server, "peakedex-backup", "Read-only file system")
    wait_for(server, lambda: metrics(server).get("peakedex_backup_failed") == 1, "the alarm")
    overrides = "/etc/systemd/system/peakedex-backup"
    server.write(f"{overrides}.service.d/override.conf", "[Service]\nReadWritePaths=/mnt/backups\n")
    said = server.sh(f"systemctl daemon-reload\ncd /root\n{nightly}")
    assert "peakedex-backup" in said
    wait_for_lines(server, "peakedex-backup", r"Finished peakedex-backup\.service")
    wait_for(server, lambda: metrics(server).get("peakedex_backup_failed") == 0, "the end of the alarm")
    wait_for(server, lambda: 0 <= metrics(server).get("peakedex_backup_age_seconds", -1) < 3600, "its age")
    assert (server.files / f"{PUBLIC.lstrip('/')}/csv/deposits.csv").exists()
    server.write(
        f"{overrides}.timer.d/now.conf", "[Timer]\nOnActiveSec=1s\nAccuracySec=1s\nRandomizedDelaySec=0\n"
    )
    server.sh("systemctl daemon-reload; systemctl restart peakedex-backup.timer")
    backups = server.files / "mnt/backups"
    wait_for(server, lambda: len(list(backups.glob("*.json"))) >= 2, "a backup by the timer")
    (server.files / f"{overrides.lstrip('/')}.timer.d/now.conf").unlink()
    server.run("systemctl", "daemon-reload")


def check_the_move_to_postgresql(server: Server) -> None:
    """As documented: the newest backup over a new database. Nothing is paid twice, and the services may do as before."""
    paid = steps.withdrawals(server)
    server.sh(steps.documented("operator.md", "PEAKEDEX_DB="), user="admin", timeout=INSTALL_SECONDS)
    server.sh(steps.documented("operator.md", "peakedex restore"), user="admin")
    assert sql(server, "SHOW server_version").startswith("15.")
    wait_for(server, lambda: steps.withdrawals(server) == paid, "the blocks since the backup")
    check_that_payouts_wait(server)
    server.run("systemctl", "start", "peakedex-backup")
    wait_for(server, lambda: metrics(server).get("peakedex_backup_failed") == 0, "no alarm of backups")


def check_evidence(server: Server) -> None:
    """Published by the service, fetched through nginx by anybody, and verified with nothing else."""
    guide = (machine.ROOT / "docs/operator.md").read_text()
    [location] = re.findall(r"^location /evidence/ \{.*?^\}$", guide, re.MULTILINE | re.DOTALL)
    server.write("/etc/nginx/snippets/peakedex-local.conf", f"{location}\n")
    said = server.sh(steps.documented("operator.md", "peakedex-publish") + "systemctl reload nginx\n")
    assert "peakedex-publish" in said
    wait_for_lines(server, "peakedex-publish", r"Finished peakedex-publish\.service")
    text = f"""cd
        peakedex fetch --from {SITE}/evidence --out evidence
        /opt/peakedex/bin/peakedex verify --venue evidence/venue.toml --archive evidence \\
            --node {steps.NODES[0]} --chain-id devnet --sample 100"""
    said = server.sh(text, user="alice", HOME="/home/alice", REQUESTS_CA_BUNDLE="/etc/ssl/dex.pem")
    assert re.search(r"^result +same$", said, re.MULTILINE), said


def check_notifications(server: Server, hook: Path) -> None:
    server.write("/root/notify.toml", NOTIFY)
    commands = steps.documented("notifications.md", "peakedex-notify").replace("editor", "test -f")
    server.sh(f"cd /root\n{commands}")
    assert "test" in hook.read_text().lower()
    wait_for(server, lambda: get(server, f"{SITE}/status.json")[0] == 200, "the status page's history")
    memory = server.files / "var/lib/peakedex-notify/state.json"
    wait_for(server, lambda: memory.exists() and '"alice"' in memory.read_text(), "the first look")
    steps.sign(server, "deposit", "--symbol", "HBD", "--quantity", "0.25")
    wait_for(server, lambda: "0.250 HBD" in hook.read_text(), "the notification")


def check_a_filling_disk(server: Server) -> None:
    """As far as the figures that the alarm is made of."""
    settings = server.files / "etc/peakedex/peakedex.env"
    settings.write_text(settings.read_text() + 'PEAKEDEX_DISK_FOLDER="/var/lib/postgresql /mnt/small"\n')
    server.sh("mkdir /mnt/small; mount -t tmpfs -o size=20m tmpfs /mnt/small; systemctl restart peakedex-api")

    def free() -> float:
        found = metrics(server)
        name = '_bytes{folder="/mnt/small"}'
        return found.get(f"peakedex_disk_free{name}", 0) / found.get(f"peakedex_disk_size{name}", 1)

    wait_for(server, lambda: free() > 0.9, "the small disk")
    server.run("fallocate", "--length", "19M", "/mnt/small/file")
    wait_for(server, lambda: 0 < free() < 0.1, "less than a tenth")
    server.sh("umount --lazy /mnt/small")  # the API may be looking at it


# ---------------------------------------------------------------- upgrade, rollback, restart


def version(server: Server) -> str:
    return (server.files / "opt/peakedex/current").readlink().name


def sql(server: Server, text: str, database: str = "peakedex") -> str:
    return server.run("sudo", "-u", "postgres", "psql", "-XAtqc", text, database).strip()


def check_upgrades(server: Server) -> str:
    """One that dies under its unit, after new tables, and then one that works; returns the first version."""
    first, source = version(server), server.files / steps.SOURCE
    (source / "alembic/versions/0003.py").write_text(LATER_REVISION)
    serve = source / "indexer/cli/serve.py"
    good = serve.read_text()
    serve.write_text(good + DEAD_UNDER_ITS_UNIT)
    said = deploy(server, "--name", NAME, code=1)
    assert f"returning to {first}" in said
    assert "the API has ended" in said
    assert version(server) == first
    assert sql(server, "SELECT version_num FROM alembic_version") == "0002"
    wait_until_active(server, *SERVICES)
    steps.wait_for_block(server, steps.block(server) + 2)
    serve.write_text(good)
    deploy(server, "--name", NAME)
    assert version(server) != first
    assert sql(server, "SELECT version_num FROM alembic_version") == "0003"
    wait_until_active(server, *SERVICES)
    steps.withdraw(server)
    steps.wait_until_paid(server)
    return first


def check_a_rollback(server: Server, first: str) -> None:
    """To the old schema: refused without the old database. Payouts start paused and do not pay again."""
    newer, paid = version(server), len(steps.withdrawals(server))
    assert "use --restore-database" in deploy(server, "rollback", code=2)
    deploy(server, "rollback", "--restore-database")
    assert version(server) == first
    assert sql(server, "SELECT version_num FROM alembic_version") == "0002"
    assert sql(server, "SELECT version_num FROM alembic_version", f"peakedex_{newer}") == "0003"
    wait_for(server, lambda: len(steps.withdrawals(server)) == paid, "the blocks since the upgrade")
    check_that_payouts_wait(server)


def check_that_payouts_wait(server: Server) -> None:
    """On an older database they start paused."""

    def is_paused() -> bool:
        return "PAUSED" in server.run("sudo", "peakedex", "payouts", "status", user="admin")

    wait_for(server, is_paused, "payouts that are paused")
    server.run("sudo", "peakedex", "payouts", "reconcile", user="admin")
    server.run("sudo", "peakedex", "payouts", "resume", user="admin")
    steps.withdraw(server)
    steps.wait_until_paid(server)


def check_a_restart(server: Server) -> None:
    """A service that is killed comes back, and so does everything when the machine restarts."""
    killed = server.main_process(CORE[0])
    server.run("kill", "-KILL", killed)
    wait_for(server, lambda: server.main_process(CORE[0]) not in (killed, "0"), "another indexer")
    server.reboot()
    started = (*SERVICES, "nginx", "peakedex-notify", "peakedex-backup.timer", "peakedex-publish.timer")
    wait_until_active(server, *started)
    failed: list[Any] = json.loads(server.run("systemctl", "list-units", "--failed", "--output=json"))
    assert failed == []
    wait_for(server, lambda: steps.block(server) > 0, "the API after the restart")
    steps.wait_for_block(server, steps.block(server) + 2)
    steps.withdraw(server)
    steps.wait_until_paid(server)
