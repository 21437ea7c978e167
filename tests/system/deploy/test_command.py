"""`peakedex` on a server's PATH: each command as its service's user, with the settings, keys for payouts alone."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.waiting import wait_until
from tests.system.deploy.server import IS_ROOT, WORKS, Machine, machine, shell_environment

SPY: Final = """#!/bin/sh
echo "peakedex $*" >> "@LOG@"
(echo "user $(id -u) groups $(id -G)"; env; pwd) >> "@LOG@"
case "$*" in
    *wait*) trap 'echo stopped >> "@LOG@"; exit 7' TERM; echo waits >> "@LOG@"; while :; do sleep 0.1; done ;;
    *fail*) exit 3 ;;
    *read*) cat >> "@LOG@" ;;
esac
exec "@PEAKEDEX@" "$@"
"""
KEY: Final = "PEK_SWAP_HIVE_KEY=5JsecretOfTheEscrow"
PASSWORD: Final = 'PEAKEDEX_BACKUP_PASSWORD=pa$$word`id` with "quotes" and \\'
"""As the program must get it."""
BACKUP: Final = 'PEAKEDEX_BACKUP_PASSWORD="pa$$word`id` with \\"quotes\\" and \\\\"\n'
ROOTS: Final = "SOME_TOKEN_OF_ROOT=secret"


@pytest.fixture(scope="module")
def server() -> Iterator[Machine]:
    """A machine whose program records its user and environment, with keys."""
    with machine() as found:
        found.program(WORKS)
        assert found.install().code == 0
        etc = found.root / "etc/peakedex"
        (etc / "payouts.env").write_text(f"# keys\n{KEY}\n")
        (etc / "backup.env").write_text(BACKUP)
        found.program(SPY)
        found.change()
        done = found.install()
        assert done.code == 0, done.err
        yield found


def command(server: Machine, *words: object) -> list[str]:
    return [str(server.root / "usr/local/bin/peakedex"), *map(str, words)]


def call(
    server: Machine, *words: object, **options: Any
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The result of a call, and what the program recorded."""
    server.log.write_text("")
    done = subprocess.run(
        command(server, *words),
        env={**shell_environment(), "PATH": os.environ["PATH"], **dict([ROOTS.split("=")])},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        **options,
    )
    return done, server.log.read_text().splitlines()


needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root, to act as other users")


@needs_root
@pytest.mark.parametrize(
    ("words", "user", "has_keys", "has_password"),
    [
        (("payouts", "--first-run", "fail"), "peakedex-payouts", True, False),
        (("payouts", "status"), "peakedex-payouts", False, False),
        (("payouts", "pause"), "peakedex-payouts", False, False),
        (("backup", "list", "fail"), "peakedex-backup", False, True),
        (("doctor", "fail"), "peakedex-indexer", False, False),
        (("follow", "fail"), "peakedex-indexer", False, False),
        (("doctor", "--go-live", "--backups", "fail"), "peakedex-backup", False, True),
        (("publish", "fail"), "peakedex-backup", False, True),
        (("serve", "fail"), "peakedex-api", False, False),
        (("state",), "peakedex-api", False, False),
    ],
)
def test_a_command_runs_as_its_service_s_user_and_sees_only_its_secrets(
    server: Machine, words: tuple[str, ...], user: str, has_keys: bool, has_password: bool
) -> None:
    _, seen = call(server, *words)
    assert f"peakedex {' '.join(words)}" in seen
    [who] = [line for line in seen if line.startswith("user ")]
    assert who.split()[1] == str(server.uid(user))
    assert "0" not in who.split()[3:]
    assert (KEY in seen) == has_keys
    assert (PASSWORD in seen) == has_password
    assert ROOTS not in seen
    assert f"PEAKEDEX_DB=sqlite:///{server.database}" in seen
    assert (
        "PEAKEDEX_ENGINE_NODE=https://api.hive-engine.com/rpc https://engine.rishipanthee.com "
        in "\n".join(seen)
    )


@needs_root
def test_notifications_get_their_own_secrets_and_no_database(server: Machine) -> None:
    (server.root / "etc/peakedex/notify.env").write_text("TELEGRAM_TOKEN=1:a\n")
    _, seen = call(server, "notify", "fail")
    assert f"user {server.uid('peakedex-notify')} groups" in "\n".join(seen)
    assert "TELEGRAM_TOKEN=1:a" in seen
    assert not [line for line in seen if line.startswith(("PEAKEDEX_DB=", "PEK_", "PEAKEDEX_BACKUP_PASS"))]


@needs_root
def test_a_restore_gets_the_credentials_of_the_storage_and_no_keys(server: Machine) -> None:
    """On an SQLite file it is root's: it acts as the folder's owner itself."""
    _, seen = call(server, "restore", "fail")
    assert f"user {os.getuid()} groups" in "\n".join(seen)
    assert PASSWORD in seen
    assert KEY not in seen
    assert ROOTS not in seen


