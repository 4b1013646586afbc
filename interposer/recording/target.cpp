#include "interposer/recording/target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "interposer/exec/exec_target.h"
#include "interposer/recording/command_output.h"
#include "interposer/recording/python_script.h"
#include "interposer/recording/run_error.h"

namespace memlens::recording {
namespace {

// Set by `python -m memlens`: its own sys.executable.
constexpr const char* kCallerVariable = "MEMLENS_CALLING_PYTHON";

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename(); }

// By its own name or, where that is a link, by the name of what it leads to.
bool is_python(const std::string& path) {
  if (is_python_path(path)) return true;
  std::error_code failed;
  const std::filesystem::path real = std::filesystem::canonical(path, failed);
  return !failed && is_python_name(real.filename());
}

// As a shell finds it. Throws RunError.
std::string find_executable(const std::string& name) {
  char buffer[PATH_MAX];
  const char* found = interposer::find_program(name.c_str(), buffer, sizeof buffer);
  if (found == nullptr) throw RunError(kNotFound, name + ": command not found");
  struct stat status {};
  if (stat(found, &status) != 0) throw RunError(kNotFound, name + ": " + strerror(errno));
  if (S_ISDIR(status.st_mode)) throw RunError(kCannotRun, name + ": is a directory");
  if (access(found, X_OK) != 0) throw RunError(kCannotRun, name + ": " + strerror(errno));
  return found;
}

// pyenv and its like put shell scripts in front of the interpreter. Recording the shell would add
// its allocations to the program's, so the script is asked what it stands for.
std::string follow_python_shim(const std::string& path) {
  if (interpreter_line(path).empty()) return path;
  std::string real = output_of({path, "-I", "-S", "-c", "import sys; print(sys.executable)"});
  return access(real.c_str(), X_OK) == 0 && !real.empty() ? real : path;
}

// The same for what pip installed (pytest, gunicorn): pyenv knows the file behind its shim.
std::string follow_pyenv_shim(const std::string& path) {
  if (interpreter_line(path).empty()) return path;
  std::ifstream file(path, std::ios::binary);
  std::string text(4096, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.find("pyenv\" exec \"$program\"") == std::string::npos) return path;
  std::string real = output_of({"pyenv", "which", file_name(path)});
  return !real.empty() && access(real.c_str(), X_OK) == 0 ? real : path;
}

namespace fs = std::filesystem;

// Where this program is.
fs::path own_folder() {
  std::error_code failed;
  return fs::read_symlink("/proc/self/exe", failed).parent_path();
}

bool is_environment(const fs::path& folder) {
  std::error_code failed;
  return fs::exists(folder.parent_path() / "pyvenv.cfg", failed);
}

// Made for memlens alone (uvx, uv tool, pipx): it has nothing of what a script imports.
bool is_made_for_us(const fs::path& folder) {
  if (folder != own_folder() || !is_environment(folder)) return false;
  for (const char* tools : {"/uv/tools/", "/archive-v", "/environments-v", "/pipx/"}) {
    if (folder.string().find(tools) != std::string::npos) return true;
  }
  return false;
}

std::string python_in(const fs::path& folder) {
  const std::string python = folder / "python3";
  return is_made_for_us(folder) || access(python.c_str(), X_OK) != 0 ? "" : python;
}

std::string python_on_path() {
  const char* path = getenv("PATH");
  if (path == nullptr || !is_made_for_us(own_folder())) return "python3";
  // uvx puts its environment first.
  std::stringstream folders{std::string(path)};
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (std::string python = python_in(folder); !folder.empty() && !python.empty()) {
      return python;
    }
  }
  return "python3";
}

// --python; what `python -m memlens` hands over; the active environment's; that of memlens's own;
// the one on PATH.
std::string wanted_python(const std::string& given) {
  if (!given.empty()) return given;
  const char* caller = getenv(kCallerVariable);
  if (caller != nullptr && access(caller, X_OK) == 0) return caller;
  if (const char* active = getenv("VIRTUAL_ENV"); active != nullptr && *active != '\0') {
    if (std::string python = python_in(fs::path(active) / "bin"); !python.empty()) {
      return python;
    }
  }
  if (is_environment(own_folder())) {
    if (std::string python = python_in(own_folder()); !python.empty()) return python;
  }
  return python_on_path();
}

std::string find_python(const std::string& given) {
  const std::string wanted = wanted_python(given);
  unsetenv(kCallerVariable);  // for us, and not for what is recorded
  return follow_python_shim(find_executable(wanted));
}

void look_for_obstacle(Target& target) {
  const interposer::Obstacle obstacle =
      interposer::inspect_program(AT_FDCWD, target.executable.c_str());
  if (obstacle != interposer::Obstacle::kNone) target.obstacle = interposer::explain(obstacle);
  target.preload = !interposer::forbids_preload(obstacle);
}

Target find_python_target(const RequestedProgram& requested) {
  Target target;
  target.python = true;
  target.executable = find_python(requested.python);
  target.arguments = {target.executable};
  if (requested.form == ProgramForm::kPythonModule) target.arguments.push_back("-m");
  if (requested.form == ProgramForm::kPythonCode) target.arguments.push_back("-c");
  if (requested.form == ProgramForm::kPythonScript && requested.program[0] != "-" &&
      access(requested.program[0].c_str(), F_OK) != 0) {
    throw RunError(kNotFound, requested.program[0] + ": " + strerror(errno));
  }
  target.arguments.insert(target.arguments.end(), requested.program.begin(),
                          requested.program.end());
  return target;
}

Target find_program_target(const RequestedProgram& requested) {
  Target target;
  target.arguments = requested.program;
  target.executable = find_executable(requested.program[0]);
  if (is_python(target.executable)) {
    target.python = true;
    const std::string real = follow_python_shim(target.executable);
    // The interpreter finds its own files by the name it was started under.
    if (real != target.executable) target.executable = target.arguments[0] = real;
  } else {
    const std::string real = follow_pyenv_shim(target.executable);
    if (real != target.executable) target.executable = target.arguments[0] = real;
    target.python = is_script_for_python(target.executable);
  }
  return target;
}

}  // namespace

std::string capture_name(ProgramForm form, const std::string& program) {
  if (form == ProgramForm::kPythonCode) return "python";
  std::string name = form == ProgramForm::kPythonModule ? program : file_name(program);
  if (name.empty()) name = std::filesystem::path(program).parent_path().filename();  // "folder/"
  if (name == "-") return "python";
  name = without_python_extension(name);
  return name.empty() || name == "." || name == ".." ? "program" : name;
}

std::string capture_name(const std::vector<std::string>& command, const std::string& executable) {
  if (is_python_path(executable) && command.size() > 1 && !command[1].empty() &&
      command[1][0] != '-') {
    return capture_name(ProgramForm::kPythonScript, command[1]);
  }
  return capture_name(ProgramForm::kProgram, executable);
}

Target find_target(const RequestedProgram& requested) {
  Target target = requested.form == ProgramForm::kProgram ? find_program_target(requested)
                                                          : find_python_target(requested);
  target.name = requested.form == ProgramForm::kProgram
                    ? capture_name(requested.program, requested.program[0])
                    : capture_name(requested.form, requested.program[0]);
  look_for_obstacle(target);
  return target;
}

}  // namespace memlens::recording
