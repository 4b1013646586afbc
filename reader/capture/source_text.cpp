#include "reader/capture/source_text.h"

namespace memlens::reader {

void SourceText::add_payload(ByteView payload, StringPool& pool, MemoryBudget& budget) {
  constexpr uint64_t kLineBytes = 160;  // beside the texts
  const uint64_t count = payload.read_varint();
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view file = payload.read_string();
    const uint64_t line = payload.read_varint();
    std::string_view text = payload.read_string();
    if (line == 0 || line > UINT32_MAX) continue;
    constexpr std::string_view kSpace = " \t\r\n\f\v";
    const size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) continue;
    text = text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
    budget.spend(kLineBytes + file.size() + text.size());
    lines_[{pool.intern(file), static_cast<uint32_t>(line)}] = pool.intern(text);
  }
}

std::string_view SourceText::line(std::string_view file, uint32_t line) const {
  const auto found = lines_.find({file, line});
  return found != lines_.end() ? found->second : std::string_view();
}

}  // namespace memlens::reader
