#!/usr/bin/env bash
# Installs Peake DEX with PostgreSQL, on this machine or, with --db, elsewhere. Each service has its own role.
#
#   sudo deploy/deploy.sh --name dex.example.org --venue venue.toml --payouts
#
# See --help, and docs/operator.md for operation.

DATABASE=postgresql
OUR_DB='postgresql:///peakedex?host=/var/run/postgresql'
# shellcheck source=deploy/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Whether this script manages the database: on this machine, and not in an image.
is_ours() { [ "$DB_URL" = "$OUR_DB" ] && [ -z "$ROOT" ]; }

as_postgres() { as_user postgres postgres "$@"; }

prepare_database() {
    if ! is_ours; then return; fi
    packages postgresql
    services start postgresql
    if ! as_postgres psql -XAtqc "SELECT 1 FROM pg_database WHERE datname = 'peakedex'" | grep -q 1; then
        run as_postgres createdb peakedex
    fi
    grant
}

# Also after each migration, for new payout tables.
grant() {
    if ! is_ours; then return; fi
    run as_postgres psql -Xq -v ON_ERROR_STOP=1 -d peakedex -f - <"$HERE/postgresql/roles.sql"
}

# Runs a PostgreSQL program as the database's owner, the indexer, with the database's URL as last argument.
as_owner() {
    (
        load_settings
        become peakedex-indexer peakedex "$@" "$PEAKEDEX_DB"
    )
}

copy_database() { as_owner pg_dump --format=custom --no-owner --dbname; }

replace_database() { as_owner pg_restore --clean --if-exists --no-owner --exit-on-error --single-transaction --dbname; }

main "$@"
