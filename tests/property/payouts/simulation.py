"""Simulation of payouts under failures of every kind, from a seed. The same seed gives the same run.

    python -m tests.property.payouts.simulation --seed 17 --trace     # replay one seed, and print what happens
    python -m tests.property.payouts.simulation --seeds 0..2000       # many seeds, on two cores

The indexer, the rules, the database files and the payouts processes are real (each process is forked and has its
own connections), and so are the readers of Hive-Engine nodes, and the exchange of signatures. The two chains, the
nodes and the network are simulated. One seed in twenty signs with beem, and its chain checks the signatures; one
in sixteen has three operators, each with his own ledger, processes and key, of whom two must sign. The others use
placeholders, with the same transactions and so the same ids.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.property.payouts.simulation_beginning import scratch
from tests.property.payouts.simulation_end import Ending
from tests.property.payouts.simulation_world import SimulationFailed

POLICY_RACE_EVERY = 8
"""Of so many seeds with short lifetimes one ends with a change of policy between two payments."""


class Simulation(Ending):
    """One run."""

    def run(self) -> None:
        """Run it. Raises SimulationFailed."""
        try:
            for turn in range(self._turns):
                self.turn = turn
                self._take_turn()
            if self.longest == 3000:
                self._race_returns()
            elif self.seed % POLICY_RACE_EVERY == 2:
                self._race_policies()
            self._finish()
        except Exception as error:
            command = f"python -m tests.property.payouts.simulation --seed {self.seed} --trace"
            raise SimulationFailed(
                f"seed {self.seed}, step {self.steps}: {type(error).__name__}: {error}\nreplay: {command}"
            ) from error
        finally:
            self.close()

    def _take_turn(self) -> None:
        acts: list[Callable[[], object]] = [self._block]
        for replica in self.replicas:
            if self._happens(0.8):
                acts.append(partial(self._follow, replica))
            for process in replica.processes:
                if replica.frozen.get(process.name, 0) <= self.turn:
                    acts.append(partial(self._advance, replica, process))
            if replica.must_pause and self._happens(0.08):
                acts.append(partial(self._resume, replica))
            if not replica.processes or self._happens(0.01 if self.lease else 0.03):
                acts.append(partial(self._start, replica))
        if self.turn < self._turns * 3 // 4 and self._happens(0.35):
            acts.append(self._user)
        if self.operators > 1 and self.turn == self._turns // 4 and self._happens(0.5):
            acts.append(self._deceive)
        if self._happens(0.1):
            acts.append(self._cancel)
        if self._happens(0.08):
            acts.append(self._pass_time)
        if self._happens(0.16):
            acts.append(self._fault)
        self.random.shuffle(acts)
        for act in acts:
            act()


def simulate(seed: int, *, clock: int = 0, trace: bool = False) -> Simulation:
    """Run one seed. Raises SimulationFailed."""
    with tempfile.TemporaryDirectory(prefix="payouts", dir=scratch()) as folder:
        simulation = Simulation(seed, Path(folder), clock=clock, trace=trace)
        simulation.run()
        return simulation


def attempt(seed: int) -> tuple[int, str | None, Counter[str]]:
    """A seed, its failure if there was one, and the number of events by kind."""
    try:
        simulation = simulate(seed)
    except SimulationFailed as error:
        return seed, str(error), Counter()
    return seed, None, simulation.counts()


def main() -> int:
    """The command line; the exit code is 1 if a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.payouts.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay one seed")
    parser.add_argument("--seeds", help="run seeds FIRST..LAST, the last one not included")
    parser.add_argument("--trace", action="store_true", help="print what happens (with --seed)")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if options.seed is not None:
        simulation = simulate(options.seed, trace=options.trace)
        print(f"seed {options.seed}: {simulation.steps} steps, {dict(simulation.counts())}")
        return 0
    first, last = (int(part) for part in (options.seeds or "0..100").split(".."))
    began, failed = time.monotonic(), 0
    total: Counter[str] = Counter()
    with multiprocessing.Pool(options.jobs) as pool:
        for seed, error, counts in pool.imap_unordered(attempt, range(first, last)):
            total += counts
            if error is not None:
                failed += 1
                print(error, flush=True)
            if (seed + 1) % 50 == 0:
                print(f"about {seed + 1 - first} seeds, {failed} failed", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    print(f"{last - first} seeds in {seconds:.0f} s, {failed} failed; {dict(total.most_common())}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
