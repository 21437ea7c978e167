#!/bin/bash -p
# `peakedex` on the PATH of a server: becomes the user of the service to which a command belongs, with the settings in
# /etc/peakedex. The deploy scripts install it as /usr/local/bin/peakedex, and use its functions themselves.
#
# Root opens only files that root alone can write. What lies in a service's folder is opened by the program, as that
# service's user. The keys in payouts.env are given to `peakedex payouts` alone, the credentials in backup.env to the
# commands that read or write backups and published evidence, the secrets in notify.env to `peakedex notify`.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "${PROGRAM:-peakedex}" "$*" >&2
    exit 2
}

is_root() { [ "$(id -u)" = 0 ]; }

# Folders of an installation below a folder, which is empty on a server.
set_places() { # ROOT
    ROOT=$1
    OPT=$ROOT/opt/peakedex ETC=$ROOT/etc/peakedex VAR=$ROOT/var/lib/peakedex
}

# ID of a user or group, from the files under the installation's root.
number() { # passwd|group NAME
    awk -F: -v name="$2" '$1 == name { print $3 }' "$ROOT/etc/$1" 2>/dev/null
}

# Removes the environment of whoever runs the script, which may contain keys: other processes of the user that runs
# next can read it.
clean_environment() {
    local name
    for name in $(compgen -e); do
        case $name in
            PATH | LANG | TERM | TZ) ;;
            *) unset "$name" 2>/dev/null || true ;;
        esac
    done
}

trim() { # TEXT
    local text=$1
    text=${text#"${text%%[![:space:]]*}"}
    printf %s "${text%"${text##*[![:space:]]}"}"
}

# Removes the backslash before each of these characters, or before any.
unescape() { # CHARACTERS TEXT
    local text=$2 next out=''
    while [[ $text = *\\?* ]]; do
        out+=${text%%\\*} text=${text#*\\}
        next=${text:0:1} text=${text:1}
        if [[ -n $1 && $1 != *"$next"* ]]; then out+=\\; fi
        out+=$next
    done
    printf %s "$out$text"
}

# Exports the variables of a file, which is read as systemd reads an EnvironmentFile=: nothing in it is executed.
load_file() { # FILE
    local line more name value
    [ -r "$1" ] || die "$1 cannot be read by $(id -un): run the command as root (sudo)"
    while IFS= read -r line || [ -n "$line" ]; do
        while [[ $line = *\\ && $line != *\\\\ ]] && IFS= read -r more; do line=${line%\\}$more; done
        line=$(trim "$line")
        if [[ -z $line || $line = [\;#]* || $line != *=* ]]; then continue; fi
        name=$(trim "${line%%=*}") value=$(trim "${line#*=}")
        [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || continue
        case $value in
            \'*\') value=${value:1:${#value}-2} ;;
            \"*\") value=$(unescape '"\$`' "${value:1:${#value}-2}") ;;
            *) value=$(unescape '' "$value") ;;
        esac
        export "$name=$value"
    done <"$1"
}

# Adds the services' settings to the environment. An installation below a folder has its database there.
add_settings() {
    load_file "$ETC/peakedex.env"
    if [ -n "$ROOT" ]; then
        export PEAKEDEX_DB=${PEAKEDEX_DB/#sqlite:\/\/\/\/var/sqlite:///$ROOT/var} PEAKEDEX_VENUE=$ETC/venue.toml
    fi
    # Otherwise the program would read peakedex.toml in the working folder, which may be a service's.
    export PEAKEDEX_CONFIG=${PEAKEDEX_CONFIG:-/dev/null}
}

# Replaces this subshell by a command of another user, in a new session: with root's terminal it could insert input
# there. Without root, the user stays the same.
become() { # USER GROUP,... COMMAND...
    local user=$1 names=$2 group id gids=''
    shift 2
    if ! is_root; then exec "$@"; fi
    id=$(number passwd "$user")
    [ -n "$id" ] || die "the user $user does not exist: run the deploy script"
    for group in ${names//,/ }; do gids=$gids,$(number group "$group"); done
    gids=${gids#,}
    exec setsid --wait setpriv --reuid "$id" --regid "${gids%%,*}" --groups "$gids" --no-new-privs -- "$@"
}

# Runs a command as `become` does until it ends. Its terminal is not ours, so signals are passed on: SIGTERM, which all
# commands understand, also for Ctrl-C.
run_as() { # USER GROUP,... COMMAND...
    local child code again
    (become "$@") <&0 &
    child=$!
    trap 'kill -TERM "$child" 2>/dev/null' INT TERM HUP
    while true; do
        code=0 again=0
        wait "$child" || code=$?
        if kill -0 "$child" 2>/dev/null; then continue; fi # a signal interrupted the wait
        wait "$child" 2>/dev/null || again=$?
        if [ "$again" != 127 ]; then code=$again; fi
        return "$code"
    done
}

# Whether these arguments start the process that signs: its subcommands need no key.
signs() { # ARGUMENT...
    local word
    for word in "$@"; do
        case $word in
            approve | cosign | pause | reconcile | relay | resume | status | -h | --help) return 1 ;;
        esac
    done
}

command_of_server() { # ARGUMENT...
    local program own=''
    set_places "$(realpath -- "${BASH_SOURCE[0]}" | sed 's|/usr/local/bin/peakedex$||')"
    program=$OPT/current/bin/peakedex
    [ -x "$program" ] || die "no version is installed in $OPT: run the deploy script"
    case ${1-} in
        payouts | backup | restore | follow | run | replay | db | snapshot | doctor | serve) own=yes ;;
        export | journal | state | statement | prove | verify | publish | notify) own=yes ;;
    esac
    if [ -z "$own" ]; then # no service's: a trader's or an auditor's command, for whoever calls it
        if [ -r "$ETC/peakedex.env" ]; then add_settings; fi
        exec "$program" "$@"
    fi
    if is_root; then clean_environment; fi
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    add_settings
    umask 007
    case $1 in
        payouts)
            export STATE_DIRECTORY=$VAR-payouts # of the restore mark, as systemd sets it for the service
            if signs "${@:2}"; then load_file "$ETC/payouts.env"; fi
            run_as peakedex-payouts peakedex "$program" "$@"
            ;;
        backup | publish | restore)
            load_file "$ETC/backup.env"
            export TMPDIR=${TMPDIR:-/var/tmp} # /tmp may be in memory
            if [ "$1" != restore ]; then
                run_as peakedex-backup peakedex "$program" "$@"
            elif [[ "$PEAKEDEX_DB $*" = *postgres* ]]; then
                run_as peakedex-indexer peakedex "$program" "$@"
            else # root alone can read the credentials; on an SQLite file it acts as the folder's owner itself
                exec "$program" "$@"
            fi
            ;;
        doctor)
            if [[ " $*" = *" --backups"* ]]; then # it reads the storage of backups, too
                load_file "$ETC/backup.env"
                run_as peakedex-backup peakedex "$program" "$@"
            else
                run_as peakedex-indexer peakedex "$program" "$@"
            fi
            ;;
        follow | run | replay | db | snapshot) run_as peakedex-indexer peakedex "$program" "$@" ;;
        notify)
            if [ -e "$ETC/notify.env" ]; then load_file "$ETC/notify.env"; fi
            unset PEAKEDEX_DB # it may hold a password, and this process reads the API alone
            run_as peakedex-notify peakedex-notify "$program" "$@"
            ;;
        *) run_as peakedex-api peakedex-api,peakedex "$program" "$@" ;;
    esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    command_of_server "$@"
fi
