#include "report/cli/text_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace memlens::report::cli {
namespace {

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw std::runtime_error(path + ": cannot be " + what + ": " + std::strerror(errno));
}

}  // namespace

std::string read_text_file(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(path, "opened");
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad()) fail(path, "read");
  return std::move(text).str();
}

}  // namespace memlens::report::cli
