# SPDX-License-Identifier: Apache-2.0

# Warnings, sanitizers and hardening of one of our own targets.
function(frontdesk_flags target)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wwrite-strings
    -fno-strict-aliasing -fno-omit-frame-pointer)
  if(FRONTDESK_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${FRONTDESK_SANITIZE})
    target_link_options(${target} PRIVATE -fsanitize=${FRONTDESK_SANITIZE})
    if(NOT FRONTDESK_SANITIZE MATCHES "thread")
      target_compile_options(${target} PRIVATE -fno-sanitize-recover=all)
    endif()
  elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    target_compile_options(${target} PRIVATE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
      $<$<C_COMPILER_ID:GNU>:-fcf-protection>)
    target_link_options(${target} PRIVATE -Wl,-z,relro,-z,now -pie)
  endif()
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  # Assertions stay on in release: they state invariants, never judge input.
  target_compile_options(${target} PRIVATE -UNDEBUG)
endfunction()

# One folder, one static library. Its headers are reached as "NAME/file.h" through a directory that
# holds nothing but a link to the folder, so that only linked modules can be included.
function(frontdesk_module name folder)
  cmake_parse_arguments(M "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
  set(face ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${face})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${face}/${name} SYMBOLIC)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${face})
    target_link_libraries(${name} PUBLIC ${M_LINKS})
    target_compile_options(${name} PRIVATE ${FRONTDESK_LTO})
    frontdesk_flags(${name})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${face})
    target_link_libraries(${name} INTERFACE ${M_LINKS})
  endif()
endfunction()
