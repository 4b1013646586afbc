# libcli11-dev: the command line.
find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)
add_library(memlens_cli11 INTERFACE)
target_include_directories(memlens_cli11 SYSTEM INTERFACE ${CLI11_INCLUDE_DIR})
add_library(memlens::cli11 ALIAS memlens_cli11)
