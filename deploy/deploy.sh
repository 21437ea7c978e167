#!/usr/bin/env bash
# PostgreSQL, on this machine (made if it is not there) or elsewhere with --db. Each service has a role of its own.
#
#   sudo deploy/deploy.sh --name dex.example.org --venue venue.toml --payouts
#
# `--help` tells the rest, and docs/operator.md what to look after.

DATABASE=postgresql
OUR_DB='postgresql:///peakedex?host=/var/run/postgresql'
# shellcheck source=deploy/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Whether the database is this script's to make: on this machine, and not an image's.
is_ours() { [ "$DB_URL" = "$OUR_DB" ] && [ -z "$ROOT" ]; }

as_postgres() { run runuser -u postgres -- "$@"; }

prepare_database() {
    if ! is_ours; then return; fi
    packages postgresql
    services start postgresql
    if ! runuser -u postgres -- psql -XAtqc "SELECT 1 FROM pg_database WHERE datname = 'peakedex'" | grep -q 1; then
        as_postgres createdb peakedex
    fi
    grant
}

# Again after each migration: a new table of payments is new to the role that writes it.
grant() {
    if ! is_ours; then return; fi
    as_postgres psql -Xq -v ON_ERROR_STOP=1 -d peakedex -f - <"$HERE/postgresql/roles.sql"
}

# libpq knows the URL; the database's owner is the indexer.
as_owner() {
    # shellcheck disable=SC1091
    . "$ETC/peakedex.env"
    become peakedex-indexer peakedex "$@" "$PEAKEDEX_DB"
}

copy_database() { (as_owner pg_dump --format=custom --no-owner --dbname); }

replace_database() { (as_owner pg_restore --clean --if-exists --no-owner --exit-on-error --single-transaction --dbname); }

main "$@"
