#include "report/terminal/explain_report.h"

#include <algorithm>
#include <span>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/terminal/table.h"
#include "report/terminal/wording.h"

namespace memlens::report {
namespace {

Paint paint_of(Severity severity) {
  switch (severity) {
    case Severity::kHigh:
      return Paint::kHot;
    case Severity::kMedium:
      return Paint::kWarm;
    case Severity::kLow:
      break;
  }
  return Paint::kBold;
}

// Words fill lines; what follows the first is indented.
void print_wrapped(std::ostream& out, const std::string& text, size_t indent, size_t columns) {
  size_t column = indent;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    const size_t width = column_count(word);
    if (column > indent && column + 1 + width > columns) {
      out << '\n' << std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out << ' ';
      ++column;
    }
    out << word;
    column += width;
    begin = end + 1;
  }
  out << '\n';
}

std::string plain(const std::string& text, bool unicode) {
  if (unicode) return text;
  std::string ascii;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 3, "…") == 0) {
      ascii += "..";
      i += 2;
    } else {
      ascii += static_cast<unsigned char>(text[i]) < 0x80 ? text[i] : '?';
    }
  }
  return ascii;
}

}  // namespace

void print_explain_report(std::ostream& out, const Terminal& terminal,
                          const reader::CaptureInfo& info, const std::vector<Finding>& findings) {
  out << capture_heading(info, terminal) << '\n';
  for (size_t i = 0; i < findings.size(); ++i) {
    const Finding& finding = findings[i];
    out << '\n'
        << entry_number(i + 1) << terminal.paint(paint_of(finding.severity), finding_title(finding))
        << '\n'
        << std::string(kEntryIndent, ' ');
    print_wrapped(out, plain(finding.text, terminal.unicode), kEntryIndent, terminal.columns);
  }
}

void print_first_findings(std::ostream& out, const Terminal& terminal,
                          const std::vector<Finding>& findings) {
  const size_t shown = std::min(kFirstFindings, findings.size());
  for (const Finding& finding : std::span(findings).first(shown)) {
    const std::string title = finding_title(finding) + ": ";
    out << "  " << terminal.paint(paint_of(finding.severity), title);
    // The title's columns are of the first line.
    std::string text = plain(finding.text, terminal.unicode);
    const size_t first =
        terminal.columns > title.size() + 2 ? terminal.columns - title.size() - 2 : 1;
    size_t end = text.size();
    if (column_count(text) > first) {
      end = text.rfind(' ', first);
      if (end == std::string::npos) end = text.find(' ');
    }
    end = std::min(end, text.size());
    out << text.substr(0, end) << '\n';
    if (end < text.size()) {
      out << std::string(kEntryIndent, ' ');
      print_wrapped(out, text.substr(end + 1), kEntryIndent, terminal.columns);
    }
  }
  if (shown > 0) out << '\n';
}

void print_explain_markdown(std::ostream& out, const reader::CaptureInfo& info,
                            const std::vector<Finding>& findings) {
  // What a program is called is no markup.
  const auto code = [](std::string text) {
    std::ranges::replace(text, '`', '\'');
    return "`" + text + "`";
  };
  const auto escaped = [](const std::string& text) {
    std::string result;
    for (const char c : printable(text)) {
      if (std::string_view("\\`*_{}[]<>#|").find(c) != std::string_view::npos) result += '\\';
      result += c;
    }
    return result;
  };
  out << "# Memory of " << code(command_text(info.command)) << "\n\n";
  if (info.python) out << "Python " << escaped(*info.python) << ", ";
  out << format_seconds(info.duration_seconds) << ", " << format_count(info.processes.size())
      << (info.processes.size() == 1 ? " process" : " processes") << ", recorded by memlens"
      << (info.complete  ? ""
          : info.running ? ", still running"
                         : ", ended early")
      << ".\n\n";
  for (size_t i = 0; i < findings.size(); ++i) {
    out << i + 1 << ". **" << finding_title(findings[i]) << "**: " << escaped(findings[i].text)
        << '\n';
    const reader::Frame* place = findings[i].place;
    if (place != nullptr && !place->source.empty()) {
      out << "   " << code(printable(place->source)) << '\n';
    }
  }
}

}  // namespace memlens::report
