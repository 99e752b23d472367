# What lands on a box: the program and firmware-config/, which looks like the box.
include(GNUInstallDirs)
install(TARGETS railhead RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
