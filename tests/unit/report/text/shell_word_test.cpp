#include "report/text/shell_word.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>

using namespace memlens::report;

namespace {

std::string output_of_bash(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> text;
  return {text.data(), std::fread(text.data(), 1, text.size(), pipe.get())};
}

}  // namespace

TEST_CASE("plain words stay as they are, others are quoted") {
  CHECK(shell_word("app.mlens") == "app.mlens");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("two words") == "'two words'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("caf\xc3\xa9") == "'caf\xc3\xa9'");
  CHECK(shell_word("a\nb") == "$'a\\012b'");
  CHECK(shell_path("-x") == "./-x");
  CHECK(shell_path("a/-x") == "a/-x");
}

TEST_CASE("what is quoted means the same to a shell") {
  std::string every;
  for (int c = 1; c < 256; ++c) every += static_cast<char>(c);
  for (const std::string& word :
       {every, std::string("$(x) `y` \\ \" ' !"), std::string("\x1b[31m'\\1"), std::string("~"),
        std::string("\xe2\x80\xae'\\8"), std::string("#a")}) {
    // Through a file: sh -c of popen is no bash.
    char path[] = "/tmp/memlens-shell-word-XXXXXX";
    const int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    FILE* file = fdopen(fd, "w");
    std::fprintf(file, "printf %%s %s", shell_word(word).c_str());
    std::fclose(file);
    CHECK(output_of_bash(std::string("bash ") + path) == word);
    std::remove(path);
  }
}
