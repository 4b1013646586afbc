#include "report/terminal/terminal.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace memlens::report {
namespace {

constexpr size_t kMinColumns = 70;
constexpr size_t kMaxColumns = 400;
constexpr size_t kColumnsOfFiles = 100;

size_t detect_columns(int descriptor) {
  if (const char* text = std::getenv("COLUMNS")) {
    const long columns = std::strtol(text, nullptr, 10);
    if (columns > 0) return static_cast<size_t>(columns);
  }
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kColumnsOfFiles;
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

std::string Terminal::paint(Paint paint, std::string_view text) const {
  static constexpr const char* kCodes[] = {"", "1", "2", "1;31", "33"};
  if (!color || paint == Paint::kPlain || text.empty()) return std::string(text);
  return std::string("\x1b[")
      .append(kCodes[static_cast<unsigned>(paint)])
      .append("m")
      .append(text)
      .append("\x1b[0m");
}

Terminal detect_terminal(int descriptor) {
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  Terminal terminal;
  terminal.columns = std::clamp(detect_columns(descriptor), kMinColumns, kMaxColumns);
  terminal.unicode = std::string_view(nl_langinfo(CODESET)) == "UTF-8";
  terminal.color = isatty(descriptor) == 1 && !dumb && !is_set("NO_COLOR");
  return terminal;
}

}  // namespace memlens::report
