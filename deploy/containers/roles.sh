#!/bin/sh
# Creates the services' roles in the container `database`, and sets their passwords from the secrets; may run as often
# as needed. PGHOST, PGUSER and PGDATABASE name the server, its superuser and the exchange's database.
set -eu
secret() { cat "${SECRETS:-/run/secrets}/database_$1"; }
run() { psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 "$@"; }

PGPASSWORD=$(secret superuser)
export PGPASSWORD
run --file "${ROLES:-/roles.sql}"
for name in indexer api payouts backup; do
    # The password goes through standard input, not through the list of processes.
    printf "SET password_encryption = 'scram-sha-256';\nALTER ROLE \"peakedex-%s\" PASSWORD '%s';\n" "$name" \
        "$(secret "$name" | sed "s/'/''/g")" | run
done
