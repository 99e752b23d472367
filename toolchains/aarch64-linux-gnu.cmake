# arm64: Raspberry Pi 3, 4, 5 and Zero 2 with a 64-bit system, and any ARMv8-A board. Plain armv8-a runs on all of them;
# g++ 12 uses the newer atomics at run time where the processor has them.
# cmake -S . -B BUILD --toolchain toolchains/aarch64-linux-gnu.cmake
set(RAILHEAD_ARCHITECTURE arm64)
set(RAILHEAD_PROCESSOR aarch64)
set(RAILHEAD_TRIPLET aarch64-linux-gnu)
set(RAILHEAD_EMULATOR qemu-aarch64-static qemu-aarch64)
include("${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake")
