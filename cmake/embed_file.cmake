# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUT= -DOUTPUT= -DSYMBOL= -DHEADER= -P embed_file.cmake: a file as a C function.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"${HEADER}\"\n
static const unsigned char bytes[] = {\n${bytes}};\n
struct str ${SYMBOL}(void)
{
    return (struct str){(const char *)bytes, sizeof bytes};
}\n")
