# One file a package; each defines an imported target named memlens::<package>.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(package zstd xxhash libunwind elfutils libdeflate jemalloc cli11 nlohmann_json protozero zlib doctest)
  include(${CMAKE_CURRENT_LIST_DIR}/${package}.cmake)
endforeach()
