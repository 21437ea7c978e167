"""What payouts write down is tried on both kinds of database; all else on SQLite alone."""

from __future__ import annotations

import pytest

from tests.support.databases import on_both

ON_BOTH = (
    "test_a_decision_between_signing_and_recording_still_counts",
    "test_a_payout_above_a_limit_waits_for_an_approval",
    "test_one_payouts_process_a_database",
    "test_people_are_told_of_each_step",
    "test_what_is_signed_is_not_sent_while_paused",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.function.__name__ in ON_BOTH:
        on_both(metafunc, ("test_runner",))
