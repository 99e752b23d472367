#!/usr/bin/env bash
# clang checks who may touch which field (gateway/base/mutex.h); GCC ignores these annotations.
#   thread_annotations.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
includes=$(grep -o -- '-isystem [^ "]*' "$build/compile_commands.json" | sort -u | tr '\n' ' ')
# Only files that use the annotations, or include a header that does, can break them.
grep -lE 'base::Mutex|MutexLock|RAILHEAD_GUARDED_BY' -r gateway rules adapters --include='*.cpp' --include='*.h' |
  sed 's/\.h$/.cpp/' | sort -u | while read -r file; do [ -f "$file" ] && echo "$file"; done |
  xargs -P2 -I{} clang++ -std=c++20 -I. $includes -fsyntax-only -Wthread-safety -Werror=thread-safety -Wno-everything -Wthread-safety {}
