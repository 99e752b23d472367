#!/usr/bin/env bash
# Runs fuzz targets that were built with -DRAILHEAD_FUZZ=ON; ./dev fuzz calls it. Ends with a line a target: runs and
# findings. Exit status 1: there is a finding; 2: a target could not run.
#   fuzz.sh BUILD SECONDS [NAME...]
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$1
seconds=$2
shift 2
names=("$@")

run_one() {
  local name=$1
  mkdir -p "$build/corpus/$name" "$build/findings/$name" "tests/fuzz/corpus/$name"
  rm -f "$build/findings/$name"/*
  # One input may take 10 s and 2 GiB; the whole some time more than asked for.
  timeout "$((seconds + 120))" "$build/fuzz/fuzz_$name" "-max_total_time=$seconds" -timeout=10 -rss_limit_mb=2048 \
    -max_len=65536 -print_final_stats=1 "-artifact_prefix=$build/findings/$name/" "$build/corpus/$name" \
    "tests/fuzz/corpus/$name" > "$build/$name.log" 2>&1
  echo $? > "$build/$name.status"
  echo "$name: done" >&2
}
export -f run_one
export build seconds
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run_one {}'

result=0
echo
for name in "${names[@]}"; do
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log" | tail -1)
  findings=$(find "$build/findings/$name" -type f ! -name 'slow-unit-*' | wc -l)
  status=$(cat "$build/$name.status")
  printf '%-24s %12s runs  %s findings\n' "$name" "${runs:-0}" "$findings"
  if [ "$findings" -gt 0 ]; then
    result=1
    grep -m1 -E 'ERROR|SUMMARY|runtime error' "$build/$name.log"
    find "$build/findings/$name" -type f ! -name 'slow-unit-*' -printf '  %p\n'
  elif [ "$status" -ne 0 ] || [ "${runs:-0}" -eq 0 ]; then
    [ "$result" -eq 0 ] && result=2
    tail -5 "$build/$name.log"
  fi
done
exit $result
