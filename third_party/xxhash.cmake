# libxxhash-dev: checksums; used header-only (XXH_INLINE_ALL).
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
add_library(memlens_xxhash INTERFACE)
target_include_directories(memlens_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE_DIR})
target_compile_definitions(memlens_xxhash INTERFACE XXH_INLINE_ALL)
add_library(memlens::xxhash ALIAS memlens_xxhash)
