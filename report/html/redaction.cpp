#include "report/html/redaction.h"

#include "reader/text/base_name.h"
#include "report/html/module_name.h"

namespace memlens::report::html {

std::string redact_path(std::string_view path, std::string_view project_directory) {
  if (!path.starts_with('/')) return std::string(path);
  while (project_directory.ends_with('/')) project_directory.remove_suffix(1);
  if (!project_directory.empty() && path.starts_with(project_directory) &&
      path.substr(project_directory.size()).starts_with('/')) {
    return std::string(path.substr(project_directory.size() + 1));
  }
  if (const std::string_view in_library = path_in_python_library(path); !in_library.empty()) {
    return std::string(in_library);
  }
  return std::string(reader::base_name(path));
}

}  // namespace memlens::report::html
