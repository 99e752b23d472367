#!/usr/bin/env bash
# cross.sh arm64|armhf [TEST...]: sysroot, configure, build the program and the unit tests, run those under qemu-user.
# Leaves the program at build-ARCH/railhead. With names (gateway_spool) only these tests are built and run.
# JOBS: parallel compilations. RAILHEAD_BUILD: another build folder.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

case "${1:-}" in
  arm64) toolchain=aarch64-linux-gnu cpu=cortex-a53 qemu=qemu-aarch64-static ;;
  armhf) toolchain=arm-linux-gnueabihf cpu=cortex-a7 qemu=qemu-arm-static ;;
  *) echo "usage: ./dev cross arm64|armhf [TEST...]" >&2; exit 1 ;;
esac
architecture=$1
shift
build=${RAILHEAD_BUILD:-build-$architecture}
jobs=(${JOBS:+-j"$JOBS"})

toolchains/make-sysroot.sh "$architecture" ".sysroot/$architecture"
cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release --toolchain "$PWD/toolchains/$toolchain.cmake" \
  >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 2; }
rm -f "$build.log"

unit_tests() { ctest --test-dir "$build" -L '^unit' -N | sed -n 's/^ *Test *#[0-9]*: //p'; }
if [ $# -gt 0 ]; then
  names=("$@")
  targets=("${names[@]/#/test_}")
else
  mapfile -t names < <(unit_tests)
  targets=(railhead "${names[@]/#/test_}")
fi
ninja "${jobs[@]}" -C "$build" "${targets[@]}"

# The oldest processor of the family that is promised: newer instructions would end in SIGILL here, as they would there.
export QEMU_CPU=$cpu
if [ $# -eq 0 ]; then
  "$qemu" -L ".sysroot/$architecture" "$build/railhead" --help >/dev/null
  echo "$build/railhead: $(file -b "$build/railhead" | cut -d , -f 1-2), starts on $cpu"
fi

# Emulation costs a factor of about 20: the tests' own bounds of waiting are stretched by it (tests/support), and programs
# that a test starts itself need the emulator in front.
export RAILHEAD_TEST_PATIENCE=20
export RAILHEAD_EMULATOR="$qemu -L $PWD/.sysroot/$architecture"
results=$build/results
rm -rf "$results"
run_one() {
  local log=$build/results/$1.log began=$SECONDS status=0
  # shellcheck disable=SC2086
  timeout -k 10 1200 tests/run_one.sh "$build/results/$1" $RAILHEAD_EMULATOR "$build/tests/test_$1" --no-intro --no-version \
    >"$log" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then
    echo "passed  $1  $((SECONDS - began)) s"
  else
    echo "FAILED  $1  $((SECONDS - began)) s (status $status)"
    tail -n 60 "$log"
    [ -f "$build/results/$1" ] || echo "0 1" >"$build/results/$1"
  fi
}
export build
export -f run_one
mkdir -p "$results"
printf '%s\n' "${names[@]}" | xargs -P "${JOBS:-$(nproc)}" -I NAME bash -c 'run_one NAME'

read -r passed failed < <(find "$results" -type f ! -name '*.log' -exec cat {} + | awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
echo
echo "$architecture under $qemu ($cpu): $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
