#include "interposer/record/resident_memory.h"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "interposer/guest/reentrancy.h"
#include "interposer/platform/clock.h"
#include "interposer/platform/proc_lines.h"
#include "interposer/platform/system_call.h"
#include "interposer/record/order.h"
#include "interposer/session/metadata_writer.h"
#include "interposer/session/process.h"

namespace memlens::interposer {

std::atomic<bool> has_large_mapping{false};
std::atomic<bool> may_open_files{true};

namespace {

constexpr unsigned kMaxRanges = 128;
// Some ten thousand ranges. A process of more has them told in part.
constexpr size_t kMaxTextBytes = size_t{8} << 20;

struct Range {
  uint64_t start;
  uint64_t bytes;
  uint64_t touched_bytes;

  uint64_t untouched() const { return bytes - touched_bytes; }
};

// "Rss:     1234 kB" in bytes.
uint64_t parse_kilobytes(const char* text) {
  while (*text == ' ' || *text == '\t') ++text;
  uint64_t value = 0;
  for (; *text >= '0' && *text <= '9'; ++text)
    value = value * 10 + static_cast<uint64_t>(*text - '0');
  return value * 1024;
}

bool begins(const char* text, const char* word) {
  return std::strncmp(text, word, std::strlen(word)) == 0;
}

// "7f00-7f10 rw-p 00000000 00:00 0  [path]": private, writable, of no file. Every other line of
// smaps begins with a capital letter.
bool parse_anonymous(const char* line, Range& range) {
  range.start = platform::parse_hex(line);
  if (*line != '-') return false;
  ++line;
  range.bytes = platform::parse_hex(line) - range.start;
  range.touched_bytes = 0;
  if (std::strlen(line) < 6 || line[2] != 'w' || line[4] != 'p') return false;
  const char* inode = line;
  for (int blanks = 0; *inode != '\0' && blanks < 4; ++inode) blanks += *inode == ' ';
  return inode[0] == '0' && (inode[1] == '\0' || inode[1] == ' ');
}

class Ranges {
 public:
  void read() {
    platform::ProcLines lines("/proc/self/smaps", kMaxTextBytes);
    Range range{};
    bool anonymous = false;
    while (const char* line = lines.next()) {
      if (*line < 'A' || *line > 'Z') {
        if (anonymous) keep(range);
        anonymous = parse_anonymous(line, range);
      } else if (anonymous && (begins(line, "Rss:") || begins(line, "Swap:"))) {
        range.touched_bytes += parse_kilobytes(std::strchr(line, ':') + 1);
      }
    }
    if (anonymous) keep(range);
  }

  size_t encode(uint8_t* out) const {
    uint8_t* end = out;
    for (unsigned i = 0; i < count_; ++i) {
      end = format::encode_varint(end, ranges_[i].start);
      end = format::encode_varint(end, ranges_[i].bytes);
      end = format::encode_varint(end, ranges_[i].touched_bytes);
    }
    return static_cast<size_t>(end - out);
  }
  static constexpr size_t kMaxEncodedBytes = kMaxRanges * 3 * format::kMaxVarintBytes;

 private:
  // Where there are too many, the one that says least goes.
  void keep(Range range) {
    if (range.touched_bytes > range.bytes) range.touched_bytes = range.bytes;
    if (range.untouched() < kLargeMappingBytes) return;
    if (count_ < kMaxRanges) {
      ranges_[count_++] = range;
      return;
    }
    Range* least = &ranges_[0];
    for (Range& each : ranges_) {
      if (each.untouched() < least->untouched()) least = &each;
    }
    if (least->untouched() < range.untouched()) *least = range;
  }

  Range ranges_[kMaxRanges];
  unsigned count_ = 0;
};

// After the program's own exit handlers and destructors, but for those of libraries it preloads
// before this one. _exit, signals and exec end a process without.
__attribute__((destructor)) void tell_resident_memory() {
  // A forked child that recorded nothing is nobody.
  if (!has_large_mapping.load(std::memory_order_relaxed) || !recording() || order::load() == 0)
    return;
  if (!may_open_files.load(std::memory_order_relaxed)) return;
  const int saved_errno = errno;
  {
    HookScope scope;
    const SessionStay stay;
    uint64_t resident = 0;
    uint64_t high_water = 0;
    {
      platform::ProcLines lines("/proc/self/status", kMaxTextBytes);
      while (const char* line = lines.next()) {
        if (begins(line, "VmHWM:")) high_water = parse_kilobytes(line + 6);
        if (begins(line, "VmRSS:")) resident = parse_kilobytes(line + 6);
      }
    }
    if (stay && resident != 0) {
      Ranges ranges;
      ranges.read();
      uint8_t encoded[Ranges::kMaxEncodedBytes];
      const size_t bytes = ranges.encode(encoded);
      RecordBody body;
      body.number(platform::read_ticks()).number(resident).number(high_water);
      body.string(encoded, bytes);
      write_definition(format::MetadataType::kResidentMemory, body);
    }
  }
  errno = saved_errno;
}

}  // namespace
}  // namespace memlens::interposer
