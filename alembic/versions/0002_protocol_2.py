"""The tables of protocol 2: those of the schema, as it stands.

No release has this revision yet, so that it may follow the schema. The second revision comes with a copy of
today's tables here as plain text, for a revision must not change any more once databases have it
(tests/system/store/test_migrations.py holds that).
"""

from alembic import op
from alembic.operations.ops import CreateTableOp

from settlement.store import payout_schema  # noqa: F401  its tables are of the same metadata
from settlement.store.schema import metadata

revision = "0002"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in metadata.sorted_tables:  # without indexes: they are made when catching up is done
        op.invoke(CreateTableOp.from_table(table))
