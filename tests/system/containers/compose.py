"""compose.yaml as Compose reads it: merged, and with its variables at their defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[3]
_VARIABLE: Final = re.compile(r"\$(?:\$|\{([A-Z_]+):-([^}]*)\})")

# The part of the Compose specification that the file may use.
TOP: Final = {"name", "services", "networks", "volumes", "secrets"}
SERVICE: Final = {
    *(
        "image",
        "build",
        "profiles",
        "command",
        "entrypoint",
        "environment",
        "env_file",
        "user",
        "restart",
        "init",
        "logging",
    ),
    *("volumes", "tmpfs", "secrets", "networks", "network_mode", "ports", "depends_on", "healthcheck"),
    *("read_only", "cap_drop", "security_opt", "pids_limit", "ulimits", "shm_size", "stop_grace_period"),
}
HEALTHCHECK: Final = {"test", "interval", "timeout", "retries", "start_period"}
CONDITIONS: Final = {"service_started", "service_healthy", "service_completed_successfully"}


def read() -> dict[str, Any]:
    """The file. Raises AssertionError for a variable without default, which would stop `docker compose`."""
    text = (ROOT / "compose.yaml").read_text()

    def value(found: re.Match[str]) -> str:
        return "$" if found[1] is None else found[2]

    filled = _VARIABLE.sub(value, text)
    assert "${" not in filled
    document: dict[str, Any] = yaml.safe_load(filled)
    return {key: part for key, part in document.items() if not key.startswith("x-")}


def secrets_of(service: dict[str, Any]) -> dict[str, str]:
    """File name in /run/secrets by secret."""
    found = [{"source": s, "target": s} if isinstance(s, str) else s for s in service.get("secrets", [])]
    return {secret["source"]: secret["target"] for secret in found}


def mounts_of(service: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Volume or path of the host, and whether it can be written to, by folder in the container."""
    parts = [mount.split(":") for mount in service.get("volumes", [])]
    return {part[1]: (part[0], part[2:] != ["ro"]) for part in parts}


def networks_of(service: dict[str, Any]) -> set[str]:
    return set(service.get("networks", ["default"]))


def after(service: dict[str, Any]) -> dict[str, str]:
    """Services that must come first, and the condition."""
    found = service.get("depends_on", {})
    if isinstance(found, list):
        return dict.fromkeys(found, "service_started")
    return {name: rule["condition"] for name, rule in found.items()}
