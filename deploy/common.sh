# What deploy.sh and deploy-simple.sh share. They set DATABASE to `postgresql` or `sqlite`, say how a database is
# prepared, and call `main "$@"`.
# shellcheck shell=bash

set -euo pipefail
umask 022

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE=$(dirname "$HERE")
PROGRAM=$(basename "$0")

COMMAND=install ROOT='' NAME='' VENUE='' CERT='' KEY='' ORIGINS='' DB_URL='' NETWORK=mainnet
DRY_RUN=no PACKAGES=yes SYSTEMD=auto PAYOUTS=no RESTORE_DATABASE=no
PYTHON=python3
HEALTH_URL=http://127.0.0.1:8080/api/health
HEALTH_SECONDS=60
KEEP_VERSIONS=5
CHANGED=''
OUR_DB=${OUR_DB:-sqlite:////var/lib/peakedex/peakedex.db}

usage() {
    cat <<TEXT
usage: $PROGRAM [install] --name HOST --venue FILE [OPTION...]
       $PROGRAM rollback [--restore-database] [OPTION...]
       $PROGRAM status [OPTION...]

Installs Peake DEX on Debian or Ubuntu, or brings it to this checkout's version. Run again, it changes only
what differs. Settings that stand in /etc/peakedex stay as they are.

  --name HOST            the host name of the site, as in dex.example.org
  --venue FILE           the venue file
  --cors-origin URL      another site that may read the API (several: separated by spaces)
  --network NAME         what /api/venue calls the network (mainnet)
  --db URL               a PostgreSQL elsewhere instead of one on this machine (deploy.sh)
  --cert FILE --key FILE the certificate; without it Let's Encrypt's, if it is there, else a self-signed one is
                         made, so that nginx can start
  --payouts              start the payouts service too: it needs the keys in /etc/peakedex/payouts.env
  --no-packages          do not call apt-get
  --systemd, --no-systemd
                         start the services, or put everything in place and start nothing; by itself: whether
                         systemd runs here
  --root DIR             put everything under DIR instead of / (for images, and to look at it)
  --dry-run              say what would be done, and do nothing
  --python PROGRAM       the Python to use (python3; 3.11 or newer)
  --health-url URL       where the API is asked how it is, after the switch ($HEALTH_URL)
  --health-seconds N     for how long it may be silent ($HEALTH_SECONDS)
TEXT
}

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "$PROGRAM" "$*" >&2
    exit 2
}

# Does something, or says what in a dry run.
run() {
    if [ "$DRY_RUN" = yes ]; then
        say "would run: $*"
    else
        "$@"
    fi
}

is_root() { [ "$(id -u)" = 0 ]; }

parse() {
    while [ $# -gt 0 ]; do
        case $1 in
            install | rollback | status) COMMAND=$1 ;;
            --payouts) PAYOUTS=yes ;;
            --no-packages) PACKAGES=no ;;
            --no-systemd) SYSTEMD=no ;;
            --systemd) SYSTEMD=yes ;;
            --dry-run) DRY_RUN=yes ;;
            --restore-database) RESTORE_DATABASE=yes ;;
            -h | --help) usage && exit 0 ;;
            --*)
                [ $# -gt 1 ] || die "$1 needs a value, or is no option: see --help"
                case $1 in
                    --name) NAME=$2 ;;
                    --venue) VENUE=$2 ;;
                    --cors-origin) ORIGINS=$2 ;;
                    --network) NETWORK=$2 ;;
                    --db) DB_URL=$2 ;;
                    --cert) CERT=$2 ;;
                    --key) KEY=$2 ;;
                    --root) ROOT=${2%/} ;;
                    --python) PYTHON=$2 ;;
                    --health-url) HEALTH_URL=$2 ;;
                    --health-seconds) HEALTH_SECONDS=$2 ;;
                    *) die "$1 is no option: see --help" ;;
                esac
                shift
                ;;
            *) die "$1 is no command: see --help" ;;
        esac
        shift
    done
    OPT=$ROOT/opt/peakedex ETC=$ROOT/etc/peakedex VAR=$ROOT/var/lib/peakedex LOG=$ROOT/var/log/peakedex
    if [ -n "$ROOT" ]; then PACKAGES=no; fi
    if [ "$SYSTEMD" = auto ]; then
        if [ -z "$ROOT" ] && [ -d /run/systemd/system ]; then SYSTEMD=yes; else SYSTEMD=no; fi
    fi
    [ "$DATABASE" != sqlite ] || [ -z "$DB_URL" ] ||
        die "--db is for deploy.sh: here the database is an SQLite file in /var/lib/peakedex"
    DB_URL=${DB_URL:-$OUR_DB}
}

