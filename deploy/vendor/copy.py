"""Copy what the site uses of others, with the licences, out of node_modules into its vendor folder.

Run by `make site` after `npm ci`. The chart is saved as .js: simple hosts serve .mjs with a wrong type.
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
    # The practice wallet's, loaded on a devnet alone.
    "@noble/secp256k1/index.js": "noble/secp256k1.js",
    "@noble/secp256k1/LICENSE": "noble/secp256k1.LICENSE.txt",
    **{f"@noble/hashes/{name}.js": f"noble/{name}.js" for name in ("sha2", "hmac", "_md", "_u64", "utils")},
    "@noble/hashes/LICENSE": "noble/hashes.LICENSE.txt",
}
# The package leaves out the NOTICE file that its licence speaks of; this is its text.
NOTICE: Final = """TradingView Lightweight Charts\u2122
Copyright (c) 2026 TradingView, Inc. https://www.tradingview.com/
"""


def main() -> None:
    """Make the folder anew, so that nothing of an older version stays."""
    shutil.rmtree(SITE, ignore_errors=True)
    SITE.mkdir()
    for source, target in FILES.items():
        (SITE / target).parent.mkdir(exist_ok=True)
        shutil.copyfile(MODULES / source, SITE / target)
    (SITE / "lightweight-charts.NOTICE.txt").write_text(NOTICE, encoding="utf-8")


if __name__ == "__main__":
    main()
