# The Debian package: `cpack` in a build folder. One package per architecture and Debian release, as it links dynamically.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME railhead)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "Railhead <railhead@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "edge protocol gateway: Modbus and MQTT in, Kafka and AMQP out")
set(CPACK_PACKAGE_DESCRIPTION "Reads field devices, applies rules, keeps everything on disk until the upstream has confirmed it.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd, init-system-helpers, tzdata")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libengine-pkcs11-openssl")  # keys in a token: key_uri
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# The files of /etc are the user's: dpkg asks before it replaces an edited one.
set(conffiles "")
foreach(file ${railhead_conffiles})
  string(APPEND conffiles "${file}\n")
endforeach()
file(WRITE "${CMAKE_BINARY_DIR}/debian/conffiles" "${conffiles}")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${CMAKE_BINARY_DIR}/debian/conffiles"
  "${CMAKE_CURRENT_LIST_DIR}/debian/postinst"
  "${CMAKE_CURRENT_LIST_DIR}/debian/prerm"
  "${CMAKE_CURRENT_LIST_DIR}/debian/postrm")

if(CMAKE_CROSSCOMPILING)
  # CPack would ask this machine's dpkg for the architecture and for the owners of the libraries.
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${RAILHEAD_ARCHITECTURE})
  set(CPACK_PROJECT_CONFIG_FILE "${CMAKE_BINARY_DIR}/package_cross.cmake")
  file(WRITE "${CPACK_PROJECT_CONFIG_FILE}" "
set(ENV{RAILHEAD_SYSROOT} \"${RAILHEAD_SYSROOT}\")
set(ENV{RAILHEAD_ARCHITECTURE} \"${RAILHEAD_ARCHITECTURE}\")
set(ENV{RAILHEAD_TRIPLET} \"${RAILHEAD_TRIPLET}\")
set(SHLIBDEPS_EXECUTABLE \"${PROJECT_SOURCE_DIR}/toolchains/shlibdeps.sh\")
set(CPACK_READELF_EXECUTABLE \"${CMAKE_READELF}\")
set(CPACK_OBJCOPY_EXECUTABLE \"${CMAKE_OBJCOPY}\")
")
endif()
include(CPack)
