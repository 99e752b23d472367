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
upstream=
clean_up() {
  local pid
  trap '' PIPE
  # The real brokers are stopped by the program that started them: it must not be killed before.
  if [ -n "$upstream" ] && { echo quit >&7; } 2>/dev/null; then
    for _ in $(seq 200); do kill -0 "$upstream" 2>/dev/null || break; sleep 0.1; done
  fi
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

# ---- the field
mqtt_port=$(free_port)
mkdir "$work/mosquitto"
cat > "$work/mosquitto.conf" <<CONF
listener $mqtt_port 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages 1000
persistence false
CONF
mosquitto=$(command -v mosquitto || echo /usr/sbin/mosquitto)
"$mosquitto" -c "$work/mosquitto.conf" > "$work/mosquitto.log" 2>&1 &
children+=($!)
"$programs/meter" 0 > "$work/meter.log" 2>&1 &
children+=($!)
await 10 has_line '^ready ' "$work/meter.log" || die "the meter did not start: $(cat "$work/meter.log")"
meter_port=$(ready_of "$work/meter.log")

# ---- the upstream
mkfifo "$work/upstream.in"
if [ "$real" = 1 ]; then
  say "starting a real Apache Kafka and a real RabbitMQ (the first time their parts are fetched)"
  "$programs/real_upstream" telemetry alarms < "$work/upstream.in" > "$work/upstream.log" 2>&1 &
else
  "$programs/upstream" < "$work/upstream.in" > "$work/upstream.log" 2>&1 &
fi
upstream=$!
children+=($upstream)
exec 7> "$work/upstream.in"
await $((real ? 300 : 10)) has_line '^ready ' "$work/upstream.log" || die "the upstream did not start: $(cat "$work/upstream.log")"
read -r kafka amqp _ <<< "$(ready_of "$work/upstream.log")"

# ---- the gateway, with the shipped configuration; only addresses and paths are this machine's
cp -rL "$root/firmware-config/etc/railhead" "$work/railhead"
sed -i -e "s#tcp://localhost:502 #tcp://127.0.0.1:$meter_port #" -e "s#mqtt://localhost:1883 #mqtt://127.0.0.1:$mqtt_port #" \
  -e "s#localhost:9092#$kafka#" -e "s#path: /var/lib/railhead/spool#path: $work/spool#" "$work/railhead/railhead.yaml"
if [ "$real" = 1 ]; then
  # The same records to RabbitMQ too.
  sed -i -e 's#^include: \[#include: [ "rules.d/*.yaml",#' -e "s#^sinks:#sinks:\n  demo-rabbit: { amqp: { url: \"$amqp\", exchange: demo } }#" "$work/railhead/railhead.yaml"
  mkdir -p "$work/railhead/rules.d"
  cat > "$work/railhead/rules.d/rabbit.yaml" <<RULES
rules:
  - name: everything numbered to RabbitMQ too
    from: { source: sensors }
    when: has(value.n)
    send: { to: demo-rabbit, routing_key: "telemetry.\${device}", key: "\${device}", body: { device: device, n: value.n } }
RULES
fi
config=$work/railhead/railhead.yaml
export RAILHEAD_SOCKET=$work/control.sock
"$build/railhead" check -c "$config" || die "the sample configuration does not check"
"$build/railhead" run -c "$config" --socket "$RAILHEAD_SOCKET" > "$work/gateway.log" 2>&1 &
gateway=$!
children+=($gateway)
await 20 "$build/railhead" status > "$work/status.txt" 2>/dev/null || die "the gateway did not start: $(cat "$work/gateway.log")"

mkfifo "$work/consumer.in"
"$programs/consumer" "$kafka" telemetry < "$work/consumer.in" > "$work/consumer.log" 2>&1 &
consumer=$!
children+=($consumer)
exec 8> "$work/consumer.in"
"$programs/sensors" --url "mqtt://127.0.0.1:$mqtt_port" --devices 9 --rate 60 --count 1500 > "$work/sensors.log" 2>&1 &
sensors=$!
children+=($sensors)

# ---- what is seen, once a second
show() {
  "$build/railhead" status --json > "$work/status.json" 2>/dev/null || true
  local published in unacknowledged waiting
  published=$(number confirmed "$work/sensors.log")
  in=$(number in "$work/status.json")
  unacknowledged=$(number unacknowledged "$work/status.json")
  waiting=$(spooled)
  printf '%4ds  sensors published %5s | gateway read %5s, not acknowledged yet %3s | spool holds %5s | upstream has %5s, repeats %s\n' \
    "$SECONDS" "${published:-0}" "${in:-0}" "${unacknowledged:-0}" "${waiting:-0}" \
    "$(number distinct "$work/consumer.log")" "$(number repeats "$work/consumer.log")"
}
# Records that wait in all lanes.
spooled() {
  grep -o '"spooled":[0-9]*' "$work/status.json" 2>/dev/null | cut -d: -f2 | { sum=0; while read -r n; do sum=$((sum + n)); done; echo "$sum"; }
}
watch_until() {  # watch_until SECOND
  while [ $SECONDS -lt "$1" ]; do
    kill -0 $gateway 2>/dev/null || die "the gateway ended: $(tail -5 "$work/gateway.log")"
    show
    sleep 1
  done
}

SECONDS=0
say "A Modbus meter (SDM630) and nine MQTT sensors (Zigbee2MQTT, Tasmota, Shelly) -> railhead -> Kafka${amqp:+ and RabbitMQ}"
watch_until 7
say "The upstream goes away: records stay in the spool, the field is acknowledged from disk"
echo down >&7
watch_until 16
say "The upstream comes back: the backlog drains"
echo up >&7
while kill -0 $sensors 2>/dev/null && [ $SECONDS -lt $((real ? 120 : 50)) ]; do
  show
  sleep 1
done
wait $sensors
sensors_status=$?

say "The sensors are done: $(tail -1 "$work/sensors.log")"
sed -n 's/^{"device":"\([^"]*\)","published":\([0-9]*\)}.*/\1 1 \2/p' "$work/sensors.log" > "$work/expected"
echo "expect $work/expected $((real ? 60 : 15))" >&8
wait $consumer
consumer_status=$?
final=$(grep '"final":true' "$work/consumer.log" | tail -1)

# The meter goes on: the last records settle within a moment.
settled() { "$build/railhead" status --json > "$work/status.json" 2>/dev/null && [ "$(spooled)" -le 2 ]; }
await $((real ? 60 : 10)) settled || true
say "The ledgers"
"$build/railhead" status | grep -E '^(readings|records)' | tee "$work/ledgers.txt"
failed=0
if grep -vq 'adds up' "$work/ledgers.txt" || [ ! -s "$work/ledgers.txt" ]; then
  echo "a ledger does not add up"
  failed=1
fi

say "Counted by the consumer"
lost=$(printf '%s' "$final" | grep -o '"lost":[0-9]*' | cut -d: -f2)
# The meter goes on: its records up to the last numbered one of the sensors.
printf 'received %s until all was there, repeats by identity %s, out of order %s\n' "$(number received <(echo "$final"))" \
  "$(number repeats <(echo "$final"))" "$(number out_of_order <(echo "$final"))"
[ "$sensors_status" = 0 ] || { echo "the sensors were not all acknowledged by their broker"; failed=1; }
[ "$consumer_status" = 0 ] || failed=1
if [ "$real" = 1 ]; then
  echo count >&7
  await 10 has_line '^count ' "$work/upstream.log" || true
  queued=$(sed -n 's/^count //p' "$work/upstream.log" | tail -1)
  echo "RabbitMQ's queue holds $queued messages (repeats included) of $(sed -n 's/.*"total":\([0-9]*\).*/\1/p' "$work/sensors.log")"
  [ "${queued:-0}" -ge "$(sed -n 's/.*"total":\([0-9]*\).*/\1/p' "$work/sensors.log")" ] || failed=1
fi
echo "lost ${lost:-unknown}"
[ "${lost:-1}" = 0 ] || failed=1

if [ "$stay" = 1 ]; then
  say "Everything keeps running. Look with: RAILHEAD_SOCKET=$RAILHEAD_SOCKET $build/railhead status (Ctrl-C ends)"
  "$programs/sensors" --url "mqtt://127.0.0.1:$mqtt_port" --devices 9 --rate 10 --count 0 > "$work/sensors.log" 2>&1 &
  children+=($!)
  wait $gateway
fi
kill -TERM $gateway
wait $gateway || { echo "the gateway ended with status $?"; failed=1; }
exit $failed
