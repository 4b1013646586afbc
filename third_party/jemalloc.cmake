# libjemalloc-dev: the allocator of the collector and the reader, and a target that must be tracked.
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
add_library(memlens::jemalloc ALIAS PkgConfig::JEMALLOC)
