#!/bin/sh
# Shows gpm at work on a small web server: ./testprog/demo.sh PATH-TO-GPM
# Everything happens in a private home below a temporary directory.
set -eu
gpm=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
tmp=$(mktemp -d)
export GPM_HOME="$tmp/home"
trap '"$gpm" kill >/dev/null 2>&1 || true; rm -rf "$tmp"' EXIT

say() { printf '\n# %s\n' "$*"; }
run() { printf '$ gpm %s\n' "$*"; "$gpm" "$@"; }

# until_true TEST...: waits until the test is true, 10 s at most
until_true() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { echo "waited in vain for: $*" >&2; exit 1; }
        sleep 0.1
    done
}
restarted() { new=$("$gpm" pid web) && [ "$new" != "$old" ] && [ "$new" != 0 ]; }
daemon_pid() { "$gpm" daemon status --json | sed -n 's/.*"pid": *\([0-9][0-9]*\).*/\1/p' | head -n 1; }
answers() { "$gpm" ping >/dev/null 2>&1; }

say "building an example web server"
CGO_ENABLED=0 go build -buildvcs=false -o "$tmp/" ./testprog/prog

say "starting it"
PORT=0 run start "$tmp/prog" --name web -- http
run list

say "killing its process: gpm starts it again"
old=$("$gpm" pid web)
kill -9 "$old"
until_true restarted
echo "pid was $old, is $new"
run why web

say "killing gpm's own daemon: the app does not notice"
kill -9 "$(daemon_pid)"
until_true answers
run list
echo "pid is still $("$gpm" pid web)"

say "ending everything"
run kill
