# libdeflate-dev: compressed debug files, which it inflates in less than half of zlib's time.
pkg_check_modules(LIBDEFLATE REQUIRED IMPORTED_TARGET libdeflate)
add_library(memlens::libdeflate ALIAS PkgConfig::LIBDEFLATE)
