# SPDX-License-Identifier: Apache-2.0
# Everything frontdesk links, found by pkg-config; llhttp ships as C sources on Debian.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(EVENT REQUIRED IMPORTED_TARGET libevent_core libevent_extra libevent_pthreads)
pkg_check_modules(EVENT_TLS REQUIRED IMPORTED_TARGET libevent_openssl libssl libcrypto)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)

pkg_check_modules(LLHTTP_PC QUIET IMPORTED_TARGET libllhttp)
if(LLHTTP_PC_FOUND)
  add_library(llhttp INTERFACE)
  target_link_libraries(llhttp INTERFACE PkgConfig::LLHTTP_PC)
else()
  # node-llhttp installs outside the usual prefixes: look below /usr/share.
  find_path(LLHTTP_INCLUDE llhttp.h PATHS /usr/share/include/llhttp REQUIRED)
  find_path(LLHTTP_SOURCE llhttp.c PATHS /usr/share/llhttp REQUIRED)
  add_library(llhttp STATIC ${LLHTTP_SOURCE}/api.c ${LLHTTP_SOURCE}/http.c ${LLHTTP_SOURCE}/llhttp.c)
  target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE})
  target_compile_options(llhttp PRIVATE ${FRONTDESK_LTO})
  set_target_properties(llhttp PROPERTIES POSITION_INDEPENDENT_CODE ON)
endif()
