#!/usr/bin/env bash
# Builds and runs the whole suite; ./dev test calls it. The last line is "N passed, N failed".
#   suite.sh ALL [NAME...]     ALL 1: also the tests marked long; NAME: only these test programs, without sanitizers and lint
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
all=$1
shift
passed=0
failed=0
[ "$all" = 1 ] && export RAILHEAD_LONG_TESTS=1

section() { printf '\n== %s (%s)\n' "$1" "$(date -u +%T)"; }

# check TITLE COMMAND...: one more test that is a command
check() {
  section "$1"
  if "${@:2}"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $1"; fi
}

configure() { cmake --preset "$1" > "build-$1.log" 2>&1 || { cat "build-$1.log"; return 1; }; }

# run_programs DIRECTORY CTEST_ARGUMENT...: runs test programs and adds up their cases
run_programs() {
  local directory=$1 result cases_passed cases_failed
  shift
  rm -rf "$directory/results"
  ctest --test-dir "$directory" -j2 --output-on-failure "$@"
  for result in "$directory"/results/*; do
    [ -f "$result" ] || continue
    read -r cases_passed cases_failed < "$result"
    passed=$((passed + cases_passed))
    failed=$((failed + cases_failed))
  done
  # A program that timed out or never ran left no result.
  local expected
  expected=$(ctest --test-dir "$directory" -N "$@" | sed -n 's/^Total Tests: //p')
  local ran
  ran=$(find "$directory/results" -type f 2>/dev/null | wc -l)
  if [ "${expected:-0}" -ne "$ran" ]; then failed=$((failed + expected - ran)); echo "FAILED: $((expected - ran)) programs gave no result"; fi
}

finish() {
  echo
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
}

section "build"
if ! { configure release && cmake --build --preset release; }; then
  failed=1
  finish
fi

if [ $# -gt 0 ]; then
  pattern=$(printf '|^%s$' "$@")
  section "tests"
  run_programs build -R "${pattern:1}"
  finish
fi

section "tests"
run_programs build

section "tests under AddressSanitizer and UBSan"
if configure asan && cmake --build --preset asan --target tests_unit; then run_programs build-asan -L '^unit$'; else failed=$((failed + 1)); fi

section "concurrent rooms under ThreadSanitizer"
if configure tsan && cmake --build --preset tsan --target tests_threads; then run_programs build-tsan -L '^threads$'; else failed=$((failed + 1)); fi

check "clang-format" bash -c 'git ls-files "*.cpp" "*.h" | xargs clang-format --dry-run --Werror'
check "clang thread annotations" tests/lint/thread_annotations.sh build
# Slow, and it finds little that the sanitizers do not: ./dev lint and --all run it.
if [ "$all" = 1 ]; then check "clang-tidy" tests/lint/clang_tidy.sh build; fi
finish
