# libdw-dev: ELF and DWARF for the symbolizer.
pkg_check_modules(ELFUTILS REQUIRED IMPORTED_TARGET libdw libelf)
add_library(memlens::elfutils ALIAS PkgConfig::ELFUTILS)
