# Language, warnings, sanitizers, ccache: everything about how this project's own code is compiled.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

find_package(Threads REQUIRED)

add_library(railhead_compiler INTERFACE)
target_compile_options(railhead_compiler INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns falsely on every `"text" + std::string` (GCC bug 105329).
  target_compile_options(railhead_compiler INTERFACE -Wno-restrict)
endif()
target_include_directories(railhead_compiler INTERFACE "${PROJECT_SOURCE_DIR}")
target_link_libraries(railhead_compiler INTERFACE Threads::Threads)
if(CMAKE_SIZEOF_VOID_P EQUAL 4)
  # 64-bit file offsets; time_t stays as the distribution's libraries were built (never -D_TIME_BITS=64 here).
  target_compile_definitions(railhead_compiler INTERFACE _FILE_OFFSET_BITS=64)
  target_compile_options(railhead_compiler INTERFACE -Wno-psabi)
endif()

set(RAILHEAD_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")
if(RAILHEAD_SANITIZE)
  add_compile_options(-fsanitize=${RAILHEAD_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${RAILHEAD_SANITIZE})
  if(RAILHEAD_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

# The headers that nearly every file includes are read once. Builds nobody edits in (the sanitizers') do so for the rooms
# too and compile several files of a room as one, so the names in the anonymous namespaces of a room differ; the release
# build does it for the tests only, so a missing #include in a room is found there.
option(RAILHEAD_BATCHES "Compile the rooms with precompiled headers and in batches" OFF)
set(batch_files 8)
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
# For ccache; and a precompiled header needs one set of settings, some libraries ask for -pthread.
set(precompiled_options $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess> -pthread)
if(RAILHEAD_BATCHES)
  add_compile_options(${precompiled_options})
  # What GCC 12 suspects in the library's own headers it keeps to itself, unless they are precompiled; in a batch no file
  # is the main one.
  add_compile_options(-Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-maybe-uninitialized -Wno-subobject-linkage)
endif()
set(railhead_common_headers <algorithm> <array> <atomic> <chrono> <cmath> <cstdint> <filesystem> <fstream> <functional> <map> <memory>
  <mutex> <optional> <set> <sstream> <string> <string_view> <thread> <unordered_map> <utility> <vector>)

# railhead_precompiled(NAME KIND HEADER...): a target that others of its kind (-fPIC libraries, -fPIE programs) take their
# precompiled header from
function(railhead_precompiled name kind)
  file(WRITE "${CMAKE_BINARY_DIR}/precompiled.cpp" "")
  add_library(${name} OBJECT "${CMAKE_BINARY_DIR}/precompiled.cpp")
  if(kind STREQUAL "PROGRAM")
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIE)
  endif()
  target_link_libraries(${name} PRIVATE railhead_compiler)
  target_precompile_headers(${name} PRIVATE ${ARGN})
endfunction()

if(RAILHEAD_BATCHES)
  railhead_precompiled(precompiled_rooms LIBRARY ${railhead_common_headers})
endif()

# A room's library, or one like it
function(railhead_batch target)
  if(RAILHEAD_BATCHES)
    target_precompile_headers(${target} REUSE_FROM precompiled_rooms)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${batch_files})
  endif()
endfunction()
