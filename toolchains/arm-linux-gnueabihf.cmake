# armhf: ARMv7-A with VFPv3-D16, as Debian's armhf: Raspberry Pi 2 and later with a 32-bit system, BeagleBone and the
# like. ARMv6 (Raspberry Pi 1 and Zero) cannot run it.
# cmake -S . -B BUILD --toolchain toolchains/arm-linux-gnueabihf.cmake
set(RAILHEAD_ARCHITECTURE armhf)
set(RAILHEAD_PROCESSOR armv7l)
set(RAILHEAD_TRIPLET arm-linux-gnueabihf)
set(RAILHEAD_EMULATOR qemu-arm-static qemu-arm)
include("${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake")
