# libunwind-dev: fallback and oracle of the native unwinder.
pkg_check_modules(LIBUNWIND REQUIRED IMPORTED_TARGET libunwind)
add_library(memlens::libunwind ALIAS PkgConfig::LIBUNWIND)
