// Columns that line up and fit the terminal.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "report/terminal/terminal.h"

namespace memlens::report {

enum class Align : unsigned char { kLeft, kRight };

// What of a text is left out when its column has to be narrower than it: a path loses folders.
enum class Cut : unsigned char { kNever, kFolders, kEnd };

struct Column {
  std::string title = {};
  Align align = Align::kLeft;
  Cut cut = Cut::kNever;
  size_t min_columns = 0;  // of a column that may be cut: narrower only when nothing else helps
};

// A text, printable; made from one without ceremony.
struct Cell {
  Cell() = default;
  Cell(const char* cell_text) : text(cell_text) {}
  Cell(std::string cell_text) : text(std::move(cell_text)) {}
  Cell(std::string cell_text, Paint cell_paint) : text(std::move(cell_text)), paint(cell_paint) {}

  std::string text;
  Paint paint = Paint::kPlain;
};

// How far a report's tables, and what belongs to a numbered entry, stand from the left.
inline constexpr size_t kTableIndent = 2;
inline constexpr size_t kEntryIndent = 4;

// "1.  ", "12. ": the number of an entry, as wide as what belongs to it stands from the left.
std::string entry_number(size_t number);

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add_row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }

  // Titles are printed when a column has one. When the rows are too wide, the widest columns that
  // may be cut become narrower.
  void print(std::ostream& out, const Terminal& terminal, size_t indent) const;

 private:
  std::vector<size_t> natural_widths() const;
  std::vector<size_t> fit_columns(size_t available) const;
  // What narrowing leaves of a column: its own minimum, or hardly anything.
  enum class Least : unsigned char { kReadable, kFewLetters };
  bool narrow_columns(std::vector<size_t>& widths, size_t available, Least least) const;
  bool has_titles() const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace memlens::report
