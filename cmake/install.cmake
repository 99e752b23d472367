# What lands on a box: the program and firmware-config/, which looks like the box. The prefix is /usr, as the service says
# (DESTDIR= stages it elsewhere). A configuration that is already there is the user's: `cmake --install` leaves it alone.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "Where the gateway is installed" FORCE)
endif()
include(GNUInstallDirs)
set(firmware "${PROJECT_SOURCE_DIR}/firmware-config")
set(railhead_etc /etc/railhead)

install(TARGETS railhead RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Conffiles of the package as well (package.cmake).
file(GLOB railhead_configuration CONFIGURE_DEPENDS RELATIVE "${firmware}/etc/railhead"
  "${firmware}/etc/railhead/*.yaml" "${firmware}/etc/railhead/tables/*" "${firmware}/etc/railhead/tests/*")
file(GLOB railhead_devices CONFIGURE_DEPENDS RELATIVE "${firmware}" "${firmware}/devices/*.yaml")
set(railhead_conffiles "")
foreach(file ${railhead_configuration} ${railhead_devices})
  list(APPEND railhead_conffiles "${railhead_etc}/${file}")
  get_filename_component(folder "${file}" DIRECTORY)
  set(from "${firmware}/etc/railhead/${file}")
  if(NOT EXISTS "${from}")
    set(from "${firmware}/${file}")
  endif()
  install(CODE "
    set(destination \"\$ENV{DESTDIR}${railhead_etc}/${file}\")
    if(EXISTS \"\${destination}\")
      message(STATUS \"Kept: \${destination}\")
    else()
      file(INSTALL DESTINATION \"${railhead_etc}/${folder}\" TYPE FILE FILES \"${from}\")
    endif()")
endforeach()

install(DIRECTORY "${firmware}/boards" DESTINATION ${CMAKE_INSTALL_DATADIR}/railhead FILES_MATCHING PATTERN "*.yaml")
# systemd and udev look below /usr/lib (or /lib), never below lib/TRIPLET.
install(FILES "${firmware}/lib/systemd/system/railhead.service" DESTINATION lib/systemd/system)
install(FILES "${firmware}/usr/lib/udev/rules.d/60-railhead.rules" DESTINATION lib/udev/rules.d)
install(FILES "${firmware}/usr/lib/sysusers.d/railhead.conf" DESTINATION lib/sysusers.d)
install(FILES "${PROJECT_SOURCE_DIR}/docs/operations.md" "${firmware}/README.md" DESTINATION ${CMAKE_INSTALL_DOCDIR})

include(package)
