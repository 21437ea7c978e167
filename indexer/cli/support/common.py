"""Arguments, output and logging that commands share."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from settlement.core.parsing.names import is_account
from settlement.core.parsing.table_reader import Mistake
from settlement.core.venue import Venue, VenueError, parse_venue


def read_venue(path: Path) -> Venue:
    """Read and validate a venue file. Raises VenueError."""
    return parse_venue(read_venue_text(path))


def read_venue_text(path: Path) -> str:
    """Read a venue file. Raises VenueError if it is no text."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise VenueError([Mistake("file", f"{path} is not UTF-8 text; save it as UTF-8")]) from error
    if text.startswith("\ufeff"):
        raise VenueError(
            [Mistake("file", f"{path} begins with a byte order mark; save it as UTF-8 without one")]
        )
    return text


def require_db(url: str | None) -> str:
    """The database URL. Raises UsageError if none is given."""
    if url is None:
        raise click.UsageError("no database: use --db URL, or set PEAKEDEX_DB")
    return url


def require_venue(path: Path | None) -> Venue:
    """The venue. Raises UsageError if no file is given, VenueError if it is invalid."""
    if path is None:
        raise click.UsageError("no venue: use --venue FILE, or set PEAKEDEX_VENUE")
    return read_venue(path)


def is_given(name: str) -> bool:
    """Whether the current command's option stands on its command line, not only in settings or defaults."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def check_account(_context: object, _parameter: object, name: str | None) -> str | None:
    """Callback of an argument or option that names an account. Raises BadParameter."""
    if name is not None and not is_account(name):
        raise click.BadParameter("must be a Hive account name, such as alice")
    return name


def show(values: Mapping[str, object], *, as_json: bool) -> None:
    """Print results: a line `name  value` each, or one JSON object."""
    if as_json:
        click.echo(json.dumps(values))
        return
    width = max(map(len, values))
    for name, value in values.items():
        click.echo(f"{name:<{width}}  {value}")


def start_logging(level: str, log_format: str = "text") -> None:
    """Configure logging to standard error, as text or as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if log_format == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)  # INFO lines at every start


class JsonLines(logging.Formatter):
    """Log formatter: a JSON object a line with timestamp, level, logger, message and `extra` fields."""

    _COMMON: Final = frozenset((*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"))

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in self._COMMON}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
