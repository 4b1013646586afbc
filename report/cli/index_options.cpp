#include "report/cli/index_options.h"

#include <cstdlib>
#include <string_view>

namespace memlens::report::cli {

reader::IndexOptions index_options(bool wanted) {
  const char* const off = std::getenv("MEMLENS_NO_INDEX");
  if (!wanted || (off != nullptr && off[0] != '\0' && std::string_view(off) != "0")) return {};
  reader::IndexOptions options = reader::default_index_options();
  if (const char* const after = std::getenv("MEMLENS_INDEX_AFTER")) {
    char* end = nullptr;
    const double seconds = std::strtod(after, &end);
    if (end != after && *end == '\0') options.worth_seconds = seconds;
  }
  return options;
}

}  // namespace memlens::report::cli
