#include "report/terminal/lines_report.h"

#include <algorithm>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/terminal/table.h"
#include "report/terminal/wording.h"
#include "report/text/short_function.h"
#include "report/text/short_path.h"

namespace memlens::report {
namespace {

std::vector<Column> number_columns() {
  return {{"peak", Align::kRight},
          {"still allocated", Align::kRight},
          {"allocated", Align::kRight},
          {"blocks", Align::kRight}};
}

std::vector<Cell> number_cells(const std::array<reader::Tally, kViews.size()>& tallies,
                               const reader::Totals& totals) {
  const auto of = [&](View view) { return tallies[static_cast<unsigned>(view)]; };
  const auto bytes = [&](View view) -> Cell {
    if (of(view).bytes == 0 && of(view).blocks == 0) return {"-", Paint::kDim};
    return {format_bytes(of(view).bytes),
            paint_of_share(of(view).bytes, total_of(totals, view).bytes)};
  };
  return {bytes(View::kPeak), bytes(View::kLeaks), bytes(View::kAllocations),
          format_count(of(View::kAllocations).blocks)};
}

std::string_view stripped(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\f\v";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string expand_tabs(std::string_view text) {
  std::string expanded;
  for (const char c : text) {
    if (c == '\t') {
      expanded.append(8 - expanded.size() % 8, ' ');
    } else {
      expanded += c;
    }
  }
  return expanded;
}

}  // namespace

void print_lines_report(std::ostream& out, const Terminal& terminal,
                        const reader::CaptureInfo& info, const reader::Totals& totals,
                        std::span<const SourceLine> lines, size_t limit) {
  out << capture_heading(info, terminal) << "\n\n";
  std::vector<Column> columns = number_columns();
  columns.push_back({"function", Align::kLeft, Cut::kEnd, 14});
  columns.push_back({"place", Align::kLeft, Cut::kFolders, 20});
  columns.push_back({"", Align::kLeft, Cut::kEnd, 16});
  Table table(columns);
  const size_t shown = limit == 0 ? lines.size() : std::min(limit, lines.size());
  for (const SourceLine& line : lines.first(shown)) {
    std::vector<Cell> cells = number_cells(line.tallies, totals);
    cells.emplace_back(short_function(line.frame->function, terminal.unicode), Paint::kBold);
    cells.emplace_back(place_of(*line.frame, info.working_directory));
    cells.emplace_back(printable(line.frame->source), Paint::kDim);
    table.add_row(std::move(cells));
  }
  if (shown < lines.size()) {
    std::array<reader::Tally, kViews.size()> rest;
    for (const SourceLine& line : lines.subspan(shown)) {
      for (size_t view = 0; view < rest.size(); ++view) rest[view] += line.tallies[view];
    }
    std::vector<Cell> cells = number_cells(rest, totals);
    cells.emplace_back(format_count_of(lines.size() - shown, "other line"), Paint::kDim);
    table.add_row(std::move(cells));
  }
  std::array<reader::Tally, kViews.size()> all;
  for (const View view : kViews) all[static_cast<unsigned>(view)] = total_of(totals, view);
  std::vector<Cell> cells = number_cells(all, reader::Totals{});
  cells.emplace_back("in all", Paint::kBold);
  table.add_row(std::move(cells));
  table.print(out, terminal, kTableIndent);
}

void print_file_listing(std::ostream& out, const Terminal& terminal,
                        const reader::CaptureInfo& info, std::span<const SourceLine> lines,
                        const std::vector<std::string>& source) {
  const std::string_view file = lines.empty() ? std::string_view() : lines.front().frame->file;
  out << '\n'
      << terminal.paint(Paint::kBold, printable(short_path(file, info.working_directory))) << '\n';
  // Shares are of the file.
  reader::Totals totals;
  for (const SourceLine& line : lines) {
    totals.peak_bytes += line.of(View::kPeak).bytes;
    totals.leaked_bytes += line.of(View::kLeaks).bytes;
    totals.allocated_bytes += line.of(View::kAllocations).bytes;
  }
  std::vector<Column> columns = number_columns();
  columns.push_back({"line", Align::kRight});
  columns.push_back({"source", Align::kLeft, Cut::kEnd, 30});
  Table table(columns);
  const auto add_row = [&](uint32_t number, std::string_view text, const SourceLine* line) {
    std::vector<Cell> cells(4);
    if (line != nullptr) cells = number_cells(line->tallies, totals);
    cells.emplace_back(number == 0 ? "?" : std::to_string(number), Paint::kDim);
    cells.emplace_back(printable(expand_tabs(text)));
    table.add_row(std::move(cells));
  };
  auto line = lines.begin();
  // What is known of the file but not of its line.
  for (; line != lines.end() && line->frame->line == 0; ++line) {
    add_row(0, line->frame->function, &*line);
  }
  for (uint32_t number = 1; number <= source.size(); ++number) {
    const bool holds = line != lines.end() && line->frame->line == number;
    add_row(number, source[number - 1], holds ? &*line : nullptr);
    if (holds) ++line;
  }
  for (; line != lines.end(); ++line) {
    add_row(line->frame->line, line->frame->source, &*line);
  }
  table.print(out, terminal, kTableIndent);
}

bool is_same_source(std::span<const SourceLine> lines, const std::vector<std::string>& source) {
  return std::ranges::all_of(lines, [&](const SourceLine& line) {
    if (line.frame->line == 0) return true;
    if (line.frame->line > source.size()) return false;
    return line.frame->source.empty() ||
           stripped(source[line.frame->line - 1]) == stripped(line.frame->source);
  });
}

}  // namespace memlens::report
