#include "report/cli/python_package.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace memlens::report::cli {
namespace {

// Says what is missing where `import memlens` fails. Of a source tree, the package is there too.
constexpr const char* kStartPackage =
    "import sys\n"
    "try:\n"
    "  from memlens.__main__ import main\n"
    "except ImportError as error:\n"
    "  sys.exit('memlens: %s needs the Python package: pip install memlens (%s: %s)'\n"
    "           % (sys.argv[1], sys.executable, error))\n"
    "main()\n";

bool asks_for(const std::vector<std::string>& arguments, const char* option, const char* value) {
  const std::string joined = std::string(option) + "=" + value;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == joined) return true;
    if (arguments[i] == option && i + 1 < arguments.size() && arguments[i + 1] == value)
      return true;
  }
  return false;
}

bool names_picture(const std::vector<std::string>& arguments) {
  return std::ranges::any_of(arguments, [](const std::string& word) {
    return word.ends_with(".png") || word.ends_with(".pdf") || word.ends_with(".jpg");
  });
}

}  // namespace

void add_push_command(CLI::App& app, Action&) {
  CLI::App* command =
      app.add_subcommand("push", "Send profiles to Pyroscope or Parca, on a schedule");
  command->footer(
      "By the Python package: `memlens push --help` says more where that is installed.\n\n"
      "Examples:\n"
      "  memlens push app.mlens --url http://localhost:4040 --name shop\n"
      "  memlens push 4711 --url http://localhost:4040 --name shop --every 60s --for 10s");
  command->add_option("PID|CAPTURE")->option_text(" ");
}

bool is_for_python_package(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return false;
  if (arguments[0] == "push") return true;
  if (arguments[0] == "export") return asks_for(arguments, "--format", "parquet");
  return arguments[0] == "plot" && names_picture(arguments);
}

void become_python_package(const std::vector<std::string>& arguments) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const fs::path beside = folder / "python3";
  const fs::path source = folder / "../../python";
  if (fs::exists(source / "memlens/_push.py", ignored)) {
    const char* before = getenv("PYTHONPATH");
    const std::string path =
        source.lexically_normal().string() + (before != nullptr ? std::string(":") + before : "");
    setenv("PYTHONPATH", path.c_str(), 1);
  }
  setenv("MEMLENS_PROGRAM", (folder / "memlens").c_str(), 0);
  std::vector<std::string> words = {"python3", "-c", kStartPackage};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  if (access(beside.c_str(), X_OK) == 0) {
    // By its path: an environment's Python that goes by a mere name looks for itself on PATH.
    std::string path = beside.string();
    pointers[0] = path.data();
    execv(path.c_str(), pointers.data());
    pointers[0] = words[0].data();
  }
  execvp("python3", pointers.data());
  throw std::runtime_error(
      arguments[0] + " needs the Python package, and there is no python3: " + std::strerror(errno));
}

}  // namespace memlens::report::cli
