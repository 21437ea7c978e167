"""Runs the migrations on the connection that settlement.store.database hands over."""

from alembic import context

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run migrations with `peakedex db upgrade`, which knows the database")
context.configure(connection=connection, transactional_ddl=True, render_as_batch=True)
context.run_migrations()
