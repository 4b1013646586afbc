# libzstd-dev: compression of capture frames.
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
add_library(memlens::zstd ALIAS PkgConfig::ZSTD)
