# Shared by deploy.sh and deploy-simple.sh, which set DATABASE to `postgresql` or `sqlite` and DISK_FOLDER, define these
# functions and call `main "$@"`. OLD and NEW are versions with different schemas.
#   prepare_database, grant             create the database; give the services' roles their rights
#   can_copy                            dies if `copy_database` would fail
#   copy_database OLD NEW               keeps what OLD needs, before NEW migrates the database, or the copy at NEXT_DB
#   adopt_copy OLD NEW                  puts the database that NEW has migrated in place
#   return_database OLD NEW             puts OLD's database in place again
#   has_copy OLD, forget_copy OLD       whether OLD's database is kept; deletes it
#
# Root writes only in folders that only root can write. Files in a service's folder (/var/lib/peakedex) are created,
# read and replaced as the service's user (`as_user`), because a compromised service may have placed links there.
# Python runs with -I, so that it imports no modules from the working folder.
# shellcheck shell=bash

set -euo pipefail
umask 022

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE=$(dirname "$HERE")
PROGRAM=$(basename "$0")
# shellcheck source=deploy/command.sh
. "$HERE/command.sh"

COMMAND=install ROOT='' NAME='' VENUE='' CERT='' KEY='' ORIGINS='' SITE_APIS='' DB_URL='' NETWORK=mainnet
DRY_RUN=no PACKAGES=yes SYSTEMD=auto PAYOUTS=no RESTORE_DATABASE=no
PYTHON=''
HEALTH_URL=http://127.0.0.1:8080/api/health
HEALTH_SECONDS=60
CHANGED=''
NEXT_DB='' # URL of the copy that a new version migrates and tries, if it is not the database itself
OUR_DB=${OUR_DB:-sqlite:////var/lib/peakedex/peakedex.db}

usage() {
    cat <<TEXT
usage: $PROGRAM [install] --name HOST --venue FILE [OPTION...]
       $PROGRAM rollback [--restore-database] [OPTION...]
       $PROGRAM status [OPTION...]

Installs Peake DEX on Debian or Ubuntu, or upgrades it to this checkout's version. A further run changes only what
differs, and keeps the settings in /etc/peakedex.

  --name HOST            host name of the site, such as dex.example.org
  --venue FILE           venue file
  --cors-origin URLS     other sites whose pages may read the API, separated by spaces
  --site-api URLS        APIs that the site reads and compares, separated by spaces (default: api/, its own)
  --network NAME         name of the network in /api/venue (default: mainnet)
  --db URL               existing PostgreSQL database, instead of one on this machine (deploy.sh only)
  --cert FILE --key FILE certificate; default: Let's Encrypt's if there is one, otherwise a new self-signed one
  --payouts              start the payouts service too; it needs the keys in /etc/peakedex/payouts.env
  --restore-database     rollback: restore the copy of the database made before the upgrade
  --no-packages          do not run apt-get
  --systemd, --no-systemd
                         start the services, or only install them; default: whether systemd runs here
  --root DIR             install under DIR instead of / (for images and for inspection)
  --dry-run              print the steps without doing them
  --python PROGRAM       Python 3.11 or newer (default: python3, or python3.11 and later ones if that is older)
  --health-url URL       health check of the API after an upgrade (default: $HEALTH_URL)
  --health-seconds N     timeout of the health check (default: $HEALTH_SECONDS)
TEXT
}

# Runs a command, or prints it in a dry run.
run() {
    if [ "$DRY_RUN" = yes ]; then
        say "would run: $*"
    else
        "$@"
    fi
}

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
                [ $# -gt 1 ] || die "$1 needs a value, or is an unknown option: see --help"
                case $1 in
                    --name) NAME=$2 ;;
                    --venue) VENUE=$2 ;;
                    --cors-origin) ORIGINS=$2 ;;
                    --site-api) SITE_APIS=$2 ;;
                    --network) NETWORK=$2 ;;
                    --db) DB_URL=$2 ;;
                    --cert) CERT=$2 ;;
                    --key) KEY=$2 ;;
                    --root) ROOT=${2%/} ;;
                    --python) PYTHON=$2 ;;
                    --health-url) HEALTH_URL=$2 ;;
                    --health-seconds) HEALTH_SECONDS=$2 ;;
                    *) die "unknown option $1: see --help" ;;
                esac
                shift
                ;;
            *) die "unknown command $1: see --help" ;;
        esac
        shift
    done
    set_places "$ROOT"
    LOG=$ROOT/var/log/peakedex
    if [ -n "$ROOT" ]; then PACKAGES=no; fi
    if [ "$SYSTEMD" = auto ]; then
        if [ -z "$ROOT" ] && [ -d /run/systemd/system ]; then SYSTEMD=yes; else SYSTEMD=no; fi
    fi
    [ "$DATABASE" != sqlite ] || [ -z "$DB_URL" ] ||
        die "--db belongs to deploy.sh: $PROGRAM uses an SQLite file in /var/lib/peakedex"
    use_configured_database
    if [[ $PYTHON = */* ]]; then PYTHON=$(realpath -s -- "$PYTHON"); fi
}

# The database in the settings, once there are any.
use_configured_database() {
    local found=''
    if [ -r "$ETC/peakedex.env" ]; then
        found=$(unset PEAKEDEX_DB && load_file "$ETC/peakedex.env" && say "${PEAKEDEX_DB-}")
    fi
    [ -z "$DB_URL" ] || [ -z "$found" ] || [ "$DB_URL" = "$found" ] ||
        die "--db: another database is set in $ETC/peakedex.env: change PEAKEDEX_DB there"
    DB_URL=${DB_URL:-${found:-$OUR_DB}}
    case $DATABASE:$DB_URL in
        sqlite:postgres*) die "PEAKEDEX_DB in $ETC/peakedex.env names a PostgreSQL database: use deploy.sh" ;;
        postgresql:sqlite*) die "PEAKEDEX_DB in $ETC/peakedex.env names an SQLite file: use deploy-simple.sh" ;;
    esac
}

check() {
    [[ -z $ROOT || $ROOT = /* ]] || die "--root: $ROOT is not an absolute path"
    [ -n "$ROOT" ] || [ "$DRY_RUN" = yes ] || is_root || die "must run as root, or with --root DIR or --dry-run"
    if [ "$COMMAND" != install ]; then
        PYTHON=${PYTHON:-python3}
        return
    fi
    [ -n "$NAME" ] || die "--name is missing: the host name of the site, such as --name dex.example.org"
    [[ $NAME =~ ^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$ ]] || die "--name: $NAME is not a host name"
    [[ -z $CERT$KEY || (-f $CERT && -f $KEY) ]] || die "--cert and --key: both must be existing files"
    [ -n "$VENUE" ] || [ -f "$ETC/venue.toml" ] || die "--venue is missing: the venue file"
    [ -z "$VENUE" ] || [ -f "$VENUE" ] || die "--venue: $VENUE does not exist"
    if [ -n "$VENUE" ] && [ -f "$ETC/venue.toml" ] && ! cmp -s "$VENUE" "$ETC/venue.toml"; then
        die "--venue: $VENUE differs from $ETC/venue.toml, for which the database was created. Install another" \
            "venue on another machine"
    fi
    [ -f "$SOURCE/requirements-server.lock" ] || die "$SOURCE is not a checkout of Peake DEX"
    [ -f "$SOURCE/frontend/vendor/lightweight-charts.js" ] ||
        die "the site's libraries are missing: run \`make site\` in $SOURCE first (it needs Node.js)"
    choose_python
}

is_usable() { "$1" -I -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; } # PYTHON

# Chooses a Python that is new enough, before anything is made. A machine without any gets Debian's.
choose_python() {
    local name version
    if [ -n "$PYTHON" ]; then
        is_usable "$PYTHON" || die "--python: $PYTHON is not a Python 3.11 or newer with its module venv"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if is_usable "$name"; then
            PYTHON=$name
            return
        fi
    done
    PYTHON=python3
    version=$("$PYTHON" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
    case $version in
        2.* | 3.? | 3.10)
            die "this machine's python3 is Python $version, and 3.11 is needed (Ubuntu 22.04 has 3.10): install a newer" \
                "one with its package venv beside it, then run this again. See \"Deployment\" in docs/operator.md"
            ;;
    esac
    [ "$PACKAGES" = yes ] || die "python3 with its module venv is missing: install the packages python3 and python3-venv"
}

# ---------------------------------------------------------------- users and files

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
        say "not root: no users are created, and all files belong to you"
        return
    fi
    add_group peakedex
    add_group peakedex-api
    add_group peakedex-notify
    add_user peakedex-indexer peakedex
    add_user peakedex-api peakedex-api
    add_user peakedex-payouts peakedex
    add_user peakedex-backup peakedex
    add_user peakedex-notify peakedex-notify
}

# Runs a command as another user, without root's environment, terminal and working folder.
as_user() { # USER GROUP,... COMMAND...
    (
        clean_environment
        cd /
        become "$@"
    )
}

# Sets the owner and mode of a path in a folder that only root can write.
own() { # MODE OWNER GROUP PATH
    if [ "$DRY_RUN" = yes ]; then return; fi
    if is_root; then chown -h "$(number passwd "$2"):$(number group "$3")" "$4"; fi
    chmod "$1" "$4"
}

# Creates a folder in one that only root can write. Refuses an existing one that is a link or belongs to another user.
folder() { # MODE OWNER GROUP PATH
    local owner
    if [ -L "$4" ]; then die "$4 is a symbolic link: replace it by a folder or a bind mount"; fi
    if [ -d "$4" ]; then
        owner=$(stat -c %u "$4")
        if is_root && [ "$owner" != 0 ] && [ "$owner" != "$(number passwd "$2")" ]; then
            die "$4 belongs to user $owner instead of $2: check what it contains, then change its owner"
        fi
    else
        run mkdir -p "$4"
    fi
    own "$@"
}

# Writes standard input to a file in a folder that only root can write, atomically and only if it differs. Lists
# changed files in CHANGED.
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

put_once() { # like `put`, but keeps the content of an existing file
    if [ -f "$4" ]; then own "$@"; else put "$@"; fi
}

make_folders() {
    folder 0755 root root "$OPT"
    folder 0755 root root "$OPT/versions"
    folder 0755 root root "$OPT/bin"
    folder 0755 root root "$ETC"
    # The indexer and payouts both write here, as members of the group to which new files belong.
    folder 2770 peakedex-indexer peakedex "$VAR"
    # As the units' StateDirectory: `peakedex payouts` and `peakedex backup` need them before the services first start.
    folder 0700 peakedex-payouts peakedex "$VAR-payouts"
    folder 0755 peakedex-backup peakedex "$VAR-public"
    folder 0755 root root "$LOG"
    folder 0755 root root "$VAR-acme"
}

make_settings() {
    if [ -n "$VENUE" ]; then put 0644 root root "$ETC/venue.toml" <"$VENUE"; fi
    put_once 0640 root peakedex "$ETC/peakedex.env" <<TEXT
# Settings of all services, see docs/operator.md. Keys belong in payouts.env, not here.
PEAKEDEX_DB="$DB_URL"
PEAKEDEX_VENUE=/etc/peakedex/venue.toml
PEAKEDEX_NODE="https://api.hive.blog https://api.deathwing.me https://api.openhive.network https://techcoderx.com"
PEAKEDEX_ENGINE_NODE="https://api.hive-engine.com/rpc https://engine.rishipanthee.com https://enginerpc.com"
PEAKEDEX_NETWORK=$NETWORK
PEAKEDEX_HOST=127.0.0.1
PEAKEDEX_PORT=8080
PEAKEDEX_TRUSTED_PROXY=127.0.0.1
PEAKEDEX_CORS_ORIGIN="$ORIGINS"
PEAKEDEX_SITE_API="${SITE_APIS:-api/}"
PEAKEDEX_LOG_FORMAT=text
# What /metrics tells of this machine: the newest backup, and the disk of the database.
PEAKEDEX_BACKUP_STATUS=/var/lib/peakedex-public/backup.json
PEAKEDEX_DISK_FOLDER=$DISK_FOLDER
# Where peakedex-publish.timer puts the evidence for auditors.
PEAKEDEX_PUBLISH_TO=/var/lib/peakedex-public/evidence
TEXT
    put_once 0600 root root "$ETC/payouts.env" <<'TEXT'
# Active keys of the escrow accounts, one a line, named by key_env in the venue file:
# PEK_SWAP_HIVE_KEY=5...
# Only root can read this file; systemd passes it to the payouts service.
TEXT
    put_once 0600 root root "$ETC/backup.env" <<'TEXT'
# Backup storage and its credentials, see "Backups" in docs/operator.md. Then run
# systemctl enable --now peakedex-backup.timer
# PEAKEDEX_BACKUP_TO=sftp://backups@example.org/peakedex
TEXT
    put_once 0600 root root "$ETC/notify.env" <<'TEXT'
# Secrets of the targets in notify.toml, see docs/notifications.md. Then run systemctl enable --now peakedex-notify
# NOTIFY_TELEGRAM_TOKEN=...
TEXT
}

# ---------------------------------------------------------------- versions

# Name of this version: its number and a digest of its sources.
version_of_source() {
    local number digest
    number=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$SOURCE/pyproject.toml")
    digest=$(cd "$SOURCE" && find pyproject.toml requirements-server.lock settlement indexer api alembic frontend venues \
        clients/python clients/ccxt -type f ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
    say "$number-${digest:0:12}"
}

install_version() { # VERSION
    local folder=$OPT/versions/$1
    if [ -f "$folder/complete" ]; then return; fi
    say "installs version $1"
    if [ "$DRY_RUN" = yes ]; then return; fi
    rm -rf "$folder"
    "$PYTHON" -I -m venv "$folder"
    "$folder/bin/python" -I -m pip install --quiet --disable-pip-version-check --require-hashes \
        --requirement "$SOURCE/requirements-server.lock" ||
        die "the packages of requirements-server.lock cannot be downloaded: a network is needed, or a mirror" \
            "(PIP_INDEX_URL). The version that runs, if any, is untouched"
    "$folder/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-deps --no-index \
        --no-build-isolation "$SOURCE"
    mkdir "$folder/site"
    cp -R "$SOURCE/frontend/." "$folder/site/"
    (cd "$SOURCE/alembic/versions" && sha256sum -- *.py) >"$folder/schema"
    chmod -R u+rwX,go+rX,go-w "$folder"
    touch "$folder/complete"
}

# Writes the config.js of a version's site: the operator's own one, or one with the venue pinned.
configure_site() { # VERSION
    local folder=$OPT/versions/$1 url text options=()
    if [ "$DRY_RUN" = yes ]; then return; fi
    if [ -f "$ETC/config.js" ]; then
        rm -f "$folder/site-options"
        put 0644 root root "$folder/site/config.js" <"$ETC/config.js"
        return
    fi
    for url in $(load_settings && say "${PEAKEDEX_SITE_API:-api/}"); do options+=(--api "$url"); done
    if [ "$(cat "$folder/site-options" 2>/dev/null)" = "${options[*]}" ]; then return; fi
    text=$(
        as_user peakedex-api peakedex-api "$folder/bin/peakedex" site config --venue "$ETC/venue.toml" "${options[@]}"
    ) || die "the site cannot be configured: see above"
    put 0644 root root "$folder/site/config.js" <<<"$text"
    say "${options[*]}" >"$folder/site-options"
}

# The version that a link points to, if any.
version_at() { # current|previous
    if [ -L "$OPT/$1" ]; then basename "$(readlink "$OPT/$1")"; fi
}

# Replaces a link atomically.
point() { # LINK TARGET
    ln -sfn "$2" "$OPT/$1.new"
    mv -T "$OPT/$1.new" "$OPT/$1"
}

# Replaces this subshell's environment by the services' settings.
load_settings() {
    clean_environment
    add_settings
    cd /
}

# Replaces this subshell by a version's program, with the services' settings.
program() { # USER GROUP,... VERSION ARGUMENT...
    local user=$1 groups=$2 version=$3
    shift 3
    load_settings
    if [ -n "$NEXT_DB" ]; then export PEAKEDEX_DB=$NEXT_DB; fi
    umask 007
    become "$user" "$groups" "$OPT/versions/$version/bin/peakedex" "$@"
}

# ---------------------------------------------------------------- services

# The command on the PATH, which becomes the right user.
install_command() { put 0755 root root "$ROOT/usr/local/bin/peakedex" <"$HERE/command.sh"; }

services() {
    if [ "$SYSTEMD" = no ]; then
        say "without systemd, skipped: systemctl $*"
    else
        run systemctl "$@"
    fi
}

# The payouts service, if it was requested now or enabled before.
payouts_service() {
    if [ "$PAYOUTS" = yes ] || { [ "$SYSTEMD" = yes ] && systemctl -q is-enabled peakedex-payouts 2>/dev/null; }; then
        say peakedex-payouts
    fi
}

# Starts payouts last, when everything else is healthy. Fails otherwise.
start_services() { # start|restart
    local payouts
    payouts=$(payouts_service)
    services enable peakedex-indexer peakedex-api || return 1
    services "$1" peakedex-indexer peakedex-api || return 1
    if [ "$SYSTEMD" = yes ] && [ "$DRY_RUN" = no ]; then
        healthy "$HEALTH_URL" api_has_ended || return 1
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

# Whether this run has changed a file whose path contains this text.
changed() { [[ $CHANGED == *"$1"* ]]; }

# Whether an API responds in time and can read its database. Replaces this subshell.
probe() { # URL
    exec "$PYTHON" -I - "$1" "$HEALTH_SECONDS" <<'TEXT'
import json, sys, time, urllib.request

url, seconds = sys.argv[1], float(sys.argv[2])
end, state = time.monotonic() + seconds, "no response"
while time.monotonic() < end:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            health = json.load(answer)
        state = health["database"]
        if state == "ok" or "still empty" in state:  # a new installation has no blocks yet
            print(f"healthy: block {health['block'] or 'none yet'}")
            sys.exit(0)
    except (OSError, ValueError, KeyError) as error:
        state = error
    time.sleep(0.2)
sys.exit(f"not healthy within {seconds:g} s: {url}: {state}")
TEXT
}

# The same, but fails as soon as a command says that the API has ended.
healthy() { # URL [COMMAND...]
    local process
    (probe "$1") &
    process=$!
    shift
    while kill -0 "$process" 2>/dev/null; do
        if [ $# != 0 ] && "$@"; then
            kill "$process" 2>/dev/null || true
            wait "$process" 2>/dev/null || true
            say "the API has ended: see its messages above, or \`journalctl -u peakedex-api\`" >&2
            return 1
        fi
        sleep 0.2
    done
    wait "$process"
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }

api_has_ended() {
    case $(systemctl show --value --property SubState peakedex-api) in
        failed | dead | auto-restart*) return 0 ;;
        *) return 1 ;;
    esac
}

# ---------------------------------------------------------------- upgrade and rollback

same_schema() { cmp -s "$OPT/versions/$1/schema" "$OPT/versions/$2/schema"; }

# Returns to the old version after any failed step of the upgrade. No payment was made meanwhile.
go_back() { # OLD NEW
    trap '' INT TERM HUP
    say "version $2 failed: returning to ${1:-no version}" >&2
    if [ -n "$1" ]; then
        stop_writers
        if ! same_schema "$1" "$2" && ! return_database "$1" "$2"; then
            die "the database of version $1 could not be put in place: correct what is said above, then run" \
                "this script again"
        fi
        point current "versions/$1"
        start_services restart
    fi
    exit 1
}

# Starts a version's API on a free port, checks its health, and stops it.
trial() { # VERSION
    local port process code=0
    port=$("$PYTHON" -I -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
    (program peakedex-api peakedex-api,peakedex "$1" serve --host 127.0.0.1 --port "$port" --workers 1) &
    process=$!
    healthy "http://127.0.0.1:$port/api/health" has_ended "$process" || code=1
    kill "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
    return "$code"
}

# Migrates the database, tries the new version, switches to it and restarts; returns to the old one on any failure.
switch() { # VERSION
    local old
    old=$(version_at current)
    if [ "$old" = "$1" ]; then
        # If the database is a new one: its tables, and the rights in them.
        if [ "$DATABASE:$DRY_RUN" = postgresql:no ]; then (program peakedex-indexer peakedex "$1" db upgrade) && grant; fi
        if changed /etc/systemd/system/; then start_services restart; else start_services start; fi
        return
    fi
    if [ "$DRY_RUN" = yes ]; then
        say "would switch from ${old:-no version} to $1"
        return
    fi
    if [ -n "$old" ]; then
        if ! same_schema "$old" "$1"; then can_copy; fi
        # shellcheck disable=SC2064  # the versions as they are now
        trap "go_back '$old' '$1'" INT TERM HUP
        stop_writers
        if ! same_schema "$old" "$1" && ! copy_database "$old" "$1"; then
            NEXT_DB=''
            trap - INT TERM HUP
            start_services restart
            die "the database cannot be copied: version $old continues"
        fi
    fi
    (program peakedex-indexer peakedex "$1" db upgrade) || go_back "$old" "$1"
    grant || go_back "$old" "$1"
    trial "$1" || go_back "$old" "$1"
    if [ -n "$NEXT_DB" ]; then adopt_copy "$old" "$1" || go_back "$old" "$1"; fi
    if [ -n "$old" ]; then point previous "versions/$old"; fi
    point current "versions/$1"
    point bin/peakedex ../current/bin/peakedex
    start_services restart || go_back "$old" "$1"
    trap - INT TERM HUP
    say "version $1 is installed"
    forget_versions
}

# Keeps the current version and the previous one: each has some 400 MB.
forget_versions() {
    local folder version
    for folder in "$OPT"/versions/*/; do
        version=$(basename "$folder")
        if [ "$version" != "$(version_at current)" ] && [ "$version" != "$(version_at previous)" ]; then
            say "removes version $version"
            forget_copy "$version"
            rm -rf "${OPT:?}/versions/$version"
        fi
    done
}

roll_back() {
    local old new
    new=$(version_at current) old=$(version_at previous)
    [ -n "$old" ] || die "there is no previous version to return to"
    if ! same_schema "$old" "$new" && [ "$RESTORE_DATABASE" = no ]; then
        die "version $new has another schema than $old: use --restore-database to restore the copy made before" \
            "the upgrade. Later blocks are read again from the chain; later payout records are lost"
    fi
    if ! same_schema "$old" "$new" && ! has_copy "$old"; then
        die "the copy of version $old's database is missing: it goes with the version that replaced it"
    fi
    say "returns from version $new to $old"
    if [ "$DRY_RUN" = yes ]; then return; fi
    stop_writers
    if ! same_schema "$old" "$new" && ! return_database "$old" "$new"; then
        start_services restart
        die "the database of version $old cannot be put in place: version $new continues"
    fi
    point current "versions/$old"
    point previous "versions/$new"
    start_services restart
}

status() {
    say "version $(version_at current)"
    say "previous version $(version_at previous)"
    if [ "$SYSTEMD" = yes ]; then
        systemctl --no-pager --lines=0 status peakedex-indexer peakedex-api peakedex-payouts nginx || true
        healthy "$HEALTH_URL"
    fi
}

# ---------------------------------------------------------------- nginx

# Chooses the certificate, and creates a self-signed one if there is none.
certificate() {
    local theirs=/etc/letsencrypt/live/$NAME kind=DNS
    if [ -n "$CERT" ]; then return; fi
    if [ -f "$ROOT$theirs/fullchain.pem" ]; then
        CERT=$theirs/fullchain.pem KEY=$theirs/privkey.pem
        return
    fi
    CERT=/etc/peakedex/tls/self-signed.pem KEY=/etc/peakedex/tls/self-signed.key
    folder 0700 root root "$ETC/tls"
    if [[ $NAME =~ ^[0-9.]+$ ]]; then kind=IP; fi
    if [ -f "$ROOT$CERT" ] && openssl x509 -noout -in "$ROOT$CERT" -ext subjectAltName | grep -q ":$NAME\$"; then return; fi
    say "creates a self-signed certificate. For a trusted one run certbot certonly --webroot" \
        "-w /var/lib/peakedex-acme -d $NAME, then this script again"
    (umask 077 && run openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -subj "/CN=$NAME" -addext "subjectAltName=$kind:$NAME" -keyout "$ROOT$KEY" -out "$ROOT$CERT" 2>/dev/null)
}

# Disables the page "Welcome to nginx" of the package, unless somebody has made a site of it.
remove_welcome_site() {
    local link=$ROOT/etc/nginx/sites-enabled/default file=/etc/nginx/sites-available/default shipped
    if [ ! -L "$link" ] || [ ! -f "$ROOT$file" ]; then return; fi
    shipped=$(dpkg-query ${ROOT:+--admindir "$ROOT/var/lib/dpkg"} -W -f='${Conffiles}\n' 'nginx*' 2>/dev/null |
        awk -v file="$file" '$1 == file { print $2; exit }')
    if [ "$(md5sum <"$ROOT$file" | cut -d' ' -f1)" = "$shipped" ]; then
        say "disables nginx's own page: $link"
        run rm "$link"
    fi
}

install_nginx() {
    local etc=$ROOT/etc/nginx
    certificate
    put 0644 root root "$etc/snippets/peakedex-headers.conf" <"$HERE/nginx/peakedex-headers.conf"
    put_once 0644 root root "$etc/snippets/peakedex-local.conf" <<'TEXT'
# Your own directives for the exchange's site, included in its server block (https). The deploy scripts never change
# this file. For example, the tables as CSV (see "Every night" in docs/operator.md):
# location /csv/ {
#     alias /var/lib/peakedex-public/csv/;
#     autoindex on;
#     disable_symlinks on;
# }
TEXT
    remove_welcome_site
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

# ---------------------------------------------------------------- commands

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
    if [ "$DRY_RUN" = no ]; then
        is_usable "$PYTHON" || die "$PYTHON is not a Python 3.11 or newer with its module venv: see --python"
    fi
    make_users
    make_folders
    make_settings
    version=$(version_of_source)
    install_version "$version"
    configure_site "$version"
    prepare_database
    install_command
    install_units
    switch "$version"
    install_nginx
    if [ "$DRY_RUN" = yes ]; then say "dry run: nothing was changed"; else say "done: https://$NAME"; fi
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
