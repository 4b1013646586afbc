#include "report/terminal/profile_report.h"

#include <algorithm>

#include "reader/text/columns.h"
#include "reader/text/units.h"

namespace memlens::report {
namespace {

constexpr size_t kNumberColumns = 6;
constexpr size_t kSizeColumns = 12;
constexpr size_t kCountColumns = 11;

std::string right(std::string_view text, size_t columns) {
  return std::string(columns - std::min(columns, text.size()), ' ').append(text);
}

std::string row(std::string_view number, std::string_view peak, std::string_view increment,
                std::string_view allocated, std::string_view occurrences, std::string_view text) {
  std::string line = right(number, kNumberColumns) + "  " + right(peak, kSizeColumns) + "  " +
                     right(increment, kSizeColumns) + "  " + right(allocated, kSizeColumns) + "  " +
                     right(occurrences, kCountColumns) + "   " + std::string(text);
  line.resize(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

std::string row_of(uint32_t number, std::string_view text, const SourceLine* line) {
  if (line == nullptr) return row(std::to_string(number), "", "", "", "", text);
  const reader::Tally& allocated = line->of(View::kAllocations);
  return row(std::to_string(number), format_bytes(line->of(View::kPeak).bytes),
             format_bytes(line->of(View::kLeaks).bytes), format_bytes(allocated.bytes),
             std::to_string(allocated.blocks), text);
}

}  // namespace

void print_line_table(std::ostream& out, const reader::ProfiledFunction& function,
                      std::span<const SourceLine> lines, const std::vector<std::string>& source) {
  const std::string heading =
      row("Line #", "At the peak", "Increment", "Allocated", "Occurrences", "Line Contents");
  out << "Filename: " << printable(function.file) << "\n\n"
      << heading << std::string(heading.size() - 1, '=') << '\n';
  auto line = lines.begin();
  const uint64_t end = std::min<uint64_t>(uint64_t{function.first_line} + function.line_count,
                                          source.size() + uint64_t{1});
  for (uint32_t number = std::max(function.first_line, 1u); number < end; ++number) {
    const bool holds = line != lines.end() && line->frame->line == number;
    out << row_of(number, printable(source[number - 1]), holds ? &*line : nullptr);
    if (holds) ++line;
  }
  for (; line != lines.end(); ++line) {
    out << row_of(line->frame->line, printable(line->frame->source), &*line);
  }
  out << '\n';
}

}  // namespace memlens::report
