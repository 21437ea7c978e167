#!/usr/bin/env bash
# Installs Peake DEX on one small server: SQLite, the indexer and the API as separate services, behind nginx.
#
#   sudo deploy/deploy-simple.sh --name dex.example.org --venue venue.toml
#
# See --help, and docs/operator.md for operation.

DATABASE=sqlite
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

# The whole database on standard output. SQLite's own copy includes blocks that are still in its write-ahead log.
copy_database() {
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

# Replaces the database by standard input.
replace_database() {
    # shellcheck disable=SC2016
    as_indexer bash -ec 'umask 117
        rm -f "$1.new" "$1-wal" "$1-shm" "$1-journal"
        set -o noclobber
        cat >"$1.new"
        mv -T "$1.new" "$1"' - "$VAR/peakedex.db"
}

main "$@"
