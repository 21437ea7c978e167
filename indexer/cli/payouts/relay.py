"""`peakedex payouts relay`: forwards cosigning messages between operators; a process without keys."""

from __future__ import annotations

import logging

import click

from indexer import settings as config
from indexer.cli.support.common import start_logging
from indexer.cli.support.errors import ConfigurationError
from indexer.cli.support.processes import stop_event

log = logging.getLogger("peakedex.relay")


@click.command()
@config.setting("cosign-listen")
@config.setting("log-level")
@config.setting("log-format")
def relay(cosign_listen: str, log_level: str, log_format: str) -> None:
    """Forward signatures between the payouts processes of several operators (k of n), until Ctrl-C.

    The relay needs neither keys nor a database. Payouts processes post to it and poll it: see --cosign-relay
    of `peakedex payouts`.

    Example: peakedex payouts relay --cosign-listen 10.8.0.1:8095
    """
    from settlement.payouts.cosign.relay import Relay, RelayError, parse_address

    start_logging(log_level, log_format)
    stop = stop_event()
    try:
        server = Relay(parse_address(cosign_listen))
    except RelayError as error:
        raise ConfigurationError(error) from error
    server.start()
    log.info("relay listens on %s", cosign_listen)
    stop.wait()
    server.stop()
