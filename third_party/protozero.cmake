# libprotozero-dev: protobuf messages of pprof and Perfetto, written as they go. Header-only.
find_path(PROTOZERO_INCLUDE_DIR protozero/pbf_writer.hpp REQUIRED)
add_library(memlens_protozero INTERFACE)
target_include_directories(memlens_protozero SYSTEM INTERFACE ${PROTOZERO_INCLUDE_DIR})
add_library(memlens::protozero ALIAS memlens_protozero)
