"""Run by a Python that has hiveio-wax: reads blocks, one a line, and says of each whether it verifies.

Prints a line a block: `ok`, `cannot be checked`, or what is wrong with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from indexer.chain.blocks import Block, BlockError
from indexer.chain.integrity.merkle import WaxVerifier, local_verifier


def main() -> None:
    verifier = local_verifier()
    assert isinstance(verifier, WaxVerifier)
    for line in Path(sys.argv[1]).read_bytes().splitlines():
        try:
            block = Block(line)
            if verifier.can_check(block):
                verifier.check(block)
                print("ok")
            else:
                print("cannot be checked")
        except BlockError as error:
            print(str(error).replace("\n", " "))


main()
