"""Fixtures for all tests, and the profiles of hypothesis."""

from tests.support.databases import _drop_what_a_test_made, database_kind
from tests.support.examples import register_profiles
from tests.support.postgres import database_url, postgresql

__all__ = ["_drop_what_a_test_made", "database_kind", "database_url", "postgresql"]

register_profiles()
