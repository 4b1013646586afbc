#include "report/cli/run/run_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "interposer/recording/python_script.h"
#include "interposer/recording/run_error.h"
#include "report/cli/options/help_format.h"
#include "report/cli/run/mark_options.h"
#include "report/cli/run/rotation_options.h"
#include "report/cli/run/sample_option.h"

namespace memlens::report::cli {
namespace {

using recording::is_meant_for_python;
using recording::kOwnFailure;
using recording::ProgramForm;
using recording::RunError;

constexpr const char* kForms = R"(
Forms:
  memlens run [options] SCRIPT.py [args...]     a Python script (also .pyz, a folder or archive with
                                                a __main__.py), by python3 on PATH or --python
  memlens run [options] -m MODULE [args...]     a Python module
  memlens run [options] -c CODE [args...]       Python code
  memlens run [options] [--] PROGRAM [args...]  anything executable

The program's input, output and exit code are its own; memlens speaks on stderr. Ctrl-C goes to the
program; a second one within five seconds, or one after the program has left daemons behind, ends
the recording with a good capture.

Exit code: the program's; 128+n when signal n killed it; 125 when memlens failed before it started,
126 when it cannot be run, 127 when it is not found.)";

bool is_one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool takes_a_value(const std::string& option) {
  return is_one_of(option, {"-o", "--output", "--python", "--sample", "--max-size", "--keep",
                            "--mark-every", "--report"});
}

}  // namespace

RunLine split_run_line(const std::vector<std::string>& arguments) {
  RunLine line;
  bool python_given = false;
  const auto rest_from = [&](size_t i) {
    line.program.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
  };
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const bool module = word.compare(0, 2, "-m") == 0;
    const bool code = word.compare(0, 2, "-c") == 0;
    if (module || code) {
      line.form = module ? ProgramForm::kPythonModule : ProgramForm::kPythonCode;
      rest_from(i + 1);
      if (word.size() > 2) line.program.insert(line.program.begin(), word.substr(2));
      return line;
    }
    if (word == "--") {
      rest_from(i + 1);
      // What was named a program is one, but for a script that can only be meant for Python.
      if (!line.program.empty() && access(line.program[0].c_str(), X_OK) != 0 &&
          is_meant_for_python(line.program[0], python_given)) {
        line.form = ProgramForm::kPythonScript;
      }
      return line;
    }
    if (word.size() < 2 || word[0] != '-') {
      rest_from(i);
      if (is_meant_for_python(word, python_given)) line.form = ProgramForm::kPythonScript;
      return line;
    }
    line.own_arguments.push_back(word);
    python_given |= word.starts_with("--python");
    if (takes_a_value(word) && i + 1 < arguments.size()) {
      line.own_arguments.push_back(arguments[++i]);
    }
  }
  return line;
}

void add_run_options(CLI::App& app, RunOptions& options) {
  app.add_option("-o,--output", options.output,
                 "Capture to write (memlens-<name>-<pid>.mlens); %p pid, %h host, %t time")
      ->type_name("FILE");
  app.add_flag("-f,--force", options.force, "Overwrite an existing capture");
  CLI::Option* on = app.add_flag_callback(
      "--native", [&options] { options.native = true; },
      "Record native frames (default: programs)");
  app.add_flag_callback(
         "--no-native", [&options] { options.native = false; },
         "Python frames only (default: Python scripts)")
      ->excludes(on);
  app.add_flag("!--no-python-allocators", options.python_allocators,
               "Only malloc and its like, not each Python object");
  add_sample_option(app, options.sample_bytes);
  add_rotation_options(app, options.rotation);
  add_mark_options(app, options.marks);
  app.add_flag("--dormant", options.dormant,
               "Record nothing until 'memlens attach' wakes the program");
  app.add_flag("!--no-follow", options.follow, "Only the first process, not its children");
  app.add_flag("!--no-source", options.source, "Do not store the text of source lines");
  app.add_flag("--debuginfod", options.debuginfod,
               "Ask the servers in DEBUGINFOD_URLS for missing debug files");
  app.add_option("--python", options.python,
                 "Python to run scripts with (the active environment's, or PATH's python3)")
      ->type_name("PATH");
  app.add_option("--report", options.report,
                 "Write the HTML page as well, as 'memlens flamegraph' does")
      ->type_name("FILE.html");
  app.add_flag("-q,--quiet", options.quiet, "Say nothing but errors");
  app.footer(kForms);
}

std::optional<RunOptions> parse_run_options(const std::vector<std::string>& arguments) {
  RunLine line = split_run_line(arguments);
  RunOptions options;
  options.form = line.form;
  options.program = std::move(line.program);

  CLI::App app("Record a Python script or any other program, with its children, into one capture.",
               "memlens run");
  use_help_format(app);
  add_run_options(app, options);
  app.get_formatter()->column_width(30);
  try {
    std::vector<std::string> reversed(line.own_arguments.rbegin(), line.own_arguments.rend());
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return {};
  } catch (const CLI::ParseError& error) {
    throw RunError(kOwnFailure, std::string(error.what()) + " (see 'memlens run --help')");
  }
  if (options.program.empty()) {
    throw RunError(kOwnFailure, "what shall be run? (see 'memlens run --help')");
  }
  return options;
}

}  // namespace memlens::report::cli