check() {
    [[ -z $ROOT || $ROOT = /* ]] || die "--root: $ROOT is not absolute"
    [ -n "$ROOT" ] || [ "$DRY_RUN" = yes ] || is_root || die "run it as root, or with --root DIR, or with --dry-run"
    if [ "$COMMAND" != install ]; then return; fi
    [ -n "$NAME" ] || die "--name is missing: the host name of the site, as in --name dex.example.org"
    [[ $NAME =~ ^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$ ]] || die "--name: $NAME is not a host name"
    [[ -z $CERT$KEY || (-f $CERT && -f $KEY) ]] || die "--cert and --key: name both, as files that are there"
    [ -n "$VENUE" ] || [ -f "$ETC/venue.toml" ] || die "--venue is missing: the file that says what is traded"
    [ -z "$VENUE" ] || [ -f "$VENUE" ] || die "--venue: $VENUE is not there"
    if [ -n "$VENUE" ] && [ -f "$ETC/venue.toml" ] && ! cmp -s "$VENUE" "$ETC/venue.toml"; then
        die "--venue: $VENUE differs from $ETC/venue.toml, with which the database was made. Another venue is" \
            "another exchange: give it a machine of its own"
    fi
    [ -f "$SOURCE/requirements-server.lock" ] || die "$SOURCE is no checkout of Peake DEX"
    [ -f "$SOURCE/frontend/vendor/lightweight-charts.js" ] ||
        die "the site lacks its vendor folder: run \`make site\` in $SOURCE first (it needs Node.js), then again"
}

# ---------------------------------------------------------------- users and files

# The number of a user or group, by the files under --root where it is given.
number() { # passwd|group NAME
    awk -F: -v name="$2" '$1 == name { print $3 }' "$ROOT/etc/$1" 2>/dev/null
}

add_group() { # NAME
    if [ -n "$(number group "$1")" ]; then return; fi
    run groupadd ${ROOT:+--prefix "$ROOT"} --system "$1"
}

add_user() { # NAME GROUP
    if [ -n "$(number passwd "$1")" ]; then return; fi
    run useradd ${ROOT:+--prefix "$ROOT"} --system --gid "$2" --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin "$1"
}

make_users() {
    if [ -n "$ROOT" ] && ! is_root; then
        say "not root: no users are made, and all files are yours"
        return
    fi
    add_group peakedex
    add_group peakedex-api
    add_user peakedex-indexer peakedex
    add_user peakedex-api peakedex-api
    add_user peakedex-payouts peakedex
    add_user peakedex-backup peakedex
}

# Owner and mode of a path.
own() { # MODE OWNER GROUP PATH
    if [ "$DRY_RUN" = yes ]; then return; fi
    if is_root; then chown "$(number passwd "$2"):$(number group "$3")" "$4"; fi
    chmod "$1" "$4"
}

folder() { # MODE OWNER GROUP PATH
    [ -d "$4" ] || run mkdir -p "$4"
    own "$@"
}

# Standard input as a file, which appears whole or not at all. Remembers what has changed.
put() { # MODE OWNER GROUP PATH
    local new
    new=$(cat && printf .)
    if [ -f "$4" ] && [ "$(cat "$4" && printf .)" = "$new" ]; then
        own "$@"
        return
    fi
    say "writes $4"
    CHANGED="$CHANGED $4"
    if [ "$DRY_RUN" = yes ]; then return; fi
    mkdir -p "$(dirname "$4")"
    (umask 077 && printf %s "${new%.}" >"$4.new")
    own "$1" "$2" "$3" "$4.new"
    mv "$4.new" "$4"
}

put_once() { # as `put`, but what is there stays
    if [ -f "$4" ]; then own "$@"; else put "$@"; fi
}

make_folders() {
    folder 0755 root root "$OPT"
    folder 0755 root root "$OPT/versions"
    folder 0755 root root "$OPT/bin"
    folder 0755 root root "$ETC"
    # The group writes: the indexer the ledger, payouts its records. New files belong to the group.
    folder 2770 peakedex-indexer peakedex "$VAR"
    folder 0755 root root "$LOG"
    folder 0755 root root "$VAR-acme"
}

make_settings() {
    if [ -n "$VENUE" ]; then put 0644 root root "$ETC/venue.toml" <"$VENUE"; fi
    put_once 0640 root peakedex "$ETC/peakedex.env" <<TEXT
# The settings of all services: docs/operator.md has every one. No key stands here: keys are in payouts.env.
PEAKEDEX_DB="$DB_URL"
PEAKEDEX_VENUE=/etc/peakedex/venue.toml
PEAKEDEX_NODE="https://api.hive.blog https://api.deathwing.me https://api.openhive.network https://techcoderx.com"
PEAKEDEX_ENGINE_NODE="https://api.hive-engine.com/rpc"
PEAKEDEX_NETWORK=$NETWORK
PEAKEDEX_HOST=127.0.0.1
PEAKEDEX_PORT=8080
PEAKEDEX_TRUSTED_PROXY=127.0.0.1
PEAKEDEX_CORS_ORIGIN="$ORIGINS"
PEAKEDEX_LOG_FORMAT=text
TEXT
    put_once 0600 root root "$ETC/payouts.env" <<'TEXT'
# The active keys of the escrow accounts, under the names that the venue file gives them (key_env), a line each, as
# PEK_SWAP_HIVE_KEY=5... . systemd reads this file as root and gives it to the payouts service alone.
TEXT
    put_once 0600 root root "$ETC/backup.env" <<'TEXT'
# Where backups go, and what opens the door there: docs/operator.md, "Backups". Then:
# systemctl enable --now peakedex-backup.timer
# PEAKEDEX_BACKUP_TO=sftp://backups@example.org/peakedex
TEXT
    if [ "$DATABASE" = sqlite ]; then
        # SQLite gives the files beside it the same mode, so that both writers may use them.
        put_once 0660 peakedex-indexer peakedex "$VAR/peakedex.db" </dev/null
    fi
}

# ---------------------------------------------------------------- the program: a folder for each version

# The version's name: its number and a digest of its sources.
version_of_source() {
    local number digest
    number=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$SOURCE/pyproject.toml")
    digest=$(cd "$SOURCE" && find pyproject.toml requirements-server.lock settlement indexer api alembic frontend venues \
        -type f ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
    say "$number-${digest:0:12}"
}

install_version() { # VERSION
    local folder=$OPT/versions/$1
    if [ -f "$folder/complete" ]; then return; fi
    say "installs version $1"
    if [ "$DRY_RUN" = yes ]; then return; fi
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "--python: $PYTHON is older than 3.11"
    rm -rf "$folder"
    "$PYTHON" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        --requirement "$SOURCE/requirements-server.lock"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index \
        --no-build-isolation "$SOURCE"
    mkdir "$folder/site"
    cp -R "$SOURCE/frontend/." "$folder/site/"
    # The one file of the site that an operator edits is the operator's.
    if [ -f "$ETC/config.js" ]; then cp "$ETC/config.js" "$folder/site/config.js"; fi
    (cd "$SOURCE/alembic/versions" && sha256sum -- *.py) >"$folder/schema"
    chmod -R u+rwX,go+rX,go-w "$folder"
    touch "$folder/complete"
}

# The version that a link names, if there is one.
version_at() { # current|previous
    if [ -L "$OPT/$1" ]; then basename "$(readlink "$OPT/$1")"; fi
}

# A link is replaced in one step: there is no moment without it.
point() { # LINK TARGET
    ln -sfn "$2" "$OPT/$1.new"
    mv -T "$OPT/$1.new" "$OPT/$1"
}

# Goes on as another user, with the groups that its service has; under --root as who we are.
become() { # USER GROUP,... COMMAND...
    local user=$1 groups=$2
    shift 2
    if is_root && [ -z "$ROOT" ]; then
        exec setpriv --reuid "$user" --regid "${groups%%,*}" --groups "$groups" -- "$@"
    fi
    exec "$@"
}

# A program of a version with the services' settings, in place of this (sub)shell.
program() { # USER GROUP,... VERSION ARGUMENT...
    local user=$1 groups=$2 version=$3
    shift 3
    set -a
    # shellcheck disable=SC1091
    . "$ETC/peakedex.env"
    export PEAKEDEX_DB=${PEAKEDEX_DB/#sqlite:\/\/\/\/var/sqlite:///$ROOT/var} PEAKEDEX_VENUE=$ETC/venue.toml
    umask 007
    cd /
    become "$user" "$groups" "$OPT/versions/$version/bin/peakedex" "$@"
}

# ---------------------------------------------------------------- services

services() {
    if [ "$SYSTEMD" = no ]; then
        say "no systemd, so not done: systemctl $*"
    else
        run systemctl "$@"
    fi
}

# The service of payouts, if it is wanted here.
payouts_service() {
    if [ "$PAYOUTS" = yes ] || { [ "$SYSTEMD" = yes ] && systemctl -q is-enabled peakedex-payouts 2>/dev/null; }; then
        say peakedex-payouts
    fi
}

# Payouts come last, when all else works. Fails if it does not.
start_services() { # start|restart
    local payouts
    payouts=$(payouts_service)
    services enable peakedex-indexer peakedex-api || return 1
    services "$1" peakedex-indexer peakedex-api || return 1
    if [ "$SYSTEMD" = yes ] && [ "$DRY_RUN" = no ]; then
        healthy "$HEALTH_URL" || return 1
        systemctl is-active peakedex-indexer peakedex-api || return 1
    fi
    if [ -n "$payouts" ]; then
        services enable "$payouts" || return 1
        services "$1" "$payouts" || return 1
    fi
}

stop_writers() { services stop peakedex-payouts peakedex-indexer; }

install_units() {
    local unit
    for unit in "$HERE"/systemd/*; do
        put 0644 root root "$ROOT/etc/systemd/system/${unit##*/}" <"$unit"
    done
    put 0644 root root "$ROOT/etc/systemd/journald.conf.d/peakedex.conf" <"$HERE/journald/peakedex.conf"
    put 0644 root root "$ROOT/etc/logrotate.d/peakedex" <"$HERE/logrotate/peakedex"
    if changed /etc/systemd/system/; then services daemon-reload; fi
    if changed /journald.conf.d/; then services restart systemd-journald; fi
}

# Whether this run has written a file whose path holds this.
changed() { [[ $CHANGED == *"$1"* ]]; }

# Whether an API answers in time and can read its database.
healthy() { # URL
    "$PYTHON" - "$1" "$HEALTH_SECONDS" <<'TEXT'
import json, sys, time, urllib.request

url, seconds = sys.argv[1], float(sys.argv[2])
end, said = time.monotonic() + seconds, "nothing"
while time.monotonic() < end:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            health = json.load(answer)
        said = health["database"]
        if said == "ok" or "still empty" in said:  # before the first block there is nothing to read
            print(f"healthy: block {health['block'] or 'none yet'}")
            sys.exit(0)
    except (OSError, ValueError, KeyError) as error:
        said = error
    time.sleep(0.2)
sys.exit(f"not healthy within {seconds:g} s: {url}: {said}")
TEXT
}

# ---------------------------------------------------------------- from one version to the next

same_schema() { cmp -s "$OPT/versions/$1/schema" "$OPT/versions/$2/schema"; }

# A copy of the database beside the version that made it, before the next one changes its tables.
keep_database() { # VERSION
    local copy=$OPT/versions/$1/database
    say "keeps the database of version $1: $copy"
    (umask 077 && copy_database >"$copy.new")
    mv "$copy.new" "$copy"
}

put_database_back() { # VERSION
    local copy=$OPT/versions/$1/database
    [ -f "$copy" ] || die "there is no copy of version $1's database: $copy"
    say "puts back the database of version $1. Give no withdrawal back (payouts return) for an hour"
    services stop peakedex-api
    replace_database <"$copy"
}

# Puts the old version back, however far the new one came. No payment was made meanwhile.
go_back() { # OLD NEW
    say "version $2 does not work: back to ${1:-nothing}" >&2
    if [ -n "$1" ]; then
        stop_writers
        if ! same_schema "$1" "$2"; then put_database_back "$1"; fi
        point current "versions/$1"
        start_services restart
    fi
    exit 1
}

# Starts a version's API beside the one that runs, asks it how it is, and ends it.
trial() { # VERSION
    local port process code=0
    port=$("$PYTHON" -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
    (program peakedex-api peakedex-api,peakedex "$1" serve --host 127.0.0.1 --port "$port" --workers 1) &
    process=$!
    healthy "http://127.0.0.1:$port/api/health" || code=1
    kill "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
    return "$code"
}

# Migrate, try, switch, restart, ask; back by itself where one of these fails.
switch() { # VERSION
    local old
    old=$(version_at current)
    if [ "$old" = "$1" ]; then
        if changed /etc/systemd/system/; then start_services restart; else start_services start; fi
        return
    fi
    if [ "$DRY_RUN" = yes ]; then
        say "would switch from ${old:-nothing} to $1"
        return
    fi
    if [ -n "$old" ]; then
        stop_writers
        if ! same_schema "$old" "$1"; then keep_database "$old"; fi
    fi
    (program peakedex-indexer peakedex "$1" db upgrade) || go_back "$old" "$1"
    grant || go_back "$old" "$1"
    trial "$1" || go_back "$old" "$1"
    if [ -n "$old" ]; then point previous "versions/$old"; fi
    point current "versions/$1"
    point bin/peakedex ../current/bin/peakedex
    start_services restart || go_back "$old" "$1"
    say "version $1 is in place"
    forget_versions
}

# The newest few stay, and the one that runs, and the one before it.
forget_versions() {
    local version
    # shellcheck disable=SC2012  # the names are our own
    ls -t "$OPT/versions" | tail -n "+$((KEEP_VERSIONS + 1))" | while read -r version; do
        if [ "$version" != "$(version_at current)" ] && [ "$version" != "$(version_at previous)" ]; then
            say "removes version $version"
            rm -rf "${OPT:?}/versions/$version"
        fi
    done
}

roll_back() {
    local old new
    new=$(version_at current) old=$(version_at previous)
    [ -n "$old" ] || die "there is no version before ${new:-the first one}"
    if ! same_schema "$old" "$new" && [ "$RESTORE_DATABASE" = no ]; then
        die "version $new has other tables than $old: say --restore-database to put back the copy of then. Blocks" \
            "since are read again from the chain; the records of payments since are lost"
    fi
    say "back from version $new to $old"
    if [ "$DRY_RUN" = yes ]; then return; fi
    stop_writers
    if ! same_schema "$old" "$new"; then put_database_back "$old"; fi
    point current "versions/$old"
    point previous "versions/$new"
    start_services restart
}

status() {
    say "version $(version_at current)"
    say "before it $(version_at previous)"
    if [ "$SYSTEMD" = yes ]; then
        systemctl --no-pager --lines=0 status peakedex-indexer peakedex-api peakedex-payouts nginx || true
        healthy "$HEALTH_URL"
    fi
}

# ---------------------------------------------------------------- nginx

# Chooses the certificate; makes one where there is none.
certificate() {
    local theirs=/etc/letsencrypt/live/$NAME
    if [ -n "$CERT" ]; then return; fi
    if [ -f "$ROOT$theirs/fullchain.pem" ]; then
        CERT=$theirs/fullchain.pem KEY=$theirs/privkey.pem
        return
    fi
    CERT=/etc/peakedex/tls/self-signed.pem KEY=/etc/peakedex/tls/self-signed.key
    folder 0700 root root "$ETC/tls"
    if [ -f "$ROOT$CERT" ]; then return; fi
    say "makes a self-signed certificate. For a real one: certbot certonly --webroot -w /var/lib/peakedex-acme" \
        "-d $NAME, then this again"
    (umask 077 && run openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -subj "/CN=$NAME" -keyout "$ROOT$KEY" -out "$ROOT$CERT" 2>/dev/null)
}

install_nginx() {
    local etc=$ROOT/etc/nginx
    certificate
    put 0644 root root "$etc/snippets/peakedex-headers.conf" <"$HERE/nginx/peakedex-headers.conf"
    put 0644 root root "$etc/sites-available/peakedex.conf" < <(
        sed -e "s|@NAME@|$NAME|g" -e "s|@API@|127.0.0.1:8080|g" -e "s|@SITE@|/opt/peakedex/current/site|g" \
            -e "s|@CERT@|$CERT|g" -e "s|@KEY@|$KEY|g" -e "s|@LOG@|/var/log/peakedex|g" \
            -e "s|@ACME@|/var/lib/peakedex-acme|g" -e "s|@HEADERS@|snippets/peakedex-headers.conf|g" \
            "$HERE/nginx/peakedex.conf"
    )
    if [ ! -L "$etc/sites-enabled/peakedex.conf" ]; then
        run mkdir -p "$etc/sites-enabled"
        run ln -s ../sites-available/peakedex.conf "$etc/sites-enabled/peakedex.conf"
    fi
    if [ "$SYSTEMD" = yes ]; then
        run nginx -t -q
        run systemctl reload-or-restart nginx
    fi
}

# ---------------------------------------------------------------- the way

packages() { # NAME...
    local name missing=()
    if [ "$PACKAGES" = no ]; then return; fi
    for name in "$@"; do
        dpkg-query -W -f='${Status}\n' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    if [ ${#missing[@]} = 0 ]; then return; fi
    run apt-get update -q
    run env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

install() {
    local version
    packages python3 python3-venv nginx openssl ca-certificates
    make_users
    make_folders
    make_settings
    version=$(version_of_source)
    install_version "$version"
    prepare_database
    install_units
    switch "$version"
    install_nginx
    if [ "$DRY_RUN" = yes ]; then say "nothing was done"; else say "done: https://$NAME"; fi
}

main() {
    parse "$@"
    check
    case $COMMAND in
        install) install ;;
        rollback) roll_back ;;
        status) status ;;
    esac
}
