#include "interposer/symbolizer/source_lines.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "interposer/format/primitives.h"

namespace memlens::symbolizer {
namespace {

constexpr size_t kMaxLineBytes = 200;
constexpr size_t kMaxLines = 500'000;
constexpr size_t kFrameBytes = size_t{1} << 20;
// Longer "lines" are data, or no source at all.
constexpr std::streamsize kReadBytes = 64 * 1024;

void append_varint(std::string& out, uint64_t value) {
  uint8_t bytes[format::kMaxVarintBytes];
  const uint8_t* end = format::encode_varint(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), end - bytes);
}

void append_string(std::string& out, std::string_view text) {
  append_varint(out, text.size());
  out.append(text);
}

// Without the white space around it, and not longer than a report can show; never cut within a
// UTF-8 character.
std::string_view shown_text(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r\f\v";
  const size_t begin = line.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  line = line.substr(begin, line.find_last_not_of(kSpace) + 1 - begin);
  if (line.size() <= kMaxLineBytes) return line;
  size_t end = kMaxLineBytes;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
  return line.substr(0, end);
}

bool is_readable_source(const std::string& path, uint64_t unchanged_since_unix_ns) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  const uint64_t modified = static_cast<uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000u +
                            static_cast<uint64_t>(status.st_mtim.tv_nsec);
  return modified <= unchanged_since_unix_ns;
}

// One line of a stream, of which no more than kReadBytes are kept. False at the end of the file.
bool next_line(std::istream& in, std::string& line) {
  char buffer[kReadBytes];
  in.getline(buffer, kReadBytes);
  line.assign(buffer);
  if (!in.fail()) return true;
  if (in.eof() || in.bad() || line.empty()) return false;
  in.clear();
  in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  return true;
}

}  // namespace

void SourceLines::want(std::string_view file, uint32_t line, uint64_t unchanged_since_unix_ns) {
  // "<string>", "<frozen importlib._bootstrap>" and the like are no files.
  if (file.empty() || file.front() == '<' || line == 0 || wanted_ >= kMaxLines) return;
  auto entry = files_.find(file);
  if (entry == files_.end()) entry = files_.emplace(std::string(file), File()).first;
  if (entry->second.lines.insert(line).second) ++wanted_;
  entry->second.unchanged_since_unix_ns =
      std::min(entry->second.unchanged_since_unix_ns, unchanged_since_unix_ns);
}

size_t SourceLines::read(const std::function<void(std::string payload)>& append) const {
  std::string lines;
  size_t count = 0;
  size_t total = 0;
  const auto flush = [&] {
    if (count == 0) return;
    std::string payload;
    append_varint(payload, count);
    append(payload += lines);
    total += count;
    count = 0;
    lines.clear();
  };
  for (const auto& [name, file] : files_) {
    const std::string path = name.front() == '/' ? name : working_directory_ + "/" + name;
    if (!is_readable_source(path, file.unchanged_since_unix_ns)) continue;
    std::ifstream in(path, std::ios::binary);
    std::string line;
    uint32_t number = 0;
    for (const uint32_t wanted : file.lines) {
      bool found = true;
      while (number < wanted && (found = next_line(in, line))) ++number;
      if (!found) break;
      const std::string_view text = shown_text(line);
      if (text.empty()) continue;
      append_string(lines, name);
      append_varint(lines, wanted);
      append_string(lines, text);
      ++count;
      if (lines.size() >= kFrameBytes) flush();
    }
  }
  flush();
  return total;
}

}  // namespace memlens::symbolizer
