#!/usr/bin/env bash
# One small server: SQLite, the indexer and the API as services of their own, nginx before them.
#
#   sudo deploy/deploy-simple.sh --name dex.example.org --venue venue.toml
#
# `--help` tells the rest, and docs/operator.md what to look after.

DATABASE=sqlite
# shellcheck source=deploy/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

prepare_database() { :; } # a file, made with the settings

grant() { :; } # rights are those of the file

# SQLite's own copy, because a reader may still hold the last blocks outside the one file.
copy_database() {
    "$PYTHON" - "$VAR/peakedex.db" "$VAR/copy.db" <<'TEXT'
import sqlite3, sys
source, copy = map(sqlite3.connect, sys.argv[1:])
source.backup(copy)
copy.close()
TEXT
    cat "$VAR/copy.db"
    rm "$VAR/copy.db"
}

replace_database() {
    cat >"$VAR/copy.db"
    own 0660 peakedex-indexer peakedex "$VAR/copy.db"
    rm -f "$VAR/peakedex.db-wal" "$VAR/peakedex.db-shm"
    mv "$VAR/copy.db" "$VAR/peakedex.db"
}

main "$@"
