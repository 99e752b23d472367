#!/usr/bin/env bash
# Runs one test program, or one test case by its name, many times and stops at the first failure.
#   repeat.sh BUILD COUNT NAME
set -uo pipefail
build=$1
count=$2
name=${3:?a test program (gateway_spool) or a test case}
if [ -x "$build/tests/test_$name" ]; then
  command=("$build/tests/test_$name")
else
  for program in "$build"/tests/test_*; do
    if "$program" --list-test-cases --no-intro 2>/dev/null | grep -qF -- "$name"; then
      command=("$program" "--test-case=*${name//,/?}*")
      break
    fi
  done
fi
[ -n "${command+x}" ] || { echo "no test program and no test case is called '$name'" >&2; exit 1; }
for i in $(seq 1 "$count"); do
  if ! output=$("${command[@]}" --no-intro 2>&1); then
    echo "$output"
    echo "run $i of $count failed"
    echo "$((i - 1)) passed, 1 failed"
    exit 1
  fi
done
echo "$count passed, 0 failed"
