"""A bot that quotes until it is killed, and the process that starts it over and over and kills it.

`python -m tests.system.client.bot` reads one JSON object a line (`Life`), forks a bot for it, and writes how it ended.
A fork starts in milliseconds, where importing everything anew takes a second.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Final, TypedDict

import peakedex.client
from peakedex.client import Api, HiveNodes, KeySigner, Trader

SWITCH_SECONDS: Final = 30
DEADLINE_SECONDS: Final = 40
CLIENT: Final = str(Path(peakedex.client.__file__).parent)


class Life(TypedDict):
    """What one bot is started with."""

    address: str  # of the API
    nodes: list[str]
    account: str
    journal: str
    lines: int | None  # killed before this line of the client's code
    signing: bool  # these lines are counted from a signature on, where a kill is most dangerous
    seconds: float | None  # killed by the parent after so long; both None: it ends by itself


class _KillAtLine:
    """A trace function that kills this process before the n-th line of the client's code.

    With `signing` only lines of the trader and its journal count, from the first signature on.
    """

    def __init__(self, lines: int, signing: bool) -> None:
        self._left = lines
        self._files = (f"{CLIENT}/trader.py", f"{CLIENT}/journal.py") if signing else (CLIENT,)
        self._counts = not signing

    def __call__(self, frame: Any, event: str, _: object) -> Any:
        self._counts |= frame.f_code.co_qualname == "signed_json" if event == "call" else False
        if not frame.f_code.co_filename.startswith(self._files):
            return None
        if event == "line" and self._counts:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def trade(life: Life) -> None:
    """Quote for ever: each quote has a number, a deadline, and a switch that cancels it."""
    trader = Trader(
        Api(life["address"], seconds=10, sleep=lambda _: time.sleep(0.05)),
        HiveNodes(life["nodes"], chain_id="devnet", seconds=0.5),
        KeySigner(life["account"], "BOT_KEY"),
        life["journal"],
        poll_seconds=0.02,
        resend_seconds=0.1,
    )
    ends = life["lines"] is None and life["seconds"] is None
    numbers = [int(ticket.ref.partition("-")[2]) for ticket in trader.tickets if ticket.ref.startswith("q-")]
    if ends:
        trader.wait_all()
        return
    # The last quote again: the bot cannot know whether it was sent, and must not care.
    number = max(numbers, default=1)
    while True:
        try:
            quote(trader, number)
        except peakedex.client.NodesFailed:
            continue  # nothing was signed
        number += 1


def quote(trader: Trader, number: int) -> None:
    """Quote number n, if that is not done yet, followed to its end."""
    build = trader.build
    switch = build.cancel_all_after(SWITCH_SECONDS, ref=f"s-{number}")
    order = build.limit("sell", "PEK/SWAP.HIVE", 1 + number % 7, "0.9", post_only=True, ref=f"q-{number}")
    trader.wait_all(trader.send(switch, order))


def main() -> None:
    """Start and kill bots, as told."""
    for line in sys.stdin:
        life: Life = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                if life["lines"] is not None:
                    sys.settrace(_KillAtLine(life["lines"], life["signing"]))
                trade(life)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        if life["seconds"] is not None:
            time.sleep(life["seconds"])
            os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
