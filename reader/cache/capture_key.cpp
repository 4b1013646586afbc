#include "reader/cache/capture_key.h"

#include <sys/stat.h>

#include <algorithm>

namespace memlens::reader {

namespace {

// Change it when the stored bytes change their meaning.
constexpr uint64_t kCacheVersion = 7;

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

}  // namespace

KeyBytes start_key(std::string_view what, const Source& source) {
  KeyBytes key;
  key.add(what);
  key.add(kCacheVersion);
  add_this_build(key);
  add_capture(key, source);
  return key;
}

std::string frames_key(const Source& source) { return start_key("frames", source).take(); }

}  // namespace memlens::reader