def test_other_commands_are_the_caller_s_with_the_settings(server: Machine) -> None:
    """Keys of a trader or an operator come out of the environment of whoever signs."""
    done, seen = call(server, "venue", "hash", server.root / "etc/peakedex/venue.toml")
    assert done.returncode == 0, done.stderr
    assert f"user {os.getuid()} groups" in "\n".join(seen)
    assert ROOTS in seen
    assert KEY not in seen
    assert f"PEAKEDEX_VENUE={server.root}/etc/peakedex/venue.toml" in seen


@needs_root
def test_root_pauses_payouts_and_reads_the_database(server: Machine) -> None:
    for words, said in (
        (("payouts", "pause"), "Payouts paused."),
        (("payouts", "status"), "PAUSED"),
        (("payouts", "resume"), "Payouts resumed."),
    ):
        done, _ = call(server, *words)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    # A file of root's among the services' could not be used by them any more.
    assert {path.stat().st_uid for path in server.database.parent.iterdir()} <= {
        server.uid("peakedex-indexer"),
        server.uid("peakedex-payouts"),
    }


def test_a_settings_file_in_the_working_folder_is_not_read(server: Machine, tmp_path: Path) -> None:
    """It may be a service's folder."""
    (tmp_path / "peakedex.toml").write_text("nonsense\n")
    done, _ = call(server, "payouts", "status", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@needs_root
def test_a_user_who_may_not_read_the_settings_is_told_so_in_one_line(server: Machine) -> None:
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    done, seen = call(server, "doctor", **nobody)
    assert (done.returncode, seen) == (2, [])
    file = server.root / "etc/peakedex/peakedex.env"
    assert done.stderr == f"peakedex: {file} cannot be read by nobody: run the command as root (sudo)\n"
    done, _ = call(server, "venue", "hash", server.root / "etc/peakedex/venue.toml", **nobody)
    assert done.returncode == 0, done.stderr


@needs_root
def test_files_that_the_user_may_not_read_are_one_line(server: Machine) -> None:
    program = server.root / "opt/peakedex/current/bin/peakedex"
    settings = server.root / "etc/peakedex/backup.env"
    for words, config, line in (
        (
            ["state", "--db", server.database],
            "/dev/null",
            f"database {server.database} cannot be read by this user",
        ),
        (["state"], settings, f"{settings} cannot be read: Permission denied"),
        (
            ["backup", "list", "--from", server.database],
            "/dev/null",
            f"{server.database}: its files cannot be listed",
        ),
    ):
        done = subprocess.run(
            [program, *words],
            env={**shell_environment(), "PEAKEDEX_CONFIG": str(config)},
            capture_output=True,
            text=True,
            check=False,
            user=65534,
            group=65534,
            extra_groups=[],
        )
        assert done.returncode in (1, 2)
        assert done.stderr.splitlines()[-1].startswith(f"Error: {line}"), done.stderr
        assert "Traceback" not in done.stderr


def test_standard_input_and_the_exit_code_are_passed_on(server: Machine) -> None:
    done, seen = call(server, "journal", "read", input="line of input\n")
    assert "line of input" in seen
    done, _ = call(server, "journal", "fail")
    assert done.returncode == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_program_cleanly(server: Machine, number: signal.Signals) -> None:
    """Ctrl-C reaches the wrapper alone: the program has no terminal of ours."""
    server.log.write_text("")
    process = subprocess.Popen(command(server, "follow", "wait"), env=shell_environment())
    wait_until(lambda: "waits" in server.log.read_text().splitlines(), what=server.log.read_text)
    process.send_signal(number)
    assert process.wait(240) == 7
    assert server.log.read_text().splitlines()[-1] == "stopped"


def test_without_a_version_it_says_what_to_do(tmp_path: Path, server: Machine) -> None:
    place = tmp_path / "usr/local/bin/peakedex"
    place.parent.mkdir(parents=True)
    place.write_bytes((server.root / "usr/local/bin/peakedex").read_bytes())
    place.chmod(0o755)
    done = subprocess.run(
        [place, "state"], env=shell_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert (
        done.stderr
        == f"peakedex: no version is installed in {tmp_path}/opt/peakedex: run the deploy script\n"
    )


def test_the_scripts_read_the_settings_as_systemd_does(server: Machine) -> None:
    """A list without quotes is one value, and nothing is executed."""
    settings = server.root / "etc/peakedex/peakedex.env"
    before = settings.read_text()
    mark = server.folder / "executed"
    settings.write_text(
        before
        + f"PEAKEDEX_SITE_API=api/ https://other.example/api/\nPEAKEDEX_PEER=$(touch {mark}) `touch {mark}`\n"
    )
    done = server.install()
    assert done.code == 0, done.err
    config = (server.root / "opt/peakedex/current/site/config.js").read_text()
    assert 'apis: ["api/", "https://other.example/api/"].map' in config
    assert not mark.exists()
    settings.write_text(before)
