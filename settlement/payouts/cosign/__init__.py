"""k of n: collects and checks the signatures of other operators, which travel through a relay or as files."""

from typing import Final

BUNDLES_PATH: Final = "/bundles"
"""Path of a relay: POST adds a bundle, GET returns those after a number."""
MAX_BUNDLE_BYTES: Final = 65_536
"""Size of a bundle. The largest transaction takes about 20,000 bytes."""
MAX_PAGE_BYTES: Final = 1 << 20
"""Size of the bundles in one answer of a relay."""
