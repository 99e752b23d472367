# What the toolchain files share: Debian's cross compiler against a private sysroot (make-sysroot.sh).
# The including file sets RAILHEAD_TRIPLET, RAILHEAD_PROCESSOR and RAILHEAD_EMULATOR.
# -DRAILHEAD_SYSROOT=DIR: the sysroot, .sysroot/ARCH beside this project by default.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${RAILHEAD_PROCESSOR})
set(CMAKE_LIBRARY_ARCHITECTURE ${RAILHEAD_TRIPLET})

if(NOT RAILHEAD_SYSROOT)
  get_filename_component(RAILHEAD_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../.sysroot/${RAILHEAD_ARCHITECTURE}" ABSOLUTE)
endif()
if(NOT EXISTS "${RAILHEAD_SYSROOT}/usr/include")
  message(FATAL_ERROR "no sysroot at ${RAILHEAD_SYSROOT}: run toolchains/make-sysroot.sh ${RAILHEAD_ARCHITECTURE} ${RAILHEAD_SYSROOT}")
endif()
# try_compile() reads this file again and must find the same sysroot.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES RAILHEAD_SYSROOT)

# The compiler of the target's release (Debian 12 has 12): a newer one brings a newer libstdc++ than the target has.
find_program(RAILHEAD_CXX NAMES ${RAILHEAD_TRIPLET}-g++-12 REQUIRED)
find_program(RAILHEAD_CC NAMES ${RAILHEAD_TRIPLET}-gcc-12 REQUIRED)
set(CMAKE_C_COMPILER "${RAILHEAD_CC}")
set(CMAKE_CXX_COMPILER "${RAILHEAD_CXX}")

set(CMAKE_SYSROOT "${RAILHEAD_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH "${RAILHEAD_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# Debian's cross g++ takes crt, libc and libstdc++ from /usr/TRIPLET instead of the sysroot. On the target's own release
# they are the same; on a newer one the program would not start on the target. So: headers and libraries by name.
set(railhead_gcc "${RAILHEAD_SYSROOT}/usr/lib/gcc/${RAILHEAD_TRIPLET}/12")
set(railhead_libraries "${RAILHEAD_SYSROOT}/usr/lib/${RAILHEAD_TRIPLET}")
set(railhead_c_headers
  "-nostdinc -isystem ${railhead_gcc}/include -isystem ${RAILHEAD_SYSROOT}/usr/include/${RAILHEAD_TRIPLET} -isystem ${RAILHEAD_SYSROOT}/usr/include")
set(railhead_cxx_headers
  "-nostdinc++ -isystem ${RAILHEAD_SYSROOT}/usr/include/c++/12 -isystem ${RAILHEAD_SYSROOT}/usr/include/${RAILHEAD_TRIPLET}/c++/12")
set(CMAKE_C_FLAGS_INIT "-B${railhead_libraries} ${railhead_c_headers}")
set(CMAKE_CXX_FLAGS_INIT "-B${railhead_libraries} ${railhead_cxx_headers} ${railhead_c_headers}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-B${railhead_libraries} -L${railhead_libraries}")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "${CMAKE_EXE_LINKER_FLAGS_INIT}")

# Never the host's .pc files.
set(ENV{PKG_CONFIG_PATH} "")
set(ENV{PKG_CONFIG_LIBDIR}
  "${railhead_libraries}/pkgconfig:${RAILHEAD_SYSROOT}/usr/lib/pkgconfig:${RAILHEAD_SYSROOT}/usr/share/pkgconfig")
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${RAILHEAD_SYSROOT}")

# add_test() with a target runs it so; no binfmt registration is assumed.
find_program(RAILHEAD_QEMU NAMES ${RAILHEAD_EMULATOR})
if(RAILHEAD_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${RAILHEAD_QEMU};-L;${RAILHEAD_SYSROOT}")
endif()
