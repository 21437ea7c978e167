"""Tests of the store run on SQLite and PostgreSQL; slow ones run on PostgreSQL with fewer chains."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import pytest

from tests.support.databases import on_both, thin_out

ON_BOTH = (
    *(
        "test_change_set",
        "test_escrow",
        "test_extremes",
        "test_from_state",
        "test_lease",
        "test_loader",
        "test_past",
        "test_projector",
        "test_rebuild",
    ),
    *("test_queries_candles", "test_queries_market", "test_queries_money", "test_queries_orders"),
    *("test_statements", "test_transaction_keys"),
)
OF_RULES = (  # rather than of tables
    "test_random_chains_write_every_projected_table",
    "test_the_same_with_blocks_from_an_archive",
    "test_a_loaded_state_machine_continues_like_the_original",  # see tests/system/differential/test_same_database.py
    "test_books_of_past_blocks",  # so have the next two, by the answers of the API
    "test_lists_of_orders_of_past_blocks",
    "test_orders_of_past_blocks",
)
KEPT: Final[dict[str, dict[str, Collection[object]]]] = {
    "test_state_of_every_active_block": {"recorded": ((1, 120, 20),)},
    "test_state_text_of_every_active_block_of_a_random_chain": {"seed": (0,)},
    "test_after_each_batch_the_rows_hold_the_state": {"size": (7,), "seed": (0,)},
    "test_a_replica_continues_like_the_original": {"seed": (0,), "count": (20,)},
    "test_rebuilt_rows_equal_the_projected_ones": {"seed": (0,)},
    "test_a_loaded_state_machine_equals_the_original": {"seed": (1,)},
    "test_a_restart_after_every_block_changes_nothing": {"seed": (3,)},
    "test_the_pages_together_are_the_filtered_list": {"scan_limit": (20,)},
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    on_both(metafunc, ON_BOTH, OF_RULES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    thin_out(items, KEPT)
