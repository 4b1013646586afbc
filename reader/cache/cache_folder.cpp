#include "reader/cache/cache_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

namespace memlens::reader {

namespace fs = std::filesystem;

namespace {

constexpr char kMagic[8] = {'m', 'e', 'm', 'l', 'e', 'n', 's', 'I'};
constexpr std::string_view kExtension = ".index";
constexpr std::string_view kUnfinished = ".part";
// A writer that was killed left its file behind.
constexpr auto kUnfinishedAge = std::chrono::hours(1);
constexpr uint64_t kMaxPartBytes = uint64_t{4} << 30;
constexpr size_t kMaxParts = 16;

// The file: this, the key, and the parts' compressed bytes; in the machine's byte order.
struct StoredHeader {
  char magic[8];
  uint64_t key_bytes;
  uint64_t part_count;
};
struct PartHeader {
  uint64_t stored_bytes;
  uint64_t raw_bytes;
  uint64_t checksum;
};

class File {
 public:
  File(const std::string& path, int flags)
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() { close(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return descriptor_ >= 0; }
  uint64_t size_bytes() const {
    struct stat status {};
    return ::fstat(descriptor_, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
  }
  bool read(void* out, size_t size_bytes) const {
    auto* next = static_cast<char*>(out);
    while (size_bytes > 0) {
      const ssize_t got = ::read(descriptor_, next, size_bytes);
      if (got <= 0) return false;
      next += got;
      size_bytes -= static_cast<size_t>(got);
    }
    return true;
  }
  bool write(const void* bytes, size_t size_bytes) const {
    const auto* next = static_cast<const char*>(bytes);
    while (size_bytes > 0) {
      const ssize_t put = ::write(descriptor_, next, size_bytes);
      if (put <= 0) return false;
      next += put;
      size_bytes -= static_cast<size_t>(put);
    }
    return true;
  }
  void touch() const { ::futimens(descriptor_, nullptr); }
  bool close() {
    const int descriptor = descriptor_;
    descriptor_ = -1;
    return descriptor < 0 || ::close(descriptor) == 0;
  }

 private:
  int descriptor_;
};

// XXH3-64 of the stored bytes; the length they decompress to is checked with them.
uint64_t checksum_of(std::string_view stored, uint64_t raw_bytes) {
  return XXH3_64bits_withSeed(stored.data(), stored.size(), raw_bytes);
}

std::optional<std::string> read_part(const File& file, const PartHeader& header) {
  if (header.stored_bytes > file.size_bytes() || header.raw_bytes > kMaxPartBytes) return {};
  std::string stored(header.stored_bytes, '\0');
  if (!file.read(stored.data(), stored.size()) ||
      checksum_of(stored, header.raw_bytes) != header.checksum)
    return {};
  std::string raw(header.raw_bytes, '\0');
  if (ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size()) != raw.size())
    return {};
  return raw;
}

std::string compress(const std::string& raw) {
  std::string stored(ZSTD_compressBound(raw.size()), '\0');
  const size_t size = ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), 1);
  stored.resize(ZSTD_isError(size) ? 0 : size);
  return stored;
}

bool write_file(const std::string& path, std::string_view key,
                const std::vector<std::string>& stored, const std::vector<std::string>& raw) {
  File file(path, O_WRONLY | O_CREAT | O_EXCL);
  if (!file.is_open()) return false;
  StoredHeader header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.key_bytes = key.size();
  header.part_count = raw.size();
  bool good = file.write(&header, sizeof header) && file.write(key.data(), key.size());
  for (size_t i = 0; good && i < raw.size(); ++i) {
    const PartHeader part{stored[i].size(), raw[i].size(), checksum_of(stored[i], raw[i].size())};
    good = file.write(&part, sizeof part) && file.write(stored[i].data(), stored[i].size());
  }
  return file.close() && good;
}

bool is_ours(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && status.st_uid == ::geteuid();
}

}  // namespace

std::string CacheFolder::default_path() {
  fs::path base;
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  if (cache != nullptr && cache[0] == '/') {
    base = cache;
  } else if (home != nullptr && home[0] == '/') {
    // With sudo, HOME can be another user's, who could not remove what we leave there.
    if (!is_ours(home)) return "";
    base = fs::path(home) / ".cache";
  } else {
    return "";
  }
  std::error_code error;
  if (fs::exists(base, error) && !is_ours(base)) return "";
  return base / "memlens";
}

std::string CacheFolder::file_of(std::string_view key) const {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  char name[40];
  std::snprintf(name, sizeof name, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return path_ + "/" + name + std::string(kExtension);
}

std::optional<std::vector<std::string>> CacheFolder::load(std::string_view key,
                                                          size_t parts) const {
  const File file(file_of(key), O_RDONLY);
  if (!file.is_open()) return {};
  StoredHeader header;
  if (!file.read(&header, sizeof header) || std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 ||
      header.key_bytes != key.size() || header.part_count < parts || header.part_count > kMaxParts)
    return {};
  std::string stored_key(key.size(), '\0');
  if (!file.read(stored_key.data(), stored_key.size()) || stored_key != key) return {};
  std::vector<std::string> read;
  while (read.size() < parts) {
    PartHeader part;
    if (!file.read(&part, sizeof part)) return {};
    std::optional<std::string> raw = read_part(file, part);
    if (!raw) return {};
    read.push_back(std::move(*raw));
  }
  file.touch();
  return read;
}

void CacheFolder::store(std::string_view key, const std::vector<std::string>& parts) const {
  std::vector<std::string> stored;
  uint64_t stored_bytes = 0;
  for (const std::string& part : parts) {
    stored.push_back(compress(part));
    stored_bytes += stored.back().size();
  }
  // One that would push out all others is not worth keeping.
  if (stored_bytes > max_bytes_ / 2) return;
  std::error_code error;
  fs::create_directories(fs::path(path_).parent_path(), error);
  if (::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST) return;
  const std::string path = file_of(key);
  const std::string unfinished = path + "." + std::to_string(::getpid()) + std::string(kUnfinished);
  if (!write_file(unfinished, key, stored, parts) ||
      ::rename(unfinished.c_str(), path.c_str()) != 0) {
    ::unlink(unfinished.c_str());
    return;
  }
  remove_oldest();
}

void CacheFolder::remove_oldest() const {
  struct Entry {
    fs::path path;
    fs::file_time_type used;
    uint64_t size_bytes;
  };
  std::vector<Entry> entries;
  uint64_t total_bytes = 0;
  std::error_code error;
  for (const fs::directory_entry& each : fs::directory_iterator(path_, error)) {
    const fs::path& path = each.path();
    const fs::file_time_type used = each.last_write_time(error);
    if (error) continue;
    if (path.extension() == kUnfinished && used < fs::file_time_type::clock::now() - kUnfinishedAge)
      fs::remove(path, error);
    if (path.extension() != kExtension) continue;
    const uint64_t size_bytes = each.file_size(error);
    if (error) continue;
    entries.push_back({path, used, size_bytes});
    total_bytes += size_bytes;
  }
  std::ranges::sort(entries, {}, &Entry::used);
  for (const Entry& oldest : entries) {
    if (total_bytes <= max_bytes_) return;
    fs::remove(oldest.path, error);
    total_bytes -= oldest.size_bytes;
  }
}

}  // namespace memlens::reader
