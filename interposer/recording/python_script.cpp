#include "interposer/recording/python_script.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <filesystem>
#include <fstream>

#include "interposer/exec/exec_target.h"
#include "reader/text/base_name.h"

namespace memlens::recording {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExtensions[] = {".py", ".pyw", ".pyz", ".pyc"};

// A zip archive ends in its directory's end record, with a comment of at most 64 kB behind it. What
// stands before the archive (a "#!" line) is no part of it.
bool is_zip_archive_with_main(const std::string& path) {
  constexpr std::streamoff kRecordBytes = 22;
  constexpr std::streamoff kTailBytes = kRecordBytes + 65535;
  constexpr std::streamoff kMaxDirectoryBytes = 64 << 20;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : 0;
  if (size < kRecordBytes) return false;
  std::string tail(static_cast<size_t>(std::min(size, kTailBytes)), '\0');
  file.seekg(size - static_cast<std::streamoff>(tail.size()));
  file.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  const size_t end = tail.rfind("PK\x05\x06");
  if (!file || end == std::string::npos || tail.size() - end < kRecordBytes) return false;
  const auto byte_at = [&](size_t at) {
    return static_cast<std::streamoff>(static_cast<unsigned char>(tail[end + at]));
  };
  const std::streamoff directory_bytes =
      byte_at(12) | byte_at(13) << 8 | byte_at(14) << 16 | byte_at(15) << 24;
  const std::streamoff directory_end =
      size - static_cast<std::streamoff>(tail.size()) + static_cast<std::streamoff>(end);
  if (directory_bytes > std::min(directory_end, kMaxDirectoryBytes)) return false;
  std::string directory(static_cast<size_t>(directory_bytes), '\0');
  file.seekg(directory_end - directory_bytes);
  file.read(directory.data(), directory_bytes);
  return file && directory.find("__main__.py") != std::string::npos;
}

bool is_folder_with_main(const std::string& path) {
  std::error_code error;
  return fs::exists(fs::path(path) / "__main__.py", error) ||
         fs::exists(fs::path(path) / "__main__.pyc", error);
}

// A shell would start it.
bool is_program(const std::string& word) {
  char buffer[PATH_MAX];
  const char* found = interposer::find_program(word.c_str(), buffer, sizeof buffer);
  std::error_code error;
  return found != nullptr && access(found, X_OK) == 0 && !fs::is_directory(found, error);
}

}  // namespace

bool is_python_name(const std::string& name) {
  if (name.compare(0, 6, "python") != 0) return false;
  const size_t flags = std::min(name.find_first_not_of("0123456789.", 6), name.size());
  const size_t suffix = std::min(name.find_first_not_of("dmtu", flags), name.size());
  const std::string rest = name.substr(suffix);
  return rest.empty() || rest == "-dbg" || rest == "-debug";
}

bool is_python_path(const std::string& path) { return is_python_name(fs::path(path).filename()); }

std::string interpreter_line(const std::string& path) {
  // As much as the kernel reads of it.
  constexpr size_t kLineBytes = 256;
  std::ifstream file(path, std::ios::binary);
  std::string line(kLineBytes, '\0');
  file.read(line.data(), kLineBytes);
  line.resize(static_cast<size_t>(file.gcount()));
  if (line.compare(0, 2, "#!") != 0) return "";
  return line.substr(2, line.find('\n') - 2);
}

bool is_script_for_python(const std::string& path) {
  std::string line = interpreter_line(path);
  for (size_t start = 0; start < line.size();) {
    const size_t begin = line.find_first_not_of(" \t", start);
    if (begin == std::string::npos) break;
    const size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    const std::string word = line.substr(begin, end - begin);
    if (is_python_name(std::string(reader::base_name(word)))) return true;
    start = end;
  }
  return false;
}

bool is_meant_for_python(const std::string& word, bool python_given) {
  if (word == "-" || without_python_extension(word) != word) return true;
  std::error_code error;
  if (fs::is_directory(word, error)) return !is_program(word) && is_folder_with_main(word);
  if (!fs::is_regular_file(word, error)) return false;
  const bool program = is_program(word);
  const bool named_by_path = word.find('/') != std::string::npos;
  if (program && !named_by_path) return false;  // the one on PATH
  if (is_script_for_python(word)) return python_given || !program;
  // The system would give an archive to the shell.
  if (interpreter_line(word).empty() && is_zip_archive_with_main(word)) return true;
  return python_given && !program;
}

std::string without_python_extension(const std::string& name) {
  for (const std::string extension : kExtensions) {
    if (name.size() > extension.size() && name.ends_with(extension))
      return name.substr(0, name.size() - extension.size());
  }
  return name;
}

}  // namespace memlens::recording
