# nlohmann-json3-dev: JSON in reports and in the capture's few JSON frames.
find_path(NLOHMANN_JSON_INCLUDE_DIR nlohmann/json.hpp REQUIRED)
add_library(memlens_nlohmann_json INTERFACE)
target_include_directories(memlens_nlohmann_json SYSTEM INTERFACE ${NLOHMANN_JSON_INCLUDE_DIR})
add_library(memlens::nlohmann_json ALIAS memlens_nlohmann_json)
