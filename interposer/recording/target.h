// What is really started for a command line: the executable, its arguments, and whether it can be
// recorded.
#pragma once

#include <string>
#include <vector>

namespace memlens::recording {

enum class ProgramForm { kProgram, kPythonScript, kPythonModule, kPythonCode };

struct RequestedProgram {
  ProgramForm form = ProgramForm::kProgram;
  // The program, script, module or code first, then its arguments.
  std::vector<std::string> program;
  std::string python;  // the interpreter; empty: python3 on PATH
};

struct Target {
  std::string executable;  // what exec is given
  std::vector<std::string> arguments;
  std::string name;     // for the capture's name
  bool python = false;  // runs in a Python interpreter, as far as can be told beforehand
  // Why it cannot be recorded ("is linked statically"); empty: it can, as far as can be told.
  std::string obstacle;
  bool preload = true;  // false: with our library in LD_PRELOAD it would not start
};

// Throws RunError: not found (127) or not executable (126).
Target find_target(const RequestedProgram& requested);

// The name of a script, module or program as the capture's name says it.
std::string capture_name(ProgramForm form, const std::string& program);
// The same of a command line that runs `executable`: `python3 app.py` is app's run, not python3's.
std::string capture_name(const std::vector<std::string>& command, const std::string& executable);

}  // namespace memlens::recording
