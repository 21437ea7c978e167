#!/bin/sh
# Entry point of the image: `peakedex` with what Compose mounts as secrets, in the environment of this process alone.
# `docker inspect` does not show it. A secret `database_password` is libpq's PGPASSWORD; a secret `keys` has one
# NAME=VALUE a line, of which nothing is executed.
set -eu

secrets=${SECRETS:-/run/secrets}

die() {
    echo "peakedex: $*" >&2
    exit 2
}

if [ -e "$secrets/database_password" ]; then
    PGPASSWORD=$(cat "$secrets/database_password") || die "cannot read the secret database_password"
    export PGPASSWORD
fi
if [ -e "$secrets/keys" ]; then
    number=0
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        case $line in
            '' | '#'*) continue ;;
            *=*) ;;
            *) die "the secret keys: line $number must be NAME=VALUE" ;;
        esac
        name=${line%%=*}
        case $name in
            '' | [0-9]* | *[!A-Z0-9_]*) die "the secret keys: line $number: the name must be of A-Z, 0-9 and _" ;;
        esac
        export "$name=${line#*=}"
    done <"$secrets/keys" || die "cannot read the secret keys"
    unset line name number secrets
fi
exec peakedex "$@"
