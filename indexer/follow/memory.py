"""Cyclic garbage collection of a process with a large, long-lived state."""

from __future__ import annotations

import gc


def tune_gc() -> None:
    """Exempt the loaded state from cyclic garbage collection, and collect less often.

    The state is long-lived and full of cycles. Measured: 1.5 times faster with 86,000 open orders.
    """
    gc.unfreeze()  # the state of an earlier call
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
