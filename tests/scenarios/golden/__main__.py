"""`python -m tests.scenarios.golden` lists golden journals that differ; `--write` regenerates them."""

from __future__ import annotations

import sys

from tests.scenarios.golden.golden import CURE, SEEDS, make, read, write


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        for seed in SEEDS:
            print(f"seed {seed}: {'regenerated' if write(seed) else 'unchanged'}")
        return 0
    if arguments:
        print(__doc__)
        return 2
    changed = [seed for seed in SEEDS if make(seed) != read(seed)]
    for seed in changed:
        print(f"seed {seed} differs: {CURE}")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
