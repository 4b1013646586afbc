#include "report/text/short_path.h"

#include "reader/text/base_name.h"
#include "reader/text/columns.h"

namespace memlens::report {
namespace {

// What follows "/lib/python3.11/" in a path; empty: that is not in it.
std::string_view after_python_folder(std::string_view path) {
  const size_t at = path.find("/python3");
  if (at == std::string_view::npos || at < 3) return {};
  const std::string_view before = path.substr(0, at);
  if (!before.ends_with("/lib") && !before.ends_with("/lib64")) return {};
  const size_t slash = path.find('/', at + 1);
  return slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
}

}  // namespace

std::string_view short_path(std::string_view path, std::string_view working_directory) {
  for (std::string_view folder : {"/site-packages/", "/dist-packages/"}) {
    const size_t at = path.rfind(folder);
    if (at != std::string_view::npos) return path.substr(at + folder.size());
  }
  if (working_directory.size() > 1 && path.size() > working_directory.size() + 1 &&
      path.starts_with(working_directory) && path[working_directory.size()] == '/') {
    return path.substr(working_directory.size() + 1);
  }
  for (std::string_view folder : {"/usr/include/c++/", "/usr/include/"}) {
    if (!path.starts_with(folder)) continue;
    const size_t version_end = path.find('/', folder.size());
    const bool has_version = folder.ends_with("c++/") && version_end != std::string_view::npos;
    return path.substr(has_version ? version_end + 1 : folder.size());
  }
  const std::string_view in_python = after_python_folder(path);
  return in_python.empty() ? path : in_python;
}

std::string short_module(std::string_view path) {
  std::string name(reader::base_name(path));
  // "_bz2.cpython-311-x86_64-linux-gnu.so"
  const size_t tag = name.find(".cpython-");
  const size_t end = name.find(".so", tag == std::string::npos ? tag : tag + 1);
  if (tag != std::string::npos && end != std::string::npos) name.erase(tag, end - tag);
  return name;
}

std::string place_of(const reader::Frame& frame, std::string_view working_directory) {
  if (!frame.file.empty()) {
    std::string place = printable(short_path(frame.file, working_directory));
    if (frame.line != 0) place += ":" + std::to_string(frame.line);
    return place;
  }
  return printable(short_module(frame.module));
}

}  // namespace memlens::report
