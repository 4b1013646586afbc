#include "report/exports/check_formats.h"

#include <algorithm>

#include "reader/text/columns.h"
#include "report/terminal/check_report.h"
#include "report/text/xml_text.h"

namespace memlens::report {
namespace {

// A workflow command ends with its line; of its properties, commas and colons part them.
std::string github_escaped(const std::string& text, bool in_property) {
  std::string escaped;
  for (const char c : text) {
    if (c == '%') {
      escaped += "%25";
    } else if (c == '\r') {
      escaped += "%0D";
    } else if (c == '\n') {
      escaped += "%0A";
    } else if (in_property && c == ':') {
      escaped += "%3A";
    } else if (in_property && c == ',') {
      escaped += "%2C";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string markdown_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '<') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string place_properties(const CheckPlace& place) {
  // A file without a path into the repository would be an annotation nobody sees.
  if (place.file.empty() || place.file.starts_with('<')) return "";
  std::string text = "file=" + github_escaped(place.file, true) + ",";
  if (place.line != 0) text += "line=" + std::to_string(place.line) + ",";
  return text;
}

}  // namespace

void write_github_annotations(std::ostream& out, const CheckResult& result) {
  for (const CheckedLimit& limit : result.limits) {
    if (limit.holds()) continue;
    out << "::error " << (limit.place ? place_properties(*limit.place) : "") << "title=memlens "
        << github_escaped(limit.name, true)
        << "::" << github_escaped(limit.name + ": " + check_sentence(limit, true), false) << '\n';
  }
  for (const Suppression& suppression : result.suppressions) {
    if (suppression.stacks > 0) continue;
    out << "::warning file=" << github_escaped(result.suppressions_file, true)
        << ",line=" << suppression.line << ",title=memlens suppression::"
        << github_escaped("leak:" + suppression.pattern + " suppresses nothing", false) << '\n';
  }
}

void write_github_summary(std::ostream& out, const CheckResult& result) {
  out << "### memlens check: " << (result.holds() ? "all limits hold" : "a limit does not hold")
      << "\n\n| limit | | allowed | value | place |\n|---|---|--:|--:|---|\n";
  for (const CheckedLimit& limit : result.limits) {
    out << "| " << limit.name << " | " << (limit.holds() ? "ok" : "**fails**") << " | "
        << check_amount(limit.unit, limit.limit) << " | " << check_amount(limit.unit, limit.value)
        << " | " << (limit.place ? markdown_escaped(check_place_text(*limit.place)) : "") << " |\n";
  }
  out << '\n';
}

void write_junit_xml(std::ostream& out, const CheckResult& result) {
  const auto failures = std::ranges::count_if(
      result.limits, [](const CheckedLimit& limit) { return !limit.holds(); });
  const std::string counts = "tests=\"" + std::to_string(result.limits.size()) + "\" failures=\"" +
                             std::to_string(failures) + "\" errors=\"0\"";
  const std::string capture = xml_escaped(printable(result.capture));
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      << "<testsuites name=\"memlens\" " << counts << ">\n"
      << "  <testsuite name=\"memlens check\" " << counts << " skipped=\"0\">\n";
  for (const CheckedLimit& limit : result.limits) {
    const std::string sentence = xml_escaped(check_sentence(limit, true));
    out << "    <testcase classname=\"memlens." << capture << "\" name=\"" << limit.name << '"';
    if (limit.place && !limit.place->file.empty()) {
      out << " file=\"" << xml_escaped(printable(limit.place->file)) << "\" line=\""
          << limit.place->line << '"';
    }
    if (limit.holds()) {
      out << ">\n      <system-out>" << sentence << "</system-out>\n    </testcase>\n";
    } else {
      out << ">\n      <failure type=\"limit\" message=\"" << sentence << "\">" << sentence
          << "</failure>\n    </testcase>\n";
    }
  }
  out << "  </testsuite>\n</testsuites>\n";
}

}  // namespace memlens::report
