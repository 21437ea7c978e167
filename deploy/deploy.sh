#!/usr/bin/env bash
# Installs Peake DEX with PostgreSQL, on this machine or, with --db, elsewhere. Each service has its own role.
#
#   sudo deploy/deploy.sh --name dex.example.org --venue venue.toml --payouts
#
# See --help, and docs/operator.md for operation.

DATABASE=postgresql
DISK_FOLDER=/var/lib/postgresql
OUR_DB='postgresql:///peakedex?host=/var/run/postgresql'
# shellcheck source=deploy/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Whether this script manages the server: on this machine, and not in an image.
is_ours() { [ "$DB_URL" = "$OUR_DB" ] && [ -z "$ROOT" ]; }

as_postgres() { as_user postgres postgres "$@"; }

# Runs a PostgreSQL program as the database's owner, the indexer, with the URL of a database as last argument.
as_owner() { # DATABASE COMMAND...
    (
        url=$(url_of "$1")
        shift
        load_settings
        become peakedex-indexer peakedex "$@" "$url"
    )
}

# Runs SQL commands from standard input as a role that may create databases.
administer() {
    local commands
    commands="SET client_min_messages = warning; $(cat)"
    if is_ours; then
        as_postgres psql -XAtq -v ON_ERROR_STOP=1 -d postgres -f - <<<"$commands"
    else
        as_owner postgres psql -XAtq -v ON_ERROR_STOP=1 -f - -d <<<"$commands"
    fi
}

# Name of the database, and the URL of another one on its server.
name() { url_parts && say "${BASH_REMATCH[2]}"; }
url_of() { url_parts && say "${BASH_REMATCH[1]}$1${BASH_REMATCH[3]}"; } # DATABASE
url_parts() {
    [[ $DB_URL =~ ^(postgres[a-z]*://[^/?]*/)([A-Za-z0-9_.-]+)(\?.*)?$ ]] ||
        die "PEAKEDEX_DB: the scripts need the form postgresql://HOST/NAME"
}

exists() { # DATABASE
    [ "$(administer <<<"SELECT 1 FROM pg_database WHERE datname = '$1'")" = 1 ]
}

prepare_database() {
    if ! is_ours; then
        packages postgresql-client # for the copy before a later upgrade; its version must not be older than the server's
        return
    fi
    packages postgresql
    services start postgresql
    if [ "$DRY_RUN" = yes ]; then
        say "would create the database and its roles"
        return
    fi
    if ! exists "$(name)"; then administer <<<"CREATE DATABASE \"$(name)\""; fi
    grant
}

# Also after each migration, for new payout tables.
grant() {
    local database
    if ! is_ours; then return; fi
    if [ -n "$NEXT_DB" ]; then database=$(fresh); else database=$(name); fi
    as_postgres psql -Xq -v ON_ERROR_STOP=1 -d "$database" -f - <"$HERE/postgresql/roles.sql"
}

# Databases besides the one in use: the copy that a new version migrates, and that of a version before or after.
fresh() { say "$(name)_new"; }
kept() { say "$(name)_$1"; } # VERSION

can_copy() {
    [ "$(administer <<<'SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user')" = t ] ||
        die "another schema needs a copy of the database: the role in PEAKEDEX_DB must have CREATEDB"
}

# The database itself is never migrated to another schema: if anything fails, it is still in place.
copy_database() { # OLD NEW
    if exists "$(kept "$1")"; then
        say "continues an upgrade that was interrupted"
        return
    fi
    say "copies the database to $(fresh), for version $2"
    administer <<SQL || return 1
DROP DATABASE IF EXISTS "$(fresh)";
CREATE DATABASE "$(fresh)" TEMPLATE template0 ENCODING 'UTF8';
SQL
    NEXT_DB=$(url_of "$(fresh)")
    if grant &&
        as_owner "$(name)" pg_dump --format=custom --compress=0 --no-owner --dbname |
        as_owner "$(fresh)" pg_restore --no-owner --exit-on-error --dbname &&
        as_owner "$(fresh)" psql -Xqc 'SET client_min_messages = error; ANALYZE' -d; then
        return
    fi
    drop "$(fresh)"
    return 1
}

drop() { administer <<<"DROP DATABASE IF EXISTS \"$1\""; } # DATABASE

# Gives the database another name, and its name to another one, in one transaction. The connections to both end.
exchange() { # NEW-NAME OTHER
    services stop peakedex-api
    administer >/dev/null <<SQL
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('$(name)', '$2') AND pid <> pg_backend_pid();
BEGIN;
ALTER DATABASE "$(name)" RENAME TO "$1";
ALTER DATABASE "$2" RENAME TO "$(name)";
COMMIT;
SQL
}

adopt_copy() { # OLD NEW
    drop "$(kept "$2")" && exchange "$(kept "$1")" "$(fresh)" && NEXT_DB=''
}

return_database() { # OLD NEW
    if [ -n "$NEXT_DB" ]; then # the database was not replaced yet
        NEXT_DB=''
        drop "$(fresh)"
    else
        say "returns to the database of version $1; that of version $2 is kept as $(kept "$2")"
        exchange "$(kept "$2")" "$(kept "$1")"
    fi
}

has_copy() { exists "$(kept "$1")"; }

forget_copy() { drop "$(kept "$1")" || true; }

main "$@"
