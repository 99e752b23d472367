#!/usr/bin/env bash
# Does the suite notice when a call that durability rests on is gone? Every statement marked `// durable: why` in
# gateway/spool and gateway/system is deleted in turn, in a copy of the tree; the tests of the two rooms are built and must
# fail. Ends with a table and "N killed, M survived"; exit status 1 when one survived. ./dev mutants calls it.
#   mutants.sh [TEXT...]     only marks whose file, line or reason contains one of the texts
#
# What deleting means: a statement disappears; `return call;` becomes `return {};`; of `if (...) {` the condition becomes
# false. The statement is the one the mark's line ends or stands in.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../../.."
work=build-mutants
tree=$PWD/$work/tree
mkdir -p "$tree"

# Everything counts as new (tar -m): an earlier run left objects of mutants and of older headers.
find "$tree" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - | tar -xmf - -C "$tree" ||
  { echo "cannot copy the tree" >&2; exit 2; }
cd "$tree" || exit 2


build() { cmake --build build --target test_gateway_spool test_gateway_system > ../build.log 2>&1; }
# What explores; all else takes seconds and is tried first.
exploring='*power cut at any*,*new seeds*,*flip of any bit*,*cut at any length*,*32 MiB*,*keep_delivered*,*older than*'
# fails PROGRAM ARGUMENT...: prints what failed, or nothing.
fails() {
  timeout 300 "build/tests/$1" --no-intro --no-version --abort-after=1 "${@:2}" > ../run.log 2>&1
  local status=$?
  [ $status -eq 0 ] && return
  if [ $status -ge 124 ]; then printf '%s ended with status %s: ' "$1" "$status"; fi
  grep -m1 '^TEST CASE' ../run.log | sed 's/^TEST CASE: *//' | cut -c1-90
}
suite_fails() {
  local found
  found=$(fails test_gateway_system)
  [ -n "$found" ] || found=$(fails test_gateway_spool "-tce=$exploring")
  [ -n "$found" ] || found=$(fails test_gateway_spool "-tc=$exploring")
  echo "$found"
}

# Warnings do not matter in a mutant: what it leaves unused is no error.
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS=-w > ../configure.log 2>&1 ||
  { tail -5 ../configure.log; exit 2; }
build || { tail -20 ../build.log; exit 2; }
already=$(suite_fails)
[ -z "$already" ] || { echo "the suite fails without any mutant: $already" >&2; exit 2; }

mutate() {  # FILE LINE: rewrites FILE
  python3 - "$1" "$2" <<'PYTHON'
import re, sys
path, line = sys.argv[1], int(sys.argv[2]) - 1
lines = open(path).read().split('\n')
code = [re.sub(r'//.*', '', one).rstrip() for one in lines]
last = line
while not re.search(r'[;{}]$', code[last]): last += 1
first = line
while first > 0 and not re.search(r'([;{}:]|^)$', code[first - 1]): first -= 1
indent = re.match(r' *', lines[first]).group()
text = ' '.join(one.strip() for one in code[first:last + 1])
if text.startswith('return '): new = 'return {};'
elif re.match(r'(\} else )?if \(.*\{$', text): new = re.sub(r'if \(.*\{$', 'if (false) {', text)
elif text.endswith(';'): new = ';'
else: sys.exit('cannot delete: ' + text)
lines[first:last + 1] = [indent + new]
open(path, 'w').write('\n'.join(lines))
PYTHON
}

killed=0
survived=0
table=()
while IFS=: read -r file line text; do
  what=$(sed 's/.*durable: *//' <<< "$text")
  place="$file:$line"
  if [ $# -gt 0 ]; then
    wanted=0
    for pattern in "$@"; do [[ "$place $what" == *"$pattern"* ]] && wanted=1; done
    [ $wanted = 1 ] || continue
  fi
  cp "$file" ../whole.cpp
  if ! mutate "$file" "$line"; then
    result="SURVIVED: cannot be deleted by this script"
    survived=$((survived + 1))
  elif ! build; then
    result="SURVIVED: does not compile without it ($(grep -m1 'error:' ../build.log | cut -c1-80))"
    survived=$((survived + 1))
  else
    result=$(suite_fails)
    if [ -n "$result" ]; then killed=$((killed + 1)); else
      result=SURVIVED
      survived=$((survived + 1))
    fi
  fi
  cp ../whole.cpp "$file"
  table+=("$(printf '%-42s %-46.46s %s' "$place" "$what" "$result")")
  echo "${table[-1]}" >&2
done < <(grep -rn '// durable:' gateway/spool gateway/system --include='*.cpp' | sort -t: -k1,1 -k2,2n)

echo
printf '%s\n' "${table[@]}"
echo "$killed killed, $survived survived"
[ "$survived" -eq 0 ]
