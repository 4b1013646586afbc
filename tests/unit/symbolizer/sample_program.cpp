#include "tests/unit/symbolizer/sample_program.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "interposer/symbolizer/debug_files.h"

namespace memlens::symbolizer::testing {
namespace {

constexpr const char* kSource = R"(
#define MARK(name) asm volatile("mark_" #name ": nop")
namespace shapes {
namespace {
[[gnu::always_inline]] inline int innermost(int x) {
  MARK(inlined);  // inlined
  return x * 3;
}
[[gnu::always_inline]] inline int middle(int x) {
  return innermost(x) + 1;  // middle
}
}  // namespace
template <typename T> struct Square {
  T side;
  [[gnu::noinline]] T area() const;
};
template <typename T> T Square<T>::area() const {
  return middle(side) * side;  // area
}
template struct Square<int>;
}  // namespace shapes
template <typename F> [[gnu::noinline]] int call(F f) { return f(2) + 1; }
extern "C" int with_lambda(int x) {
  return call([x](int y) __attribute__((noinline)) {
    MARK(lambda);  // lambda
    return x + y;
  });
}
extern "C" int with_inlined_lambda(int x) {
  if (x > 3) {
    const int twice = x * 2;
    x += [twice](int y) __attribute__((always_inline)) {
      MARK(block);  // block
      return twice + y;
    }(x);
  }
  return x;
}
static int __attribute__((noinline, used)) plain_function(int x) {
  MARK(plain);  // plain
  return x - 1;
}
extern "C" int entry(int x) { return plain_function(x) * 2; }
)";

}  // namespace

std::string build_id_of_file(const std::string& path) {
  elf_version(EV_CURRENT);
  const int descriptor = open(path.c_str(), O_RDONLY);
  Elf* elf = elf_begin(descriptor, ELF_C_READ_MMAP, nullptr);
  REQUIRE(elf != nullptr);
  std::string id = build_id_of(elf);
  elf_end(elf);
  close(descriptor);
  return id;
}

SampleProgram::SampleProgram(const std::string& flags) {
  std::string name = (std::filesystem::temp_directory_path() / "memlens-symbols-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  directory_ = std::filesystem::canonical(name);
  std::ofstream(source_path()) << kSource;
  run(std::string(MEMLENS_TEST_CXX) + " -std=c++20 -O2 -fPIC -shared -Wl,--build-id " + flags +
      " -o libsample.so '" + source_path() + "'");
  run("nm libsample.so > marks");
  std::ifstream lines(directory_ / "marks");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string address, type, symbol;
    fields >> address >> type >> symbol;
    if (symbol.starts_with("mark_")) marks_[symbol.substr(5)] = std::stoull(address, nullptr, 16);
  }
  REQUIRE(marks_.size() == 4);
  // The marks would be names of their own.
  run("objcopy --wildcard --strip-symbol='mark_*' libsample.so");
}

SampleProgram::~SampleProgram() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

uint32_t SampleProgram::line_of(const std::string& what) {
  std::istringstream lines(kSource);
  uint32_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.ends_with("// " + what)) return number;
  }
  FAIL("no line is marked " << what);
  return 0;
}

void SampleProgram::run(const std::string& command) const {
  const std::string line = "cd '" + directory_.string() + "' && " + command;
  INFO(line);
  REQUIRE(std::system(line.c_str()) == 0);
}

}  // namespace memlens::symbolizer::testing
