"""compose.yaml and the Dockerfile's promises, as rules over the files: no container runs here."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from indexer.settings import setting_names, variable
from tests.support.doc_examples import misuse
from tests.system.containers.compose import (
    CONDITIONS,
    HEALTHCHECK,
    ROOT,
    SERVICE,
    TOP,
    after,
    mounts_of,
    networks_of,
    read,
    secrets_of,
)

FILE: Final = read()
SERVICES: Final[dict[str, dict[str, Any]]] = FILE["services"]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
PINNED: Final = re.compile(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
AUDITOR: Final = {name for name, service in SERVICES.items() if service["profiles"] == ["auditor"]}
OPERATOR: Final = {name for name, service in SERVICES.items() if service["profiles"] == ["operator"]}
ROLES: Final = {"roles", "grants"}
BACKUP: Final = {"PEAKEDEX_BACKUP_TO", "TMPDIR"}
"""What the backup reads besides settings."""
EACH: Final = pytest.mark.parametrize("name", SERVICES)


def test_the_file_uses_what_compose_knows() -> None:
    assert set(FILE) == TOP
    for name, service in SERVICES.items():
        assert set(service) <= SERVICE, name
        assert set(service.get("healthcheck", {})) <= HEALTHCHECK, name
        assert set(after(service).values()) <= CONDITIONS, name
    for network in FILE["networks"].values():
        assert set(network or {}) <= {"internal", "ipam"}
    assert {key for volume in FILE["volumes"].values() for key in volume or {}} == set()
    assert {key for secret in FILE["secrets"].values() for key in secret} == {"file"}


def test_all_that_is_named_exists_and_all_that_exists_is_used() -> None:
    named = {source for s in SERVICES.values() for source, _ in mounts_of(s).values()}
    volumes = {source for source in named if not source.startswith(".")}
    assert volumes == set(FILE["volumes"])
    assert {secret for s in SERVICES.values() for secret in secrets_of(s)} == set(FILE["secrets"])
    used = {network for s in SERVICES.values() for network in networks_of(s) if "network_mode" not in s}
    assert used - {"default"} == set(FILE["networks"])
    for source in named:
        if source.startswith("./deploy/"):
            assert (ROOT / source).is_file()


def test_what_is_merged_from_several_places_is_the_same_in_any_order() -> None:
    """Parsers differ in which of several merged mappings comes first: PyYAML 6.0.4 turned their order round."""
    text = (ROOT / "compose.yaml").read_text()
    lists = re.findall(r"<<: \[(.*)\]", text)
    assert lists
    for names in lists:
        parts = [yaml.safe_load(text)[f"x-{name.strip().removeprefix('*')}"] for name in names.split(",")]
        assert sum(map(len, parts)) == len(set().union(*parts)), names


@EACH
def test_a_service_belongs_to_one_profile_with_all_that_it_waits_for(name: str) -> None:
    service = SERVICES[name]
    assert service["profiles"] in (["demo"], ["auditor"], ["operator"], ["notify"], ["restore"])
    for other, condition in after(service).items():
        assert SERVICES[other]["profiles"] == service["profiles"]
        if condition == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        if condition == "service_completed_successfully":
            assert SERVICES[other]["restart"] == "on-failure:3"


@EACH
def test_a_service_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["pids_limit"] > 0
    assert service.get("network_mode", "none") == "none"
    for source, can_write in mounts_of(service).values():
        assert "docker.sock" not in source
        assert not (source.startswith((".", "/")) and can_write), "a folder of the host is read only"


@EACH
def test_an_image_is_made_here_or_pinned_by_its_digest(name: str) -> None:
    service = SERVICES[name]
    if "build" in service:
        assert service["build"]["target"] in {"peakedex", "web"}
        assert f"AS {service['build']['target']}\n" in DOCKERFILE
    else:
        assert PINNED.fullmatch(service["image"])
        assert service["user"] == "999:999", "the image would begin as root"


def test_the_dockerfile_pins_its_base_and_ends_without_root() -> None:
    [base] = re.findall(r"^ARG BASE=(.*)$", DOCKERFILE, re.MULTILINE)
    assert PINNED.fullmatch(base)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE}"}
    stages = re.split(r"^FROM .* AS ", DOCKERFILE, flags=re.MULTILINE)[1:]
    last = {stage.split("\n", 1)[0]: re.findall(r"^USER (.*)$", stage, re.MULTILINE) for stage in stages}
    assert last == {"web": ["10002:10002"], "build": [], "peakedex": ["10001:10001"]}
    assert DOCKERFILE.count("--require-hashes") == DOCKERFILE.count("pip install") - 1
    assert "--no-index --no-deps /wheels/*.whl" in DOCKERFILE


@EACH
def test_a_command_and_its_settings_are_those_of_the_program(name: str) -> None:
    service = SERVICES[name]
    environment = service.get("environment", {})
    if service.get("build", {}).get("target") == "peakedex":
        assert misuse(service["command"]) == ""
        assert set(environment) <= {variable(setting) for setting in setting_names()} | BACKUP
    else:
        assert not any(word.startswith("PEAKEDEX_") for word in environment)


# ---------------------------------------------------------------- secrets


def test_the_auditor_and_the_demo_hold_no_secret() -> None:
    for name in {*AUDITOR, "demo"}:
        assert secrets_of(SERVICES[name]) == {}
        assert not any(
            re.search("KEY|PASS|SECRET|TOKEN", word) for word in SERVICES[name].get("environment", {})
        )
        assert not any("secret" in source for source, _ in mounts_of(SERVICES[name]).values())


def holders(secret: str) -> set[str]:
    return {name for name, service in SERVICES.items() if secret in secrets_of(service)}


def test_each_secret_is_where_it_is_needed_alone() -> None:
    assert holders("payouts_keys") == {"payouts"}
    assert holders("tls_key") == holders("tls_certificate") == {"web"}
    assert holders("database_superuser") == {"database", *ROLES}
    assert holders("database_payouts") == {"payouts", *ROLES}
    assert holders("database_api") == {"api", *ROLES}
    assert holders("database_backup") == {"backup", *ROLES}
    assert holders("backup_keys") == {"backup", "restore"}
    assert holders("notify_keys") == {"notify"}
    assert holders("database_indexer") == {"migrate", "follow", "restore", *ROLES}


def test_a_secret_is_no_environment_variable_of_the_file() -> None:
    """`docker inspect` shows those."""
    for name, service in SERVICES.items():
        words = {w for w in service.get("environment", {}) if re.search("KEY|PASS|SECRET|TOKEN", w)}
        assert words == ({"POSTGRES_PASSWORD_FILE"} if name == "database" else set())
        files = service.get("env_file", [])
        assert files in ([], ["./exchange/peakedex.env"])
        for url in (value for value in service.get("environment", {}).values() if "postgresql:" in value):
            assert "password" not in conninfo_to_dict(url)


def test_each_service_is_its_own_role_of_the_database() -> None:
    roles = {
        name: conninfo_to_dict(service["environment"]["PEAKEDEX_DB"])["user"]
        for name, service in SERVICES.items()
        if name in OPERATOR and "PEAKEDEX_DB" in service.get("environment", {})
    }
    assert roles == {
        "migrate": "peakedex-indexer",
        "follow": "peakedex-indexer",
        "api": "peakedex-api",
        "payouts": "peakedex-payouts",
        "backup": "peakedex-backup",
    }
    for name, role in roles.items():
        passwords = {k for k, target in secrets_of(SERVICES[name]).items() if target == "database_password"}
        assert passwords == {str(role).replace("peakedex-", "database_")}
        assert f"'{role}'" in (ROOT / "deploy/postgresql/roles.sql").read_text()


# ---------------------------------------------------------------- networks and files


def test_who_can_reach_whom() -> None:
    assert {name for name in FILE["networks"] if (FILE["networks"][name] or {}).get("internal")} == {
        "database",
        "front",
    }
    reach = {name: networks_of(SERVICES[name]) for name in OPERATOR if "network_mode" not in SERVICES[name]}
    assert reach == {
        "database": {"database"},
        **{name: {"database"} for name in (*ROLES, "migrate")},
        "follow": {"database", "outside"},
        "payouts": {"database", "outside"},
        "backup": {"database", "outside"},
        "api": {"database", "outside", "front"},
        "web": {"front", "edge"},
    }
    assert networks_of(SERVICES["notify"]) == {"outside"} <= reach["api"]
    assert networks_of(SERVICES["restore"]) == reach["backup"]
    assert SERVICES["notify"]["command"][3:5] == ["--api", "http://api:8080"]
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "demo": ["127.0.0.1:8080:8080"],
        "auditor-api": ["127.0.0.1:8080:8080"],
        "web": ["80:8080", "443:8443"],
    }


def test_the_api_trusts_the_address_of_nginx_and_nginx_asks_that_of_the_api() -> None:
    address = {name: SERVICES[name]["networks"]["front"]["ipv4_address"] for name in ("api", "web")}
    assert SERVICES["api"]["environment"]["PEAKEDEX_TRUSTED_PROXY"] == address["web"]
    assert f"'s|@API@|{address['api']}:8080|'" in DOCKERFILE
    [config] = FILE["networks"]["front"]["ipam"]["config"]
    assert all(a.startswith(config["subnet"].rsplit(".", 1)[0]) for a in address.values())


def test_who_may_write_where() -> None:
    writes = {
        name: {place for place, (_, can_write) in mounts_of(service).items() if can_write}
        for name, service in SERVICES.items()
    }
    assert {name: places for name, places in writes.items() if places} == {
        "auditor-follow": {"/var/lib/peakedex"},
        "backup": {"/var/lib/peakedex-backups", "/var/lib/peakedex-public"},
        "restore": {"/var/lib/peakedex-backups"},
        "notify": {"/var/lib/peakedex-notify"},
        "database": {"/var/lib/postgresql/data"},
        "payouts": {"/var/lib/peakedex-payouts"},
        "site": {"/site"},
    }


def test_what_one_service_writes_another_reads_at_the_same_place() -> None:
    backup, api = (SERVICES[name]["environment"]["PEAKEDEX_BACKUP_STATUS"] for name in ("backup", "api"))
    assert backup == api
    for name in ("backup", "api"):
        assert mounts_of(SERVICES[name])[str(Path(api).parent)][0] == "public"
    status = Path(SERVICES["notify"]["command"][-1])
    assert mounts_of(SERVICES["notify"])[str(status.parent)] == ("status", True)
    assert mounts_of(SERVICES["web"])[str(status.parent)] == ("status", False)
    assert f"root {status.parent};" in (ROOT / "deploy/nginx/peakedex.conf").read_text()
    for place in ("/var/lib/peakedex-backups", "/var/lib/peakedex-public", str(status.parent)):
        assert place in DOCKERFILE, "a new volume has the owner of the image's folder"


def test_what_answers_is_asked_whether_it_does() -> None:
    asked = {
        name: service["healthcheck"]["test"] for name, service in SERVICES.items() if "healthcheck" in service
    }
    assert set(asked) == {"demo", "auditor-api", "database", "api", "web"}
    for test in asked.values():
        assert test[0] == "CMD"
        if "-c" in test:
            compile(test[test.index("-c") + 1], "healthcheck", "exec")


def ignored(path: str) -> bool:
    return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0


def test_secrets_get_neither_into_git_nor_into_an_image() -> None:
    for secret in FILE["secrets"].values():
        assert ignored(secret["file"])
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*", "what is not listed stays out"
    assert not any(
        Path(line[1:]).name in ("exchange", ".git", ".env") for line in lines if line.startswith("!")
    )
    assert {"**/*.env", "**/*.db"} <= set(lines)
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.*)$", DOCKERFILE, re.MULTILINE)
    assert [
        source for line in copied for source in shlex.split(line)[:-1] if not (ROOT / source).exists()
    ] == []
