# SPDX-License-Identifier: Apache-2.0
# What is installed where, and the Debian package: `cmake --install` and `cpack` of a release build.
include(GNUInstallDirs)

# /etc and /usr/lib/systemd have fixed places, whatever the prefix of the rest.
set(FRONTDESK_ETC /etc/frontdesk CACHE PATH "configuration folder")
set(FRONTDESK_SYSTEMD lib/systemd/system CACHE PATH "unit folder, below the prefix")

if(TARGET frontdesk)
  install(TARGETS frontdesk RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
endif()
file(GLOB conf_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/conf.d/*.yaml)
file(GLOB doc_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/*.md ${CMAKE_SOURCE_DIR}/docs/*.hcl
                                      ${CMAKE_SOURCE_DIR}/README.md
                                      ${CMAKE_SOURCE_DIR}/CHANGELOG.md)
install(FILES ${conf_files} DESTINATION ${FRONTDESK_ETC})
install(FILES ${doc_files} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/frontdesk)
install(FILES ${CMAKE_SOURCE_DIR}/docs/frontdesk.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/frontdesk
        RENAME copyright)
install(FILES ${CMAKE_SOURCE_DIR}/systemd/frontdesk.service DESTINATION ${FRONTDESK_SYSTEMD})
install(FILES ${CMAKE_SOURCE_DIR}/systemd/frontdesk.sysusers.conf
        DESTINATION lib/sysusers.d RENAME frontdesk.conf)
install(FILES ${CMAKE_SOURCE_DIR}/systemd/frontdesk.tmpfiles.conf
        DESTINATION lib/tmpfiles.d RENAME frontdesk.conf)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_NAME frontdesk)
set(CPACK_PACKAGE_VENDOR frontdesk)
set(CPACK_PACKAGE_CONTACT "The frontdesk authors <frontdesk@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Clients know one address: routes name services, Consul says which instances
exist and are healthy, a balancer picks one, and a circuit breaker keeps a
failing service from taking its callers down with it.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS systemd)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS consul)
set(CPACK_STRIP_FILES ON)

# Every file below /etc is a conffile: dpkg asks before it replaces what an operator changed.
set(conffiles "")
foreach(file ${conf_files})
  get_filename_component(name ${file} NAME)
  string(APPEND conffiles "${FRONTDESK_ETC}/${name}\n")
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/debian/conffiles "${conffiles}")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${CMAKE_BINARY_DIR}/debian/conffiles
    ${CMAKE_SOURCE_DIR}/systemd/debian/postinst
    ${CMAKE_SOURCE_DIR}/systemd/debian/prerm
    ${CMAKE_SOURCE_DIR}/systemd/debian/postrm)
include(CPack)
