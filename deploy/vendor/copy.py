"""Copy the site's third-party files, with their licences, from node_modules to frontend/vendor.

Run by `make site` after `npm ci`. The chart is saved as .js, because simple hosts serve .mjs with a
wrong content type.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
MODULES: Final = HERE / "node_modules"
SITE: Final = HERE.parent.parent / "frontend" / "vendor"
FILES: Final = {
    "lightweight-charts/dist/lightweight-charts.standalone.production.mjs": "lightweight-charts.js",
    "lightweight-charts/LICENSE": "lightweight-charts.LICENSE.txt",
    "@fontsource/ibm-plex-sans/files/ibm-plex-sans-latin-400-normal.woff2": "ibm-plex-sans-400.woff2",
    "@fontsource/ibm-plex-sans/files/ibm-plex-sans-latin-600-normal.woff2": "ibm-plex-sans-600.woff2",
    "@fontsource/ibm-plex-sans/LICENSE": "ibm-plex-sans.LICENSE.txt",
    # For the practice wallet; loaded on a devnet only.
    "@noble/secp256k1/index.js": "noble/secp256k1.js",
    "@noble/secp256k1/LICENSE": "noble/secp256k1.LICENSE.txt",
    **{f"@noble/hashes/{name}.js": f"noble/{name}.js" for name in ("sha2", "hmac", "_md", "_u64", "utils")},
    "@noble/hashes/LICENSE": "noble/hashes.LICENSE.txt",
}
# The package lacks the NOTICE file that its licence mentions; this is its text.
NOTICE: Final = """TradingView Lightweight Charts\u2122
Copyright (c) 2026 TradingView, Inc. https://www.tradingview.com/
"""


def main() -> None:
    """Recreate the folder, so that no file of an older version stays."""
    shutil.rmtree(SITE, ignore_errors=True)
    SITE.mkdir()
    for source, target in FILES.items():
        (SITE / target).parent.mkdir(exist_ok=True)
        shutil.copyfile(MODULES / source, SITE / target)
    (SITE / "lightweight-charts.NOTICE.txt").write_text(NOTICE, encoding="utf-8")


if __name__ == "__main__":
    main()
