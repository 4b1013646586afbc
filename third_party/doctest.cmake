# doctest-dev: unit tests.
find_path(DOCTEST_INCLUDE_DIR doctest/doctest.h REQUIRED)
add_library(memlens_doctest INTERFACE)
target_include_directories(memlens_doctest SYSTEM INTERFACE ${DOCTEST_INCLUDE_DIR})
add_library(memlens::doctest ALIAS memlens_doctest)
