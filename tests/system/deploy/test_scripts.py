"""deploy-simple.sh and deploy.sh: installed files and rights, upgrades, rollbacks."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.system.deploy.server import IS_ROOT, MUTE, NAME, ROOT, WORKS, Done, Machine, machine
from tests.system.store.chains import demo

SCRIPTS = sorted((ROOT / "deploy").glob("*.sh"))


@pytest.fixture
def server() -> Iterator[Machine]:
    with machine() as found:
        yield found


def tree(root: Path) -> dict[str, object]:
    """Every file, link and folder with its mode, owner, time and content, except those of SQLite."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        what: object = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        if "peakedex.db" not in path.name:
            found[str(path.relative_to(root))] = (status.st_mode, status.st_uid, status.st_mtime_ns, what)
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_shellcheck_finds_nothing() -> None:
    assert len(SCRIPTS) == 4
    program = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([program, "-x", *SCRIPTS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------- the first run


MODES = {
    "etc/peakedex/payouts.env": (0o600, "root", "root"),
    "etc/peakedex/backup.env": (0o600, "root", "root"),
    "etc/peakedex/peakedex.env": (0o640, "root", "peakedex"),
    "etc/peakedex/venue.toml": (0o644, "root", "root"),
    "etc/peakedex/tls": (0o700, "root", "root"),
    "etc/peakedex/tls/self-signed.key": (0o600, "root", "root"),
    "var/lib/peakedex": (0o2770, "peakedex-indexer", "peakedex"),
    "var/lib/peakedex/peakedex.db": (0o660, "peakedex-indexer", "peakedex"),
    "opt/peakedex/versions": (0o755, "root", "root"),
}


@pytest.mark.parametrize("path", MODES)
def test_who_may_read_and_write_what(installed: tuple[Machine, Done], path: str) -> None:
    root = installed[0].root
    wanted, owner, group = MODES[path]
    assert oct(mode(root / path)) == oct(wanted)
    if not IS_ROOT:
        assert "all files belong to you" in installed[1].out
        return
    names = {
        kind: dict(line.split(":")[:3:2] for line in (root / "etc" / kind).read_text().splitlines())
        for kind in ("passwd", "group")
    }
    status = (root / path).stat()
    assert (str(status.st_uid), str(status.st_gid)) == (names["passwd"][owner], names["group"][group])


def test_the_services_users_have_no_shell_no_home_and_no_group_more_than_they_need(
    installed: tuple[Machine, Done],
) -> None:
    if not IS_ROOT:
        assert "no users are created" in installed[1].out
        return
    root = installed[0].root / "etc"
    users = {line.split(":")[0]: line.split(":") for line in (root / "passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: line.split(":") for line in (root / "group").read_text().splitlines()}
    for name, group in (
        ("peakedex-indexer", "peakedex"),
        ("peakedex-api", "peakedex-api"),
        ("peakedex-payouts", "peakedex"),
        ("peakedex-backup", "peakedex"),
    ):
        _, _, _, number, _, home, shell = users[name]
        assert (home, shell, number) == ("/nonexistent", "/usr/sbin/nologin", groups[group][2])
    assert groups["peakedex"][3] == ""
    assert {"peakedex-api", "peakedex"}.isdisjoint(
        name.gr_name for name in grp.getgrall()
    )  # this machine's are
    assert {"peakedex-api"}.isdisjoint(name.pw_name for name in pwd.getpwall())  # as they were


def test_the_version_is_installed_from_the_lock_alone(installed: tuple[Machine, Done]) -> None:
    server, done = installed
    first, second = (line for line in done.did if line.startswith("python -I -m pip install"))
    assert f"--require-hashes --requirement {server.checkout}/requirements-server.lock" in first
    assert "--no-deps --no-index --no-build-isolation" in second
    assert second.endswith(str(server.checkout))
    assert re.fullmatch(r"1\.0\.0-[0-9a-f]{12}", server.version() or "")
    assert server.version("previous") is None
    assert done.at("peakedex db upgrade") < done.at("peakedex serve")
    program = server.root / "opt/peakedex/bin/peakedex"
    assert program.resolve() == server.root / f"opt/peakedex/versions/{server.version()}/bin/peakedex"
    site = server.root / "opt/peakedex/current/site"
    assert (site / "index.html").read_bytes() == (ROOT / "frontend/index.html").read_bytes()


def test_the_site_pins_the_venue_and_follows_its_settings(server: Machine) -> None:
    done = server.install("--site-api", "api/ https://other.example/api/")
    assert done.code == 0, done.err
    file = server.root / "opt/peakedex/current/site/config.js"
    assert f'"venueHash": "{demo().hash}"' in file.read_text()
    assert 'apis: ["api/", "https://other.example/api/"].map' in file.read_text()
    settings = server.root / "etc/peakedex/peakedex.env"
    settings.write_text(
        settings.read_text().replace("https://other.example/api/", "https://third.example/api/")
    )
    done = server.install()
    assert done.code == 0, done.err
    assert 'apis: ["api/", "https://third.example/api/"].map' in file.read_text()
    assert f'"venueHash": "{demo().hash}"' in file.read_text()


def test_a_second_run_changes_nothing(installed: tuple[Machine, Done]) -> None:
    server, _ = installed
    before = tree(server.root)
    done = server.install()
    assert done.code == 0, done.err
    assert tree(server.root) == before
    assert not [line for line in done.out.splitlines() if line.startswith(("writes", "installs", "creates"))]
    assert not [line for line in done.did if line.startswith(("peakedex", "python"))]


@pytest.fixture(scope="module")
def used() -> Iterator[Machine]:
    """A machine that was in use before the run: with its own settings, and many versions."""
    with machine() as server:
        etc, home = server.root / "etc/peakedex", server.root / "opt/peakedex"
        etc.mkdir()
        (etc / "peakedex.env").write_text("PEAKEDEX_DB=sqlite:////var/lib/peakedex/peakedex.db\n# mine\n")
        (etc / "payouts.env").write_text("PEK_SWAP_HIVE_KEY=5J\n")
        (etc / "config.js").write_text("// mine\n")
        for number in range(8):
            version = home / f"versions/0.0.{number}"
            version.mkdir(parents=True)
            shutil.copy(sorted((server.checkout / "alembic/versions").iterdir())[0], version / "schema")
            os.utime(version, (number, number))
        (home / "current").symlink_to("versions/0.0.1")
        done = server.install()
        assert done.code == 0, done.out + done.err
        yield server


def test_settings_and_keys_of_the_operator_stay(used: Machine) -> None:
    etc = used.root / "etc/peakedex"
    assert (etc / "peakedex.env").read_text().endswith("# mine\n")
    assert oct(mode(etc / "peakedex.env")) == "0o640"
    assert (etc / "payouts.env").read_text() == "PEK_SWAP_HIVE_KEY=5J\n"
    assert oct(mode(etc / "payouts.env")) == "0o600"
    assert (used.root / "opt/peakedex/current/site/config.js").read_text() == "// mine\n"


def test_two_versions_are_kept(used: Machine) -> None:
    """The current one and the one before, whose environments have some 400 MB each."""
    left = {path.name for path in (used.root / "opt/peakedex/versions").iterdir()}
    assert used.version("previous") == "0.0.1"
    assert left == {"0.0.1", used.version()}


def test_a_dry_run_does_nothing(server: Machine) -> None:
    before = tree(server.root)
    done = server.install("--dry-run")
    assert done.code == 0, done.err
    assert tree(server.root) == before
    assert done.did == []
    assert "writes " in done.out
    assert "would switch from no version to 1.0.0-" in done.out
    assert done.out.endswith("dry run: nothing was changed\n")


REFUSED = {
    "--name is missing": ["--venue", "venue.toml"],
    "--name: Not A Host is not a host name": ["--name", "Not A Host"],
    "--venue is missing": ["--name", NAME],
    "--venue: nowhere.toml does not exist": ["--name", NAME, "--venue", "nowhere.toml"],
    "--cert and --key: both must be existing files": ["--name", NAME, "--cert", "/etc/passwd"],
    "unknown option --nmae": ["--nmae", NAME],
    "--name needs a value": ["--name"],
    "unknown command upgrade": ["upgrade"],
    "--db belongs to deploy.sh": ["--db", "postgresql:///elsewhere"],
    "there is no previous version": ["rollback"],
    "--root: here is not an absolute path": ["--root", "here"],
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_be_done_is_told_in_one_line(server: Machine, sentence: str) -> None:
    before = tree(server.root)
    done = server.run(*REFUSED[sentence])
    assert done.code == 2
    assert done.err.startswith(f"deploy-simple.sh: {sentence}")
    assert done.err.count("\n") == 1
    assert tree(server.root) == before


OLD_PYTHON: Final = """#!/bin/sh
echo 3.10
exit 1
"""


def test_an_older_python_is_told_before_anything_is_made(server: Machine) -> None:
    """As on Ubuntu 22.04; a newer one beside it is found."""
    before = tree(server.root)
    programs = server.folder / "programs"
    usable = (programs / "python3").rename(server.folder / "python-usable")
    for number in range(11, 15):
        (programs / f"python3.{number}").write_text("#!/bin/sh\nexit 1\n")
        (programs / f"python3.{number}").chmod(0o755)
    (programs / "python3").write_text(OLD_PYTHON)
    (programs / "python3").chmod(0o755)
    done = server.install()
    assert done.code == 2
    assert "this machine's python3 is Python 3.10, and 3.11 is needed" in done.err
    done = server.install("--python", programs / "python3")
    assert done.code == 2
    assert f"--python: {programs}/python3 is not a Python 3.11 or newer" in done.err
    assert tree(server.root) == before
    usable.replace(programs / "python3.12")
    done = server.install("--dry-run")
    assert done.code == 0, done.err


def test_without_a_network_it_says_so_and_a_later_run_succeeds(server: Machine) -> None:
    (server.root / "offline").touch()
    done = server.install()
    assert done.code == 2
    assert "cannot be downloaded: a network is needed, or a mirror (PIP_INDEX_URL)" in done.err
    assert server.version() is None
    (server.root / "offline").unlink()
    assert server.install().code == 0


def test_the_certificate_names_the_host(installed: tuple[Machine, Done]) -> None:
    """Browsers and libraries look at subjectAltName alone."""
    file = installed[0].root / "etc/peakedex/tls/self-signed.pem"
    words = ["openssl", "x509", "-in", str(file), "-noout", "-checkhost"]
    for name, fits in ((NAME, True), ("other.example", False)):
        done = subprocess.run([*words, name], capture_output=True, text=True, check=True)
        assert ("does match" in done.stdout) == fits
    shown = subprocess.run(
        [*words[:-1], "-ext", "subjectAltName"], capture_output=True, text=True, check=True
    ).stdout
    assert f"DNS:{NAME}" in shown


def test_nginx_s_own_page_goes_unless_it_was_changed(server: Machine) -> None:
    etc = server.root / "etc/nginx"
    for name in ("sites-available", "sites-enabled"):
        (etc / name).mkdir(parents=True)
    page, link = etc / "sites-available/default", etc / "sites-enabled/default"
    page.write_text("server { listen 80 default_server; root /var/www/html; }\n")
    link.symlink_to("/etc/nginx/sites-available/default")
    digest = hashlib.md5(page.read_bytes(), usedforsecurity=False).hexdigest()
    query = server.folder / "programs/dpkg-query"
    query.write_text(
        f"#!/bin/sh\necho ' /etc/nginx/nginx.conf 0'\necho ' /etc/nginx/sites-available/default {digest}'\n"
    )
    query.chmod(0o755)
    page.write_text(page.read_text() + "# the operator's\n")
    assert server.install().code == 0
    assert link.is_symlink()
    page.write_text(page.read_text().replace("# the operator's\n", ""))
    assert server.install().code == 0
    assert not link.is_symlink()
    assert page.exists()


def test_the_operator_s_nginx_directives_stay(server: Machine) -> None:
    assert server.install().code == 0
    local = server.root / "etc/nginx/snippets/peakedex-local.conf"
    local.write_text("location /csv/ { alias /var/lib/peakedex-public/csv/; }\n")
    server.change()
    assert server.install().code == 0
    assert local.read_text().startswith("location /csv/")
    assert (
        "include snippets/peakedex-local[.]conf;"
        in (local.parent.parent / "sites-available/peakedex.conf").read_text()
    )


def test_another_venue_is_refused(installed: tuple[Machine, Done]) -> None:
    server, _ = installed
    other = server.folder / "other.toml"
    other.write_text((server.folder / "venue.toml").read_text() + "# another\n")
    done = server.run("--name", NAME, "--venue", other)
    assert done.code == 2
    assert "Install another venue on another machine" in done.err


def test_a_checkout_without_the_site_s_libraries_is_refused(server: Machine) -> None:
    (server.checkout / "frontend/vendor/lightweight-charts.js").unlink()
    done = server.install()
    assert done.code == 2
    assert "run `make site`" in done.err


# ---------------------------------------------------------------- from one version to the next


def rows(database: Path) -> int:
    """Number of rows of the table `mark`, which stands for the changes of the new version."""
    with closing(sqlite3.connect(database)) as plain:
        return int(plain.execute("SELECT count(*) FROM mark").fetchone()[0])


def mark(database: Path, *, make: bool = False) -> None:
    with closing(sqlite3.connect(database)) as plain:
        if make:
            plain.execute("CREATE TABLE mark (a)")
        plain.execute("INSERT INTO mark VALUES (1)")
        plain.commit()


MARKS = WORKS.replace(
    "exec ",
    """if [ "$1 $2" = "db upgrade" ]; then
    "@PEAKEDEX@" "$@"
    exec @PYTHON@ -c '
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("INSERT INTO mark VALUES (2)")
database.commit()' "${PEAKEDEX_DB#sqlite:///}"
fi
exec """,
)
"""A program whose migration adds a row to the database."""


def test_an_upgrade_stops_writers_tries_switches_and_starts_payouts_last_and_goes_back_by_word(
    server: Machine,
) -> None:
    assert server.install("--systemd", "--payouts").code == 0
    old = server.version()
    server.change()
    done = server.install("--systemd", "--payouts")
    assert done.code == 0, done.out + done.err
    assert server.version() != old
    assert server.version("previous") == old
    steps = (
        "systemctl stop peakedex-payouts peakedex-indexer",
        "peakedex db upgrade",
        "peakedex serve",
        "systemctl restart peakedex-indexer peakedex-api",
        "systemctl is-active peakedex-indexer peakedex-api",
        "systemctl restart peakedex-payouts",
        "nginx -t",
        "systemctl reload-or-restart nginx",
    )
    places = [done.at(step) for step in steps]
    assert places == sorted(places)
    new = server.version()
    done = server.run("rollback", "--systemd")
    assert done.code == 0, done.err
    assert (server.version(), server.version("previous")) == (old, new)
    assert done.at("systemctl stop peakedex-payouts peakedex-indexer") < done.at("systemctl restart")
    assert server.run("rollback").code == 0
    assert (server.version(), server.version("previous")) == (new, old)


def test_a_version_that_does_not_start_never_gets_in_place(server: Machine) -> None:
    assert server.install("--systemd", "--payouts").code == 0
    old = server.version()
    server.change()
    server.program(MUTE)
    done = server.install("--systemd", "--payouts", "--health-seconds", 100_000)  # it ends, which is noticed
    assert done.code == 1
    assert f"failed: returning to {old}" in done.err
    assert (server.version(), server.version("previous")) == (old, None)
    assert done.at("peakedex serve") < done.at("systemctl restart peakedex-indexer peakedex-api")
    assert done.at("systemctl restart peakedex-payouts")


def test_a_version_that_falls_sick_is_taken_back_with_its_tables(server: Machine) -> None:
    done = server.install("--systemd")
    assert done.code == 0, done.out + done.err
    assert [line for line in done.did if re.match("systemctl (?!-q is-enabled).*payouts", line)] == []
    assert done.at("systemctl daemon-reload") < done.at("systemctl restart peakedex-indexer peakedex-api")
    old = server.version()
    mark(server.database, make=True)
    server.change(tables=True)
    server.program(MARKS)
    new = re.findall(r"would switch from \S+ to (\S+)", server.run("--name", NAME, "--dry-run").out)[0]
    server.sick.add(new)
    (server.root / "failing").write_text(new)
    done = server.install("--systemd", "--health-seconds", 100_000)
    assert done.code == 1
    assert server.version() == old
    assert rows(server.database) == 1  # the migration's mark is gone
    assert oct(mode(server.database)) == "0o660"
    assert "restores the database of version" in done.out
    assert [line for line in done.did if "restart peakedex-payouts" in line] == []


def test_rollback_over_other_tables_takes_a_word_and_puts_the_copy_back(server: Machine) -> None:
    """The copy holds also what SQLite keeps beside the one file while somebody reads."""
    assert server.install().code == 0
    old = server.version()
    with closing(sqlite3.connect(server.database)) as reader:
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        mark(server.database, make=True)
        assert b"CREATE TABLE mark (a)" not in server.database.read_bytes()
        server.change(tables=True)
        server.program(MARKS)
        assert server.install().code == 0
    assert rows(server.database) == 2
    copy = server.root / f"opt/peakedex/versions/{old}/database"
    assert (oct(mode(copy)), copy.stat().st_uid) == ("0o600", os.getuid())
    new = server.version()
    refused = server.run("rollback")
    assert refused.code == 2
    assert "use --restore-database" in refused.err
    assert (server.version(), rows(server.database)) == (new, 2)
    done = server.run("rollback", "--restore-database")
    assert done.code == 0, done.err
    assert (server.version(), rows(server.database)) == (old, 1)
    assert oct(mode(server.database)) == "0o660"
    if IS_ROOT:
        assert server.database.stat().st_uid == server.uid("peakedex-indexer")
    again = server.run("rollback", "--restore-database", "--systemd")
    assert again.code == 2
    assert f"the copy of version {new}'s database is missing" in again.err
    assert again.did == []  # the services were not stopped


def test_deploy_sh_names_the_database_of_this_machine(server: Machine) -> None:
    done = server.install("--dry-run", script="deploy.sh")
    assert done.code == 0, done.err
    assert "sqlite" not in done.out
    etc = server.root / "etc/peakedex"
    done = server.install("--db", "postgresql://h/d", "--dry-run", script="deploy.sh")
    assert done.code == 0, done.err
    assert not etc.exists()
