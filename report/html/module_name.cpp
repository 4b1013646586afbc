#include "report/html/module_name.h"

#include "reader/text/base_name.h"

namespace memlens::report::html {
namespace {

std::string_view first_part(std::string_view path) { return path.substr(0, path.find('/')); }

std::string_view without_suffix(std::string_view name, std::string_view suffix) {
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
}

}  // namespace

std::string_view path_in_python_library(std::string_view path) {
  for (const std::string_view folder : {"/site-packages/", "/dist-packages/"}) {
    if (const size_t at = path.rfind(folder); at != path.npos) {
      return path.substr(at + folder.size());
    }
  }
  // .../lib/python3.11/json/decoder.py
  constexpr std::string_view kLibrary = "/lib/python3.";
  const size_t at = path.rfind(kLibrary);
  if (at == path.npos) return {};
  const size_t end = path.find('/', at + kLibrary.size());
  return end == path.npos ? std::string_view() : path.substr(end + 1);
}

std::string python_module_name(std::string_view path, std::string_view project_directory) {
  if (path.starts_with("<frozen ")) {
    path.remove_prefix(8);
    return std::string(path.substr(0, path.find_first_of(".>")));
  }
  if (path.starts_with('<')) return std::string(path);
  std::string_view within = path_in_python_library(path);
  if (within.empty() && !project_directory.empty() && path.starts_with(project_directory)) {
    within = path.substr(project_directory.size());
    while (within.starts_with('/')) within.remove_prefix(1);
  }
  if (within.empty()) within = reader::base_name(path);
  return std::string(without_suffix(first_part(within), ".py"));
}

bool is_import_system(std::string_view file) {
  return file.starts_with("<frozen importlib") || file.starts_with("<frozen zipimport") ||
         file.ends_with("/importlib/_bootstrap.py") ||
         file.ends_with("/importlib/_bootstrap_external.py");
}

bool is_interpreter(std::string_view module_path) {
  std::string_view name = reader::base_name(module_path);
  if (name.starts_with("lib")) name.remove_prefix(3);
  if (!name.starts_with("python")) return false;
  name.remove_prefix(6);
  // python, python3, python3.11, python3.11-dbg, libpython3.13t.so.1.0
  return name.empty() || (name[0] >= '2' && name[0] <= '9');
}

}  // namespace memlens::report::html
