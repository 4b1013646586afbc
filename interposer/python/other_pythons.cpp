#include "interposer/python/other_pythons.h"

#include <climits>
#include <cstring>

#include "interposer/loader/program_path.h"
#include "interposer/python/symbol_lookup.h"

namespace memlens::interposer::python {
namespace {

// GraalPy's interpreter is machine code without names of its own, loaded by its launcher.
bool is_graalpy_launcher() {
  constexpr char kLauncher[] = "graalpy";
  char path[PATH_MAX];
  const size_t length = program_path(path, sizeof path);
  size_t start = length;
  while (start > 0 && path[start - 1] != '/') --start;
  return length - start >= sizeof kLauncher - 1 &&
         std::memcmp(path + start, kLauncher, sizeof kLauncher - 1) == 0;
}

}  // namespace

const char* other_python() {
  if (find_symbol("pypy_main_startup") != nullptr ||
      find_symbol("pypy_execute_source") != nullptr) {
    return "PyPy";
  }
  return is_graalpy_launcher() ? "GraalPy" : nullptr;
}

}  // namespace memlens::interposer::python
