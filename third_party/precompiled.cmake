# Headers that nearly every source of a folder reads, compiled once: a first build of everything takes
# half the time. Not with ccache, which then would find next to nothing, and which keeps the sources
# honest: each must compile without them.
if(CCACHE)
  set(precompile_default OFF)
else()
  set(precompile_default ON)
endif()
option(MEMLENS_PRECOMPILE "Precompile the headers of the standard library and of packages"
       ${precompile_default})

# gcc 12 warns of what std::string does within itself once its header is precompiled.
if(MEMLENS_PRECOMPILE)
  target_compile_options(memlens_flags INTERFACE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
endif()

set(memlens_std_headers <algorithm> <array> <atomic> <charconv> <cinttypes> <cstdint> <cstdio> <cstring>
    <filesystem> <fstream> <functional> <map> <memory> <optional> <span> <sstream> <string> <string_view>
    <thread> <unordered_map> <unordered_set> <utility> <vector>)

# memlens_precompiled(name [HEADERS <header>...] [LIBRARIES target...]): a target that others reuse,
# of the standard headers and these.
function(memlens_precompiled name)
  if(NOT MEMLENS_PRECOMPILE)
    return()
  endif()
  file(WRITE ${CMAKE_BINARY_DIR}/precompiled/${name}.cpp "// The precompiled header is all there is.\n")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/precompiled/${name}.cpp)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBRARIES" ${ARGN})
  target_link_libraries(${name} PRIVATE memlens_flags memlens_sanitize ${ARG_LIBRARIES})
  target_precompile_headers(${name} PRIVATE ${memlens_std_headers} ${ARG_HEADERS})
endfunction()

# memlens_reuse_precompiled(precompiled target...)
function(memlens_reuse_precompiled precompiled)
  if(MEMLENS_PRECOMPILE)
    foreach(target ${ARGN})
      target_precompile_headers(${target} REUSE_FROM ${precompiled})
    endforeach()
  endif()
endfunction()
