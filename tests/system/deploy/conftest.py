"""A machine on which the script ran once, for the tests that only look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.deploy.server import Done, Machine, machine


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Done]]:
    """The machine after its first run, and what that came to."""
    with machine(tmp_path_factory.mktemp("deploy")) as found:
        done = found.install()
        assert done.code == 0, done.out + done.err
        yield found, done
