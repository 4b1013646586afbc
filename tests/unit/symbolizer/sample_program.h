// A small C++ library compiled by the tests, with the places a test wants to resolve marked by
// symbols of their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace memlens::symbolizer::testing {

std::string build_id_of_file(const std::string& path);

class SampleProgram {
 public:
  // Compiles into a fresh directory with `flags` (-g, -gdwarf-4 ...). Fails the test on an error.
  explicit SampleProgram(const std::string& flags);
  ~SampleProgram();

  const std::filesystem::path& directory() const { return directory_; }
  std::string source_path() const { return (directory_ / "sample.cpp").string(); }
  std::string path() const { return (directory_ / "libsample.so").string(); }

  // Addresses of the marks, as the unstripped library had them: "block", "inlined", "lambda",
  // "plain".
  uint64_t address_of(const std::string& mark) const { return marks_.at(mark); }
  // The line that ends with the comment "// <what>".
  static uint32_t line_of(const std::string& what);

  std::string build_id() const { return build_id_of_file(path()); }

  // Runs a shell command in the directory; the test fails when it does.
  void run(const std::string& command) const;

 private:
  std::filesystem::path directory_;
  std::map<std::string, uint64_t> marks_;
};

}  // namespace memlens::symbolizer::testing
