#include "report/terminal/table.h"

#include <algorithm>

#include "reader/text/columns.h"

namespace memlens::report {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kFewLetters = 10;

std::string fit(const Cell& cell, const Column& column, size_t width, bool unicode) {
  switch (column.cut) {
    case Cut::kFolders:
      return cut_folders(cell.text, width, unicode);
    case Cut::kEnd:
      return cut_end(cell.text, width, unicode);
    case Cut::kNever:
      break;
  }
  return cell.text;
}

void print_row(std::ostream& out, const Terminal& terminal, size_t indent,
               const std::vector<Column>& columns, const std::vector<size_t>& widths,
               const std::vector<Cell>& cells) {
  // Blanks wait for the next text: no line ends with some.
  size_t blanks = indent;
  for (size_t i = 0; i < cells.size() && i < columns.size(); ++i) {
    if (widths[i] == 0) continue;
    const std::string text = fit(cells[i], columns[i], widths[i], terminal.unicode);
    const size_t taken = std::min(column_count(text), widths[i]);
    const size_t padding = widths[i] - taken;
    if (columns[i].align == Align::kRight) blanks += padding;
    if (!text.empty()) {
      out << std::string(blanks, ' ') << terminal.paint(cells[i].paint, text);
      blanks = 0;
    } else {
      blanks += taken;
    }
    if (columns[i].align == Align::kLeft) blanks += padding;
    blanks += kGap;
  }
  out << '\n';
}

}  // namespace

bool Table::has_titles() const {
  return std::ranges::any_of(columns_, [](const Column& column) { return !column.title.empty(); });
}

std::vector<size_t> Table::natural_widths() const {
  std::vector<size_t> widths(columns_.size());
  for (size_t i = 0; i < columns_.size(); ++i) widths[i] = column_count(columns_[i].title);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], column_count(row[i].text));
    }
  }
  return widths;
}

std::vector<size_t> Table::fit_columns(size_t available) const {
  std::vector<size_t> widths = natural_widths();
  if (narrow_columns(widths, available, Least::kReadable)) return widths;
  // A last column without a title is a remark: better none than names nobody can read.
  const bool has_remark =
      !columns_.empty() && columns_.back().title.empty() && columns_.back().cut != Cut::kNever;
  if (has_remark) {
    widths = natural_widths();
    widths.back() = 0;
    if (narrow_columns(widths, available, Least::kReadable)) return widths;
  }
  narrow_columns(widths, available, Least::kFewLetters);
  return widths;
}

// Takes from the widest that may still become narrower, until all fit. False: they do not.
bool Table::narrow_columns(std::vector<size_t>& widths, size_t available, Least least) const {
  const auto total = [&] {
    size_t sum = 0;
    for (size_t width : widths) sum += width == 0 ? 0 : width + kGap;
    return sum == 0 ? 0 : sum - kGap;
  };
  for (size_t excess = total(); excess > available; --excess) {
    size_t* widest = nullptr;
    for (size_t i = 0; i < widths.size(); ++i) {
      const size_t minimum = least == Least::kReadable ? columns_[i].min_columns : kFewLetters;
      if (columns_[i].cut == Cut::kNever || widths[i] <= minimum) continue;
      if (widest == nullptr || widths[i] >= *widest) widest = &widths[i];
    }
    if (widest == nullptr) return false;
    --*widest;
  }
  return true;
}

std::string entry_number(size_t number) {
  std::string text = std::to_string(number) + ". ";
  if (text.size() < kEntryIndent) text.resize(kEntryIndent, ' ');
  return text;
}

void Table::print(std::ostream& out, const Terminal& terminal, size_t indent) const {
  const size_t available = terminal.columns > indent ? terminal.columns - indent : 0;
  const std::vector<size_t> widths = fit_columns(available);
  if (has_titles()) {
    std::vector<Cell> titles;
    for (const Column& column : columns_) titles.emplace_back(column.title, Paint::kDim);
    print_row(out, terminal, indent, columns_, widths, titles);
  }
  for (const auto& row : rows_) print_row(out, terminal, indent, columns_, widths, row);
}

}  // namespace memlens::report
