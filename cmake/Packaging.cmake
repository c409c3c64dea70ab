# SPDX-License-Identifier: Apache-2.0
include(GNUInstallDirs)
if(TARGET frontdesk)
  install(TARGETS frontdesk RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
endif()
