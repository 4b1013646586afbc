#include "reader/index/index_key.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace memlens::reader {

namespace {

// Change it when the stored bytes change their meaning.
constexpr uint64_t kIndexVersion = 6;

class KeyBytes {
 public:
  void add(uint64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void add(const struct timespec& time) {
    add(static_cast<uint64_t>(time.tv_sec));
    add(static_cast<uint64_t>(time.tv_nsec));
  }
  template <typename Value>
  void add(const std::optional<Value>& value) {
    add(uint64_t{value.has_value()});
    if constexpr (std::is_same_v<Value, double>) {
      add(std::bit_cast<uint64_t>(value.value_or(0)));
    } else {
      add(static_cast<uint64_t>(value.value_or(0)));
    }
  }
  void add(std::string_view bytes) {
    add(uint64_t{bytes.size()});
    bytes_.append(bytes);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Another build may count otherwise.
void add_this_build(KeyBytes& key) {
  key.add(std::string_view(MEMLENS_VERSION));
  struct stat status {};
  if (::stat("/proc/self/exe", &status) != 0) return;
  key.add(static_cast<uint64_t>(status.st_size));
  key.add(status.st_mtim);
}

void add_capture(KeyBytes& key, const Source& source) {
  constexpr uint64_t kEndBytes = 512;
  key.add(source.size_bytes());
  key.add(source.modified());
  const uint64_t end_bytes = std::min(source.size_bytes(), kEndBytes);
  std::string bytes(end_bytes, '\0');
  for (const uint64_t offset : {uint64_t{0}, source.size_bytes() - end_bytes}) {
    source.read(offset, bytes.data(), bytes.size());
    key.add(std::string_view(bytes));
  }
}

KeyBytes start_key(std::string_view what, const Source& source) {
  KeyBytes key;
  key.add(what);
  key.add(kIndexVersion);
  add_this_build(key);
  add_capture(key, source);
  return key;
}

}  // namespace

std::string index_key(const Source& source, const Query& query) {
  KeyBytes key = start_key("analysis", source);
  key.add(query.pid);
  key.add(query.tid);
  key.add(query.from_seconds);
  key.add(query.to_seconds);
  key.add(uint64_t{query.temporary_threshold});
  key.add(uint64_t{query.until_exit});
  key.add(uint64_t{query.timeline_points});
  return key.take();
}

std::string frames_key(const Source& source) { return start_key("frames", source).take(); }

}  // namespace memlens::reader
