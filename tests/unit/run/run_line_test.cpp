#include "report/cli/run/run_line.h"

#include <doctest/doctest.h>

#include "interposer/recording/run_error.h"

using namespace memlens::report::cli;
using memlens::recording::RunError;
using Words = std::vector<std::string>;

TEST_CASE("everything from the program on is the program's") {
  const RunLine line = split_run_line({"-q", "-o", "x", "--native", "prog", "-o", "-m", "--"});
  CHECK(line.own_arguments == Words{"-q", "-o", "x", "--native"});
  CHECK(line.form == ProgramForm::kProgram);
  CHECK(line.program == Words{"prog", "-o", "-m", "--"});
}

TEST_CASE("the forms are told apart") {
  CHECK(split_run_line({"app.py", "1"}).form == ProgramForm::kPythonScript);
  CHECK(split_run_line({"--", "/bin/ls"}).form == ProgramForm::kProgram);
  const RunLine module = split_run_line({"-f", "-m", "http.server", "--native"});
  CHECK(module.form == ProgramForm::kPythonModule);
  CHECK(module.program == Words{"http.server", "--native"});
  const RunLine code = split_run_line({"-cprint(1)", "x"});
  CHECK(code.form == ProgramForm::kPythonCode);
  CHECK(code.program == Words{"print(1)", "x"});
  // A script that cannot be executed can only be meant for Python, whatever the dashes say.
  CHECK(split_run_line({"--", "no-such.py"}).form == ProgramForm::kPythonScript);
}

TEST_CASE("options are read, and native stays open when nobody asked") {
  const auto options = parse_run_options({"--no-follow", "--no-python-allocators", "true"});
  REQUIRE(options);
  CHECK_FALSE(options->follow);
  CHECK_FALSE(options->python_allocators);
  CHECK_FALSE(options->native.has_value());
  CHECK(parse_run_options({"--native", "x"})->native == true);
  CHECK(parse_run_options({"--no-native", "x"})->native == false);
}

TEST_CASE("wrong usage is memlens's own failure") {
  CHECK_THROWS_AS(parse_run_options({}), RunError);
  CHECK_THROWS_AS(parse_run_options({"--nonsense", "x"}), RunError);
  CHECK_THROWS_AS(parse_run_options({"--native", "--no-native", "x"}), RunError);
}
