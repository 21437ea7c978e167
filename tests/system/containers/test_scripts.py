"""The scripts of the containers: the entry point reads secrets, the roles' script sets passwords."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.support.postgres import drop_database, execute, new_database, programs
from tests.support.waiting import wait_until
from tests.system.containers.images import ROOT

SCRIPTS: Final = ROOT / "deploy/containers"
PEAKEDEX: Final = """#!/bin/sh
echo "$*"
env | grep -v '^PATH=\\|^PWD=\\|^_='
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a program `peakedex`, which prints its arguments and environment, and a folder of secrets."""
    (tmp_path / "peakedex").write_text(PEAKEDEX)
    (tmp_path / "peakedex").chmod(0o755)
    (tmp_path / "secrets").mkdir()
    return tmp_path


def enter(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{place}:{os.environ['PATH']}", "SECRETS": str(place / "secrets")}
    return subprocess.run(
        ["sh", SCRIPTS / "entrypoint.sh", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_secrets_are_in_the_environment_of_the_program_and_nothing_in_them_is_run(place: Path) -> None:
    (place / "secrets/database_password").write_text("it's $(touch evil) `touch evil`\n")
    (place / "secrets/keys").write_text("# keys\n\nPEK_PEK_KEY=5J x=$HOME;touch evil\nPEK_CHECKPOINT_KEY=5K")
    done = enter(place, "payouts", "two words")
    arguments, *environment = done.stdout.splitlines()
    assert arguments == "payouts two words"
    assert sorted(line for line in environment if not line.startswith("SECRETS=")) == [
        "PEK_CHECKPOINT_KEY=5K",
        "PEK_PEK_KEY=5J x=$HOME;touch evil",
        "PGPASSWORD=it's $(touch evil) `touch evil`",
    ]
    assert {path.name for path in place.iterdir()} == {"peakedex", "secrets"}


def test_without_secrets_there_is_nothing_in_the_environment(place: Path) -> None:
    done = enter(place, "serve")
    assert (done.returncode, done.stdout.split("\n", 1)[0]) == (0, "serve")
    assert "PG" not in done.stdout
    assert "KEY" not in done.stdout


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("5JSECRET", "line 1 must be NAME=VALUE"),
        ("A=1\nlow=5JSECRET", "line 2: the name must be of A-Z, 0-9 and _"),
        ("=5JSECRET", "line 1: the name must be of A-Z, 0-9 and _"),
        ("A;B=5JSECRET", "line 1: the name must be of A-Z, 0-9 and _"),
    ],
)
def test_a_wrong_line_is_named_without_what_it_says(place: Path, text: str, reason: str) -> None:
    (place / "secrets/keys").write_text(text)
    done = enter(place, "payouts")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"peakedex: the secret keys: {reason}\n")


def test_roles_get_their_passwords_as_often_as_needed(tmp_path: Path) -> None:
    passwords = {"superuser": "any", "indexer": "one'; DROP ROLE x; --", "api": "two\\n", "payouts": "three"}
    passwords["backup"] = "four"
    for name, password in passwords.items():
        (tmp_path / f"database_{name}").write_text(password + "\n")
    url = new_database(migrated=False)
    try:
        given = {str(k): str(v) for k, v in conninfo_to_dict(url).items()}
        environment = {
            "PATH": f"{programs()}:{os.environ['PATH']}",
            "SECRETS": str(tmp_path),
            "ROLES": str(ROOT / "deploy/postgresql/roles.sql"),
            "PGUSER": given["user"],
            "PGDATABASE": given["dbname"],
            **({"PGHOST": given["host"]} if "host" in given else {}),
            **({"PGPORT": given["port"]} if "port" in given else {}),
        }
        for _ in range(2):
            script = ["sh", str(SCRIPTS / "roles.sh")]
            done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        found = dict(execute(url, "SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL"))
        for name in ("indexer", "api", "payouts", "backup"):
            assert is_password(found[f"peakedex-{name}"], passwords[name])
            assert not is_password(found[f"peakedex-{name}"], "other")
    finally:
        drop_database(url)


def is_password(verifier: str, password: str) -> bool:
    """Whether a verifier of PostgreSQL (SCRAM-SHA-256$iterations:salt$stored:server) is of this password."""
    _, parameters, keys = verifier.split("$")
    iterations, salt = parameters.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    key = hmac.digest(salted, b"Client Key", "sha256")
    return base64.b64encode(hashlib.sha256(key).digest()).decode() == keys.split(":")[0]


NIGHTS: Final = """#!/bin/sh
echo "sleep $1" >>"$PLACE/log"
[ "$(grep -c sleep "$PLACE/log")" -lt 3 ] || exec {sleep} 1000
"""
BACKUP: Final = """#!/bin/sh
echo "$* in $TMPDIR: $(ls "$TMPDIR")" >>"$PLACE/log"
[ "$(grep -c '^backup' "$PLACE/log")" -gt 1 ]
"""


def test_a_backup_is_made_each_night_and_one_that_fails_does_not_end_it(tmp_path: Path) -> None:
    programs = {
        "date": "#!/bin/sh\necho 1767225600\n",  # midnight
        "sleep": NIGHTS.replace("{sleep}", str(shutil.which("sleep"))),
        "peakedex-container": BACKUP,
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    scratch = tmp_path / "tmp"
    (scratch / "peakedex-killed").mkdir(parents=True)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PLACE": str(tmp_path),
        "TMPDIR": str(scratch),
    }
    words = ["sh", str(SCRIPTS / "nightly.sh"), "backup", "--json"]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        log = tmp_path / "log"
        wait_until(lambda: log.exists() and log.read_text().count("sleep") == 3)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    night = ["sleep 11400", f"backup --json in {scratch}: "]
    assert log.read_text().splitlines() == [*night, *night, "sleep 11400"]
    assert errors == "peakedex backup: failed, next try tomorrow\n"


def test_shellcheck_finds_nothing() -> None:
    program = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([program, *SCRIPTS.glob("*.sh")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
