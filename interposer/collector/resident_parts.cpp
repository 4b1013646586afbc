#include "interposer/collector/resident_parts.h"

#include <charconv>
#include <string>

#include "interposer/collector/process_files.h"

namespace memlens::collector {
namespace {

using format::ResidentParts;

// HEAP_MAX_SIZE of glibc's malloc on 64-bit machines. A thread's heap begins at a multiple, is
// writable as far as it has grown, and keeps the rest without access.
constexpr uint64_t kThreadHeapBytes = uint64_t{64} << 20;

// "7f00-7f10 rw-p 00000000 00:00 0      [heap]"
struct MappingLine {
  uint64_t start = 0;
  uint64_t end = 0;
  std::string_view access;  // "rw-p"
  std::string_view path;    // empty: none
};

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

// Every other line begins with a capital letter and a name.
bool parse_mapping_line(std::string_view line, MappingLine& mapping) {
  const std::string_view range = next_word(line);
  const char* end = range.data() + range.size();
  const auto start = std::from_chars(range.data(), end, mapping.start, 16);
  if (start.ec != std::errc() || start.ptr == end || *start.ptr != '-') return false;
  if (std::from_chars(start.ptr + 1, end, mapping.end, 16).ptr != end) return false;
  mapping.access = next_word(line);
  for (int skipped = 0; skipped < 3; ++skipped) next_word(line);  // offset, device, inode
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  mapping.path = line;
  return mapping.access.size() == 4;
}

// "Rss:                 132 kB"
uint64_t kilobytes(std::string_view value) {
  const std::string_view word = next_word(value);
  uint64_t number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number * 1024;
}

bool is_shared_memory(const MappingLine& mapping) {
  return mapping.path.starts_with("/memfd:") || mapping.path.starts_with("/dev/shm/") ||
         mapping.path.starts_with("/SYSV") || mapping.path.starts_with("/dev/zero") ||
         (mapping.access[3] == 's' && mapping.path.empty());
}

class PartsParser {
 public:
  void add_line(std::string_view line) {
    if (!line.empty() && line[0] >= 'A' && line[0] <= 'Z') {
      add_field(line);
    } else {
      add_mapping(line);
    }
  }

  ResidentParts take() {
    settle_thread_heap({});
    return parts_;
  }

 private:
  void add_mapping(std::string_view line) {
    MappingLine mapping;
    if (!parse_mapping_line(line, mapping)) return;
    settle_thread_heap(mapping);
    part_ = part_of(mapping);
    in_thread_heap_ = mapping.path.empty() && mapping.access == "rw-p" &&
                      mapping.start % kThreadHeapBytes == 0 &&
                      mapping.end - mapping.start <= kThreadHeapBytes;
    heap_end_ = mapping.end;
    heap_limit_ = mapping.start + kThreadHeapBytes;
    heap_resident_ = 0;
  }

  // What is only shaped like one is followed by something else than the part without access.
  void settle_thread_heap(const MappingLine& after) {
    const bool full = heap_end_ == heap_limit_;
    const bool has_rest =
        after.start == heap_end_ && after.end >= heap_limit_ && after.access == "---p";
    if (in_thread_heap_ && (full || has_rest)) {
      ++parts_.thread_heaps;
      parts_.thread_heap_bytes += heap_resident_;
    }
    in_thread_heap_ = false;
  }

  static uint64_t ResidentParts::*part_of(const MappingLine& mapping) {
    if (mapping.path.starts_with("/memfd:memlens")) return &ResidentParts::recorder;
    if (is_shared_memory(mapping)) return &ResidentParts::shared;
    if (mapping.path.starts_with('/')) return &ResidentParts::files;
    if (mapping.path == "[stack]") return &ResidentParts::stack;
    // Of the kernel, which maps its own code there.
    if (mapping.path.starts_with("[v")) return &ResidentParts::files;
    return &ResidentParts::anonymous;
  }

  void add_field(std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == line.npos) return;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 1);
    if (name == "Rss") {
      const uint64_t bytes = kilobytes(value);
      parts_.resident += bytes;
      parts_.*part_ += bytes;
      heap_resident_ = bytes;
    } else if (name == "Pss") {
      parts_.proportional += kilobytes(value);
    } else if (name == "Private_Clean" || name == "Private_Dirty") {
      parts_.own += kilobytes(value);
    } else if (name == "Swap") {
      parts_.swapped += kilobytes(value);
    }
  }

  ResidentParts parts_;
  uint64_t ResidentParts::*part_ = &ResidentParts::anonymous;
  bool in_thread_heap_ = false;
  uint64_t heap_end_ = 0;
  uint64_t heap_limit_ = 0;
  uint64_t heap_resident_ = 0;
};

}  // namespace

ResidentParts parse_resident_parts(std::string_view smaps) {
  PartsParser parser;
  while (!smaps.empty()) {
    const size_t end = std::min(smaps.find('\n'), smaps.size());
    parser.add_line(smaps.substr(0, end));
    smaps.remove_prefix(std::min(end + 1, smaps.size()));
  }
  return parser.take();
}

std::optional<ResidentParts> read_resident_parts(int32_t pid) {
  const std::string smaps = process_text(pid, "smaps");
  if (smaps.empty()) return {};
  const ResidentParts parts = parse_resident_parts(smaps);
  if (parts.resident == 0) return {};
  return parts;
}

std::optional<ResidentParts> count_resident_parts(int32_t pid) {
  const std::string status = process_text(pid, "status");
  const auto field = [&](std::string_view name) -> uint64_t {
    const size_t start = status.find(name);
    if (start == status.npos) return 0;
    const std::string_view rest = std::string_view(status).substr(start + name.size());
    std::string_view value = rest.substr(0, rest.find('\n'));
    value.remove_prefix(std::min(value.find_first_not_of('\t'), value.size()));
    return kilobytes(value);
  };
  ResidentParts parts;
  parts.anonymous = field("\nRssAnon:");
  parts.files = field("\nRssFile:");
  parts.shared = field("\nRssShmem:");
  parts.swapped = field("\nVmSwap:");
  parts.resident = parts.anonymous + parts.files + parts.shared;
  if (parts.resident == 0) return {};
  return parts;
}

}  // namespace memlens::collector
