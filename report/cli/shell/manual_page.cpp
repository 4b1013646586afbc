#include "report/cli/shell/manual_page.h"

#include <algorithm>
#include <cctype>
#include <sstream>

namespace memlens::report::cli {
namespace {

// What only the manual says, in man(7).
constexpr const char* kManualProse = R"(.SH EXIT STATUS
.TP
.B memlens run
The program's own; 128+n when signal n killed it; 125 when memlens failed before the program started,
126 when it cannot be run, 127 when it is not found.
.TP
.B memlens check
0 when every limit holds, 3 when one does not.
.TP
All others
0; 1 when a capture cannot be read or a report not be written, 2 when the command line is wrong.
.SH ENVIRONMENT
.TP
.B MEMLENS_OUTPUT
Where the capture goes of a program that was started with libmemlens.so in LD_PRELOAD and without
.BR "memlens run" .
.TP
.B MEMLENS_SAMPLE
What
.B \-\-sample
is to
.BR "memlens run" ,
for the same.
.TP
.B MEMLENS_DORMANT
1: such a program records nothing until
.B memlens attach
wakes it.
.TP
.B MEMLENS_NO_CACHE
1: reports read every event again, and keep nothing for the next.
.TP
.B VIRTUAL_ENV
The environment whose Python runs scripts, where
.B \-\-python
does not name one.
.TP
.B DEBUGINFOD_URLS
Servers that
.B \-\-debuginfod
asks.
.SH FILES
.TP
.I memlens\-NAME\-PID.mlens
A capture, in the folder where
.B memlens run
was started. It holds all that reports need, can be read on another machine, and by its owner only.
.TP
.I $XDG_CACHE_HOME/memlens
.RI "(else " ~/.cache/memlens )
Results kept for the next report, 512 MB at most. May be deleted at any time.
)";

// Text for man(7): no line is a request by accident, and hyphens stay what they are.
std::string roff_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else if ((c == '.' || c == '\'') && (result.empty() || result.back() == '\n')) {
      result += "\\&";
      result += c;
    } else {
      result += c;
    }
  }
  return result;
}

void write_manual_title(std::ostream& out, std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::toupper(c); });
  out << ".TH " << roff_text(name) << " 1 \"\" \"memlens " MEMLENS_VERSION "\" \"User Commands\"\n";
}

void write_manual_lines(std::ostream& out, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) out << roff_text(line) << '\n';
}

// The paragraphs of a footer. "Title:" and what is below it is a section, its lines as they stand:
// they are commands. Other paragraphs are prose.
void write_manual_footer(std::ostream& out, const std::string& footer) {
  std::istringstream stream(footer);
  std::vector<std::vector<std::string>> paragraphs(1);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) {
      paragraphs.back().push_back(line);
    } else if (!paragraphs.back().empty()) {
      paragraphs.emplace_back();
    }
  }
  for (std::vector<std::string>& lines : paragraphs) {
    if (lines.empty()) continue;
    if (lines.front().ends_with(':') && lines.size() > 1) {
      std::string title = lines.front().substr(0, lines.front().size() - 1);
      std::ranges::transform(title, title.begin(), [](unsigned char c) { return std::toupper(c); });
      lines.erase(lines.begin());
      out << ".SH " << roff_text(title) << "\n.nf\n";
      write_manual_lines(out, lines);
      out << ".fi\n";
    } else {
      out << ".PP\n";
      write_manual_lines(out, lines);
    }
  }
}

void write_manual_option(std::ostream& out, const OptionOutline& option) {
  out << ".TP\n";
  bool first = true;
  for (const std::string& name : option.names) {
    out << (first ? "" : ", ") << "\\fB" << roff_text(name) << "\\fR";
    first = false;
  }
  if (option.kind != ValueKind::kNone && option.names.front() != option.value)
    out << " \\fI" << roff_text(option.value) << "\\fR";
  out << '\n' << roff_text(option.description) << '\n';
}

// Where the footer's first section begins: a line "Title:", one word.
size_t first_section(const std::string& footer) {
  for (size_t begin = 0; begin < footer.size();) {
    const size_t end = std::min(footer.find('\n', begin), footer.size());
    if (end > begin && footer[end - 1] == ':' && footer.find(' ', begin) >= end) return begin;
    begin = end + 1;
  }
  return footer.size();
}

}  // namespace

void write_manual_page(std::ostream& out, const ProgramOutline& program) {
  write_manual_title(out, "memlens");
  out << ".SH NAME\nmemlens \\- records every allocation of a program and tells what they were\n"
         ".SH SYNOPSIS\n.B memlens\n.I COMMAND\n.RI [ options ]\n.I CAPTURE\n.br\n.B memlens run\n"
         ".RI [ options ]\n.I PROGRAM\n.RI [ arguments ]\n.SH DESCRIPTION\n"
      << roff_text(program.description) << "\n.SH COMMANDS\n";
  for (const CommandOutline& command : program.commands) {
    out << ".TP\n.BR memlens\\-" << roff_text(command.name) << " (1)\n"
        << roff_text(command.description) << '\n';
  }
  write_manual_footer(out, program.footer);
  out << kManualProse << ".SH SEE ALSO\n";
  for (const CommandOutline& command : program.commands) {
    out << ".BR memlens\\-" << roff_text(command.name) << " (1)"
        << (&command == &program.commands.back() ? "\n" : ",\n");
  }
}

void write_manual_page(std::ostream& out, const CommandOutline& command) {
  const size_t sections = first_section(command.footer);
  write_manual_title(out, "memlens-" + command.name);
  out << ".SH NAME\nmemlens\\-" << roff_text(command.name) << " \\- "
      << roff_text(command.description) << "\n.SH SYNOPSIS\n.B memlens " << roff_text(command.name)
      << "\n.RI [ options ]\n";
  if (command.takes_program) out << ".I PROGRAM\n.RI [ arguments ]\n";
  for (const OptionOutline& argument : command.arguments)
    out << ".I " << roff_text(argument.names.front()) << '\n';
  out << ".SH DESCRIPTION\n" << roff_text(command.description) << ".\n";
  write_manual_footer(out, command.footer.substr(0, sections));
  out << ".SH OPTIONS\n";
  for (const OptionOutline& argument : command.arguments) write_manual_option(out, argument);
  for (const OptionOutline& option : command.options) write_manual_option(out, option);
  write_manual_footer(out, command.footer.substr(sections));
  out << ".SH SEE ALSO\n.BR memlens (1)\n";
}

}  // namespace memlens::report::cli
