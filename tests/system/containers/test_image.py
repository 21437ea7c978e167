"""The images of the Dockerfile: built, looked into, and run. tests/system/containers/images.py says how."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from packaging.utils import canonicalize_name

from tests.support.waiting import wait_until
from tests.system.compiled import kept
from tests.system.containers import images
from tests.system.containers.images import ROOT, buildah, command, container

USER: Final = "10001:10001"
WRITABLE: Final = {
    "/site",
    *(f"/var/lib/peakedex{end}" for end in ("", "-payouts", "-backups", "-notify", "-public")),
}
ANYBODY: Final = {"/tmp", "/var/tmp", "/run/lock", "/dev/shm"}
KEEPS_OUT: Final = ("gcc", "pip", "pip3", "npm", "node", "git")


@dataclass
class Images:
    """Working containers of both images, and where their file systems are mounted."""

    program: str
    web: str
    files: Path

    def run(self, *words: str) -> str:
        """Output of a command in the program's image, as its user."""
        return buildah("run", "--isolation", "chroot", self.program, "--", *words)


@pytest.fixture(scope="module")
def built(request: pytest.FixtureRequest) -> Iterator[Images]:
    if reason := images.why_not():
        pytest.skip(reason)
    images.STORE.mkdir(exist_ok=True)
    with ExitStack() as stack:
        with (images.STORE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            images.forget_old_layers()
            try:
                images.make_base()
            except subprocess.CalledProcessError as error:
                pytest.skip(f"Debian's packages cannot be had: {error}")
            names = [images.build(target) for target in ("peakedex", "web")]
            program, web = (stack.enter_context(container(name)) for name in names)
            files = Path(buildah("mount", program))
        for installed in files.glob("opt/peakedex/lib/python3*/site-packages"):
            kept.take(request.config, installed)
        yield Images(program, web, files)


def test_the_image_is_the_program_with_compiled_rules_and_nothing_to_build_with(built: Images) -> None:
    configured = json.loads(buildah("inspect", built.program))["OCIv1"]["config"]
    assert (configured["User"], configured["Entrypoint"]) == (USER, ["peakedex-container"])
    assert built.run("peakedex-container", "--version").endswith(", compiled rules")
    for program in KEEPS_OUT:
        assert "/" not in built.run("sh", "-c", f"command -v {program} || true"), program
    assert not list((built.files / "opt/peakedex/lib").glob("python3*/site-packages/pip"))
    assert not (built.files / "src").exists()


def test_the_list_of_parts_is_the_lock(built: Images) -> None:
    sbom = json.loads((built.files / "usr/share/doc/peakedex/sbom.cdx.json").read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    parts = {canonicalize_name(part["name"]): part["version"] for part in sbom["components"]}
    lock = (ROOT / "requirements-server.lock").read_text()
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, re.MULTILINE)
    assert {canonicalize_name(name): version for name, version in pins}.items() <= parts.items()
    assert "peakedex" in parts


def test_its_user_can_write_into_the_exchange_s_folders_alone(built: Images) -> None:
    words = [
        "find",
        built.files,
        "-xdev",
        "!",
        "-type",
        "l",
        "(",
        "-user",
        "10001",
        "-o",
        "-perm",
        "-o+w",
        ")",
    ]
    found = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True).stdout.split()
    inside = {"/" + str(Path(path).relative_to(built.files)) for path in found}
    assert inside >= WRITABLE
    assert {path for path in inside - WRITABLE if not path.startswith(("/dev/", "/proc/"))} <= ANYBODY


# ---------------------------------------------------------------- the demo behind nginx


@contextmanager
def networks() -> Iterator[tuple[str, str]]:
    """Two networks that reach each other alone, as the namespaces of a process: the API's and nginx's."""
    with ExitStack() as stack:
        holders = [stack.enter_context(holder()) for _ in range(2)]
        api, web = (f"/proc/{process.pid}/ns" for process in holders)
        peer = ("peer", "name", "front", "netns", holders[1].pid)
        ip(api, "link", "add", "front", "type", "veth", *peer)
        for place, address in ((api, "172.31.95.2/29"), (web, "172.31.95.3/29")):
            ip(place, "address", "add", address, "dev", "front")
            for link in ("lo", "front"):
                ip(place, "link", "set", link, "up")
        yield api, web


@contextmanager
def holder() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a network of its own, and whose end is that of all who were started in its namespaces."""
    words = ["unshare", "--net", "--pid", "--fork", "--kill-child", "sleep", "infinity"]
    with subprocess.Popen(words) as process:
        ours = os.stat("/proc/self/ns/net").st_ino
        try:
            wait_until(lambda: os.stat(f"/proc/{process.pid}/ns/net").st_ino != ours)
            yield process
        finally:
            process.kill()  # it heeds no other signal


def ip(place: str, *words: object) -> None:
    subprocess.run(["nsenter", f"--net={place}/net", "ip", *map(str, words)], check=True)


@contextmanager
def running(namespaces: str, log: Path, *words: str) -> Iterator[None]:
    """`buildah run` in these namespaces, in a session of its own."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                "nsenter",
                f"--net={namespaces}/net",
                f"--pid={namespaces}/pid_for_children",
                *command("run", "--isolation", "chroot", "--network", "host", *words),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


FETCH: Final = """import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[1])
try:
    answer = urllib.request.urlopen("https://localhost:8443" + sys.argv[2], context=context, timeout=20)
    print(answer.status, answer.headers["Content-Type"], answer.read().decode())
except OSError as error:
    print(error)
"""


def test_the_demo_answers_behind_nginx(built: Images, tmp_path: Path) -> None:
    """Without any network but their own: as users of the images, with the certificate as a secret."""
    secrets, site = tmp_path / "secrets", tmp_path / "site"
    secrets.mkdir()
    site.mkdir()
    certificate = secrets / "tls_certificate"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    key = secrets / "tls_key"
    subprocess.run(
        ["openssl", *words.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    key.chmod(0o444)
    os.chown(site, 10001, 10001)
    for folder in (tmp_path, secrets):
        folder.chmod(0o755)
    venue = f"{ROOT}/venues/example.toml:/exchange/venue.toml:ro"
    build = ("peakedex-container", "site", "build", "--venue", "/exchange/venue.toml", "--out", "/site/files")
    buildah("run", "--isolation", "chroot", "-v", venue, "-v", f"{site}:/site", built.program, "--", *build)
    with networks() as (api, web):
        demo = (built.program, "--", "peakedex-container", "demo", "--no-bots", "--history", "0")
        mounts = ("-v", f"{secrets}:/run/secrets:ro", "-v", f"{site}:/site:ro")

        def get(path: str) -> str:
            ask = ["python3", "-c", FETCH, str(certificate), path]
            return subprocess.run(
                ["nsenter", f"--net={web}/net", *ask], capture_output=True, text=True, check=True
            ).stdout

        with (
            running(api, tmp_path / "demo.log", *demo),
            running(web, tmp_path / "web.log", *mounts, built.web, "--", "nginx", "-e", "stderr"),
        ):

            def logs() -> str:
                return (
                    (tmp_path / "demo.log").read_text()
                    + (tmp_path / "web.log").read_text()
                    + get("/api/health")
                )

            wait_until(lambda: get("/api/health").startswith("200 application/json"), what=logs, timeout=240)
            assert get("/").startswith("200 text/html <!doctype html>"), get("/")
            venue_hash = buildah(
                *("run", "--isolation", "chroot", "-v", venue, built.program, "--"),
                *("peakedex-container", "venue", "hash", "/exchange/venue.toml"),
            )
            assert f'"venueHash": "{venue_hash}"' in get("/config.js")
