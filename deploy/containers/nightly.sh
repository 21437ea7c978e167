#!/bin/sh
# Entry point of the service `backup`: runs a command of the program each night at 03:10 UTC, until it is stopped. A run
# that fails says why in the log and in the status file, and the next one comes the night after.
set -u

at=11400 # seconds after midnight, UTC
day=86400
child=

stop() {
    [ -z "$child" ] || kill "$child" 2>/dev/null
    wait
    exit 0
}
trap stop TERM INT

# In the background, because a shell that waits hears signals, and one that runs a program does not.
run() {
    "$@" &
    child=$!
    wait "$child"
}

# Temporary files of a run that was killed.
if [ -n "${TMPDIR:-}" ]; then
    rm -rf "$TMPDIR"
    mkdir -p "$TMPDIR" || exit 1
fi

while :; do
    run sleep $((day - ($(date +%s) - at) % day))
    run peakedex-container "$@" || echo "peakedex $1: failed, next try tomorrow" >&2
done
