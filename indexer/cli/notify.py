"""`peakedex notify`: messages about the exchange to webhooks, e-mail, Telegram, Discord and ntfy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from indexer import settings as config
from indexer.cli.support.common import start_logging
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.processes import stop_event

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Targets and rules (TOML); see docs/notifications.md.",
)
@click.option("--api", metavar="URL", help="The API to watch. [required, except with --check and --test]")
@click.option("--state", type=_FILE, default=Path("notify-state.json"), show_default=True, help="Its memory.")
@click.option("--status", type=_FILE, help="Keep the status page's history in this file.")
@click.option("--check", is_flag=True, help="Validate the file, name all mistakes, and end.")
@click.option("--test", is_flag=True, help="Send a test message to each target, and end.")
@config.setting("log-level")
@config.setting("log-format")
def notify(
    file: Path,
    api: str | None,
    state: Path,
    status: Path | None,
    check: bool,
    test: bool,
    log_level: str,
    log_format: str,
) -> None:
    """Send notifications: the operator's alarms, fills, deposits, withdrawals and prices.

    It reads the public API only: it needs neither keys nor the database, and can run on another machine.
    Secrets of targets come from the environment variables that the file names.

    Example: peakedex notify --config notify.toml --api http://127.0.0.1:8080
    """
    from indexer.notify.config.reader import ConfigError, read_config
    from indexer.notify.redaction import redact_log
    from indexer.notify.service import Service
    from indexer.notify.state import StateError

    start_logging(log_level, log_format)
    try:
        settings = read_config(file.read_text("utf-8"), os.environ)
    except ConfigError as error:
        for mistake in error.mistakes:
            click.echo(f"{file}: {mistake}", err=True)
        count = len(error.mistakes)
        raise ConfigurationError(f"{file}: {count} mistake{'' if count == 1 else 's'}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from None
    redact_log(secret for each in settings.targets for secret in each.secrets)
    if check:
        names = ", ".join(each.name for each in settings.targets)
        click.echo(f"{file}: valid. Targets: {names}")
        return
    if test:
        _send_test(settings)
        return
    if api is None or not api.startswith(("http://", "https://")):
        raise click.UsageError("no API: use --api URL, like http://127.0.0.1:8080")
    stop = stop_event()
    try:
        service = Service(settings, api, state, status, stop)
    except StateError as error:
        raise ConfigurationError(error) from None
    if not service.run():
        raise CheckFailed("stopped by an unexpected error: see the log")


def _send_test(settings: object) -> None:
    """Send a message to each target and print what became of it. Raises CheckFailed."""
    from indexer.notify.config.model import Config
    from indexer.notify.delivery import send_once
    from indexer.notify.message import notification, now
    from indexer.notify.targets.factory import make_target

    assert isinstance(settings, Config)
    failed = 0
    for each in settings.targets:
        moment = now()
        fields = {"target": each.name, "type": each.type}
        message = notification(f"test/{each.name}/{moment}", "test", "Test of notifications", fields, moment)
        reason = send_once(make_target(each), message)
        failed += reason is not None
        click.echo(f"{each.name}: {'delivered' if reason is None else f'failed: {reason}'}")
    if failed:
        raise CheckFailed(f"{failed} of {len(settings.targets)} targets did not receive the message")
