#include "report/cli/options/cache_options.h"

#include <cstdlib>
#include <string_view>

namespace memlens::report::cli {
namespace {

// The cache was called an index once; scripts may still say so.
const char* variable(const char* name, const char* former_name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : std::getenv(former_name);
}

}  // namespace

reader::CacheOptions cache_options(bool wanted) {
  const char* const off = variable("MEMLENS_NO_CACHE", "MEMLENS_NO_INDEX");
  if (!wanted || (off != nullptr && off[0] != '\0' && std::string_view(off) != "0")) return {};
  reader::CacheOptions options = reader::default_cache_options();
  if (const char* const after = variable("MEMLENS_CACHE_AFTER", "MEMLENS_INDEX_AFTER")) {
    char* end = nullptr;
    const double seconds = std::strtod(after, &end);
    if (end != after && *end == '\0') options.worth_seconds = seconds;
  }
  return options;
}

}  // namespace memlens::report::cli
