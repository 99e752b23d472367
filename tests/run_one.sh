#!/usr/bin/env bash
# Runs one doctest program and writes "passed failed" to RESULT. A program that dies counts as one failure more.
#   run_one.sh RESULT PROGRAM [ARGUMENT...]
set -u
result=$1
shift
output=$(mktemp)
trap 'rm -f "$output"' EXIT
"$@" > "$output" 2>&1
status=$?
cat "$output"
read -r passed failed < <(sed -n 's/.*test cases: *[0-9]* | *\([0-9]*\) passed | *\([0-9]*\) failed.*/\1 \2/p' "$output" | tail -1)
passed=${passed:-0}
failed=${failed:-0}
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
mkdir -p "$(dirname "$result")"
echo "$passed $failed" > "$result"
exit "$status"
