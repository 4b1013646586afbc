#include "report/terminal/check_report.h"

#include <algorithm>
#include <cmath>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/text/change_units.h"

namespace memlens::report {
namespace {

std::string place_amount(const CheckedLimit& limit) {
  const bool counts = limit.unit == CheckUnit::kAllocations;
  const CheckPlace& place = *limit.place;
  if (limit.place_change) {
    return counts ? format_count_change(*limit.place_change)
                  : format_bytes_change(*limit.place_change);
  }
  return counts ? format_count(place.blocks) : format_bytes(place.bytes);
}

const char* place_word(const CheckedLimit& limit) {
  if (limit.unit == CheckUnit::kBytesPerSecond || limit.place_change) return "grew most: ";
  return "most: ";
}

void print_suppressions(std::ostream& out, const CheckResult& result) {
  Suppression all;
  size_t used = 0;
  for (const Suppression& suppression : result.suppressions) {
    all.stacks += suppression.stacks;
    all.tally += suppression.tally;
    if (suppression.stacks > 0) ++used;
  }
  if (used > 0) {
    out << "suppressed: " << format_bytes(all.tally.bytes) << " in "
        << format_count_of(all.tally.blocks, "block") << " of "
        << format_count_of(all.stacks, "stack") << ", by " << format_count_of(used, "suppression")
        << '\n';
  }
  for (const Suppression& suppression : result.suppressions) {
    if (suppression.stacks > 0) {
      out << "  leak:" << printable(suppression.pattern) << "  "
          << format_bytes(suppression.tally.bytes) << " in "
          << format_count_of(suppression.tally.blocks, "block") << " of "
          << format_count_of(suppression.stacks, "stack") << '\n';
    } else {
      out << "unused suppression: leak:" << printable(suppression.pattern) << " ("
          << printable(result.suppressions_file) << ":" << suppression.line << ")\n";
    }
  }
}

}  // namespace

std::string check_amount(CheckUnit unit, double amount) {
  switch (unit) {
    case CheckUnit::kBytes:
      return format_bytes(rounded(amount));
    case CheckUnit::kBytesPerSecond:
      return format_bytes(rounded(amount)) + "/s";
    case CheckUnit::kAllocations:
      break;
  }
  return format_count(rounded(amount));
}

std::string check_place_text(const CheckPlace& place) {
  std::string text = printable(place.function);
  if (place.file.empty()) return text;
  text += " (" + printable(place.file);
  if (place.line != 0) text += ":" + std::to_string(place.line);
  return text + ")";
}

std::string check_sentence(const CheckedLimit& limit, bool unicode) {
  std::string text = "limit " + check_amount(limit.unit, limit.limit);
  if (limit.baseline) {
    text += " (baseline " + check_amount(limit.unit, *limit.baseline) + ")";
  }
  text += ", value " + check_amount(limit.unit, limit.value);
  // What differs only in digits that are not shown is said to the byte.
  if (check_amount(limit.unit, limit.value) == check_amount(limit.unit, limit.limit) &&
      limit.value != limit.limit && limit.unit != CheckUnit::kAllocations) {
    text += " (" + format_count(rounded(limit.value)) + " of " +
            format_count(rounded(limit.limit)) + " bytes)";
  }
  const double variance = limit.error * limit.error;
  text += limit.unit == CheckUnit::kAllocations ? format_count_error(variance, unicode)
                                                : format_bytes_error(variance, unicode);
  if (limit.place) {
    text += std::string(", ") + place_word(limit) + check_place_text(*limit.place) + " " +
            place_amount(limit);
  }
  return text;
}

void print_check_report(std::ostream& out, const Terminal& terminal, const CheckResult& result) {
  size_t longest = 0;
  for (const CheckedLimit& limit : result.limits) longest = std::max(longest, limit.name.size());
  for (const CheckedLimit& limit : result.limits) {
    out << (limit.holds() ? "ok    " : terminal.paint(Paint::kHot, "FAIL  ")) << limit.name
        << std::string(longest + 2 - limit.name.size(), ' ')
        << check_sentence(limit, terminal.unicode) << '\n';
  }
  print_suppressions(out, result);
}

}  // namespace memlens::report
