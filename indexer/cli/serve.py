"""`peakedex serve`: the read API and the site."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from indexer import settings as config
from indexer.cli.support.common import require_db, start_logging
from indexer.cli.support.errors import ConfigurationError

DEVNET: Final = "devnet"
API_SETTINGS: Final = (
    "host",
    "port",
    "cors-origin",
    "network",
    "practice-node",
    "workers",
    "threads",
    "streams",
    "rate-limit",
    "limit-store",
    "trusted-proxy",
    "max-lag",
    "access-log",
    "backup-status",
    "disk-folder",
)


@click.command()
@config.setting("db")
@config.setting("node", help="A Hive node to ask whether an account exists; repeat for more.")
@config.settings(*API_SETTINGS, "log-level", "log-format")
def serve(db: str | None, node: tuple[str, ...], log_level: str, log_format: str, **api: Any) -> None:
    """Serve the read API and the site.

    It only reads the database, so any number of servers can share one.

    Example: peakedex serve --db peakedex.db --port 8080
    """
    from api.server import serve as serve_api
    from api.settings import ApiSettings, default_frontend

    start_logging(log_level, log_format)
    settings = ApiSettings(
        database_url=require_db(db),
        frontend=default_frontend(),
        hive_nodes=node,
        cors_origins=api["cors_origin"],
        network=api["network"],
        threads=api["threads"],
        streams=api["streams"],
        rate_limit=None if api["rate_limit"] == "off" else api["rate_limit"],
        limit_store=api["limit_store"],
        trusted_proxies=api["trusted_proxy"],
        max_lag_blocks=api["max_lag"],
        access_log=api["access_log"] == "on",
        backup_status=api["backup_status"],
        disk_folders=tuple(map(Path, api["disk_folder"])),
    )
    middleware = _middleware(api["practice_node"], api["network"])
    serve_api(settings, api["host"], api["port"], api["workers"], middleware)


def _middleware(node: str | None, network: str) -> Callable[[Any], Any]:
    """WSGI middleware in front of the API: the devnet proxy, if `--practice-node` is given."""
    if node is None:
        return lambda app: app
    if network != DEVNET:
        raise ConfigurationError(
            f"--practice-node requires --network {DEVNET}, but the network is {network!r}: remove it, or set "
            "the network"
        )
    from indexer.devnet.proxy import DevnetProxy

    return lambda app: DevnetProxy(app, node)
