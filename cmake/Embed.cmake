# SPDX-License-Identifier: Apache-2.0
# Files compiled into a library: NAME.EXT becomes `struct str NAME_EXT(void)`, which a header of the
# library declares. A changed file is compiled in again.
set(FRONTDESK_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_file.cmake)

function(frontdesk_embed library header)
  foreach(file ${ARGN})
    get_filename_component(name ${file} NAME)
    string(MAKE_C_IDENTIFIER ${name} symbol)
    set(source ${CMAKE_BINARY_DIR}/embedded/${symbol}.c)
    add_custom_command(
      OUTPUT ${source}
      COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_SOURCE_DIR}/${file} -DOUTPUT=${source}
              -DSYMBOL=${symbol} -DHEADER=${header} -P ${FRONTDESK_EMBED_SCRIPT}
      DEPENDS ${CMAKE_SOURCE_DIR}/${file} ${FRONTDESK_EMBED_SCRIPT}
      VERBATIM)
    target_sources(${library} PRIVATE ${source})
  endforeach()
endfunction()
