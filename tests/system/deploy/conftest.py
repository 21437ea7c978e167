"""A machine on which the script ran once, for tests that do not change it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.deploy.server import Done, Machine, machine


@pytest.fixture(scope="session")
def installed() -> Iterator[tuple[Machine, Done]]:
    """The machine after its first run, and the result of that run."""
    with machine() as found:
        done = found.install()
        assert done.code == 0, done.out + done.err
        yield found, done
