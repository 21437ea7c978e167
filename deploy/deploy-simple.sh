#!/usr/bin/env bash
# Installs Peake DEX on one small server: SQLite, the indexer and the API as separate services, behind nginx.
#
#   sudo deploy/deploy-simple.sh --name dex.example.org --venue venue.toml
#
# See --help, and docs/operator.md for operation.

DATABASE=sqlite
DISK_FOLDER=/var/lib/peakedex
# shellcheck source=deploy/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

as_indexer() { as_user peakedex-indexer peakedex "$@"; }

# Creates an empty file with the mode that SQLite copies to the files beside it, so that both writers can use them.
# An existing one must be the indexer's.
prepare_database() {
    if [ "$DRY_RUN" = yes ]; then return; fi
    # shellcheck disable=SC2016
    as_indexer bash -c 'test -e "$1" || test -L "$1" || (umask 117 && : >"$1")
        test ! -L "$1" && test -f "$1" && test -O "$1" && chmod 0660 "$1"' - "$VAR/peakedex.db" ||
        die "$VAR/peakedex.db is not a regular file of the user peakedex-indexer: check what it is, and move it away"
}

grant() { :; } # the file's mode is enough

# Writes the whole database to standard output. SQLite's own copy includes blocks that are still in its write-ahead log.
read_database() {
    as_indexer "$PYTHON" -I -c '
import pathlib, shutil, sqlite3, sys, tempfile
path = pathlib.Path(sys.argv[1])
with tempfile.TemporaryDirectory(prefix="copy-", dir=path.parent) as folder:
    copy = pathlib.Path(folder, "copy.db")
    source, target = sqlite3.connect(path.as_uri() + "?mode=rw", uri=True), sqlite3.connect(copy)
    source.backup(target)
    target.close()
    with copy.open("rb") as opened:
        shutil.copyfileobj(opened, sys.stdout.buffer)
' "$VAR/peakedex.db"
}

# Replaces the database by standard input, once that is written completely. Its write-ahead log is merged before it is
# removed, so that a script that is killed leaves one whole database or the other.
replace_database() {
    # shellcheck disable=SC2016
    as_indexer bash -ec 'umask 117
        rm -f "$1.new"
        (set -o noclobber && cat >"$1.new")
        "$2" -I -c "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(\"PRAGMA wal_checkpoint(TRUNCATE)\")" "$1" ||
            true
        rm -f "$1-wal" "$1-shm" "$1-journal"
        mv -T "$1.new" "$1"' - "$VAR/peakedex.db" "$PYTHON"
}

# Prints the schema revision of a file.
REVISION='import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT version_num FROM alembic_version").fetchone())'

# The copy is in the version's folder, which only root can read.
kept() { say "$OPT/versions/$1/database"; } # VERSION

can_copy() { :; }

copy_database() { # OLD NEW
    local copy now
    copy=$(kept "$1")
    now=$(as_indexer "$PYTHON" -I -c "$REVISION" "$VAR/peakedex.db")
    if has_copy "$1" && [ "$now" != "$("$PYTHON" -I -c "$REVISION" "$copy")" ]; then
        say "continues an upgrade that was interrupted: the database was migrated, its copy is $copy"
        return
    fi
    say "copies the database of version $1 to $copy"
    rm -f "$copy"
    (umask 077 && read_database >"$copy.new") && mv "$copy.new" "$copy"
}

adopt_copy() { :; } # the database itself was migrated

return_database() { # OLD NEW
    if ! has_copy "$1"; then return; fi # nothing was migrated yet
    say "restores the database of version $1."
    services stop peakedex-api
    replace_database <"$(kept "$1")" && rm -f "$(kept "$1")"
}

has_copy() { [ -f "$(kept "$1")" ]; }

forget_copy() { :; } # it goes with the version's folder

main "$@"
