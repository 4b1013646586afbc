#include "report/text/sparkline.h"

#include <algorithm>

namespace memlens::report {
namespace {

constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr const char* kAsciiBars[] = {"_", ".", ",", "-", "=", "+", "*", "#"};
constexpr size_t kHeights = std::size(kBars);

}  // namespace

std::string sparkline(std::span<const uint64_t> values, size_t columns, bool unicode) {
  if (values.empty() || columns == 0) return "";
  const uint64_t highest = std::max<uint64_t>(1, *std::ranges::max_element(values));
  const size_t shown = std::min(columns, values.size());
  std::string text;
  for (size_t column = 0; column < shown; ++column) {
    const size_t begin = column * values.size() / shown;
    const size_t end = (column + 1) * values.size() / shown;
    uint64_t value = 0;
    for (size_t i = begin; i < end; ++i) value = std::max(value, values[i]);
    const double part = static_cast<double>(value) / static_cast<double>(highest);
    const auto height = std::min(kHeights - 1, static_cast<size_t>(part * kHeights));
    text += unicode ? kBars[height] : kAsciiBars[height];
  }
  return text;
}

}  // namespace memlens::report
