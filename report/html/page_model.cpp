#include "report/html/page_model.h"

namespace memlens::report::html {

uint32_t StringTable::intern(std::string_view text) {
  const auto [found, inserted] =
      ids_.try_emplace(std::string(text), static_cast<uint32_t>(strings_.size()));
  if (inserted) strings_.emplace_back(text);
  return found->second;
}

}  // namespace memlens::report::html
