#!/usr/bin/env bash
# ./dev demo: the main job on this machine. A Modbus meter and MQTT sensors, the gateway with the shipped configuration,
# an upstream that goes away for a while and comes back, and a consumer that counts what arrived.
#   demo.sh [--real] [--stay]
# Exit status 0: nothing is missing and every ledger adds up; 1: something is; 2: it could not run.
set -uo pipefail
root=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
build=$root/build
programs=$build/demo
real=0
stay=0
for argument in "$@"; do
  case "$argument" in
    --real) real=1 ;;
    --stay) stay=1 ;;
    *) echo "demo: unknown option '$argument'" >&2; exit 2 ;;
  esac
done

work=$(mktemp -d)
children=()
# Everything that was started here is stopped by its own process id.
clean_up() {
  local pid
  for pid in "${children[@]}"; do kill "$pid" 2>/dev/null; done
  for pid in "${children[@]}"; do
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

die() { echo "demo: $*" >&2; exit 2; }

# await SECONDS COMMAND...: until the command succeeds
await() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.1
  done
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}
has_line() { grep -q "$1" "$2" 2>/dev/null; }
ready_of() { sed -n 's/^ready //p' "$1" | head -1; }

# number NAME FILE: the last value of "NAME":123 in a file of JSON lines
number() { grep -o "\"$1\":[0-9]*" "$2" 2>/dev/null | tail -1 | cut -d: -f2; }

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
