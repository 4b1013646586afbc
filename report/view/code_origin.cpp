#include "report/view/code_origin.h"

#include <algorithm>

#include "reader/text/base_name.h"
#include "report/view/native_code.h"
#include "report/view/python_code.h"

namespace memlens::report {
namespace {

std::string_view folder_of(std::string_view path) { return path.substr(0, path.rfind('/') + 1); }

std::string with_slash(std::string folder) {
  if (!folder.ends_with('/')) folder += '/';
  return folder;
}

// Made absolute and without "." and "..", by text alone: the capture may be of another machine.
std::string normal_path(std::string_view path, std::string_view working_directory) {
  std::string whole(path);
  if (!path.starts_with('/')) whole = std::string(working_directory) + "/" + whole;
  std::string normal;
  for (size_t begin = 0; begin < whole.size();) {
    const size_t end = std::min(whole.find('/', begin), whole.size());
    const std::string part = whole.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      normal.resize(std::min(normal.size(), normal.rfind('/')));
    } else {
      normal += "/" + part;
    }
  }
  return normal.empty() ? "/" : normal;
}

// The folder of the script that an interpreter was given; empty: none.
std::string script_folder(const std::vector<std::string>& command,
                          std::string_view working_directory) {
  for (size_t i = 1; i < command.size(); ++i) {
    const std::string& argument = command[i];
    if (argument == "-c" || argument == "-m") return "";
    if (argument.starts_with('-') || argument.empty()) continue;
    const std::string script = normal_path(argument, working_directory);
    if (!script.ends_with(".py")) return "";
    return std::string(folder_of(script));
  }
  return "";
}

}  // namespace

CodeOrigins::CodeOrigins(const reader::CaptureInfo& info, const OwnCodeOptions& options)
    : own_(options.own), project_given_(!options.project.empty()) {
  if (project_given_) {
    roots_.push_back(with_slash(normal_path(options.project, info.working_directory)));
  } else {
    if (!info.working_directory.empty()) roots_.push_back(with_slash(info.working_directory));
    const auto add_script = [&](const std::vector<std::string>& command) {
      const std::string folder = script_folder(command, info.working_directory);
      if (!folder.empty() && std::ranges::find(roots_, folder) == roots_.end())
        roots_.push_back(folder);
    };
    add_script(info.command);
    for (const reader::ProcessInfo& process : info.processes) add_script(process.command);
  }
  for (const reader::ProcessInfo& process : info.processes) {
    if (process.executable.empty() || is_interpreter_module(process.executable)) continue;
    if (std::ranges::find(executables_, process.executable) == executables_.end())
      executables_.push_back(process.executable);
  }
  all_installed_ = !executables_.empty() && std::ranges::all_of(executables_, is_system_program);
}

CodeOrigin CodeOrigins::of(const reader::Frame& frame) const {
  switch (frame.origin) {
    case reader::FrameOrigin::kPython:
      return python_origin(frame);
    case reader::FrameOrigin::kNative:
      return native_origin(frame);
    case reader::FrameOrigin::kTask:
    case reader::FrameOrigin::kLabel:
      break;
  }
  return CodeOrigin::kMachinery;
}

bool CodeOrigins::in_project(std::string_view file) const {
  return std::ranges::any_of(roots_,
                             [&](const std::string& root) { return file.starts_with(root); });
}

CodeOrigin CodeOrigins::python_origin(const reader::Frame& frame) const {
  if (is_import_machinery(frame)) return CodeOrigin::kMachinery;
  const std::string_view file = frame.file;
  if (is_standard_library_python(file)) return CodeOrigin::kLibrary;
  // Given by name, a project may well be an installed package; what is installed below it is not.
  if (is_installed_python(file)) {
    const bool is_project = project_given_ && is_installed_python(roots_[0]) && in_project(file);
    return is_project ? CodeOrigin::kProject : CodeOrigin::kPackage;
  }
  if (is_entry_script(file)) return CodeOrigin::kPackage;
  // "<string>", "<stdin>", "handlers.py": made by the program, or started in its folder.
  const bool absolute = file.starts_with('/');
  return !absolute || in_project(file) || roots_.empty() ? CodeOrigin::kProject
                                                         : CodeOrigin::kPackage;
}

CodeOrigin CodeOrigins::native_origin(const reader::Frame& frame) const {
  if (is_native_machinery(frame)) return CodeOrigin::kMachinery;
  if (is_go_runtime(frame)) return CodeOrigin::kInterpreter;
  if (is_standard_library_source(frame.file)) return CodeOrigin::kLibrary;
  const CodeOrigin by_module = module_origin(frame.module);
  if (by_module > CodeOrigin::kPackage) return by_module;
  if (project_given_) {
    const bool own = in_project(frame.file) || (frame.file.empty() && in_project(frame.module));
    return own ? CodeOrigin::kProject : CodeOrigin::kPackage;
  }
  return is_package_source(frame.file) ? CodeOrigin::kPackage : by_module;
}

CodeOrigin CodeOrigins::module_origin(std::string_view module) const {
  if (module.empty()) return CodeOrigin::kLibrary;
  const bool is_program = std::ranges::find(executables_, module) != executables_.end();
  if (is_interpreter_module(module)) return CodeOrigin::kInterpreter;
  if (is_runtime_module(module)) return CodeOrigin::kSystem;
  if (module.find("-packages/") != std::string_view::npos ||
      module.find("/node_modules/") != std::string_view::npos) {
    return CodeOrigin::kPackage;
  }
  if (is_program) return is_system_program(module) ? CodeOrigin::kPackage : CodeOrigin::kProject;
  // The libraries of a program that is installed are part of it: clang without libLLVM is a shell.
  if (is_system_library(module)) {
    return all_installed_ ? CodeOrigin::kPackage : CodeOrigin::kLibrary;
  }
  return is_system_program(module) ? CodeOrigin::kPackage : CodeOrigin::kProject;
}

int CodeOrigins::rank_of(const reader::Frame& frame) const {
  const CodeOrigin origin = of(frame);
  const bool native = frame.origin != reader::FrameOrigin::kPython;
  const int rank_if_native = native ? 1 : 0;
  // After everything that has a name, before what only allocates or starts. In a stripped program
  // that calls a library with names, those say more than its own addresses.
  constexpr int kNamelessRank = 2 * static_cast<int>(CodeOrigin::kMachinery);
  if (origin == CodeOrigin::kMachinery) return kNamelessRank + 2 + rank_if_native;
  if (is_nameless(frame)) return kNamelessRank + (origin <= CodeOrigin::kPackage ? 0 : 1);
  if (own_ == OwnCode::kAll) return kBestRank;
  if (own_ == OwnCode::kPackages && origin == CodeOrigin::kPackage) return rank_if_native;
  return 2 * static_cast<int>(origin) + rank_if_native;
}

bool is_nameless(const reader::Frame& frame) {
  if (frame.origin != reader::FrameOrigin::kNative || !frame.file.empty()) return false;
  const std::string_view module = reader::base_name(frame.module);
  std::string_view name = frame.function;
  if (name.starts_with(module)) {
    name.remove_prefix(module.size());
    if (!module.empty() && name.starts_with('+')) name.remove_prefix(1);
  }
  return name.starts_with("0x");
}

}  // namespace memlens::report
