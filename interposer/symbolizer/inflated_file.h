// What libdw reads slowly, or not at all, made ready for it.
//
// Debug files as distributions ship them are compressed. libdw inflates all of one with zlib when
// it is opened, also what names and lines do not need: 35 to 40 ms for libc's, which is in every
// program. The same bytes by libdeflate, without the lists of variables' places, take 15. And libdw
// of Debian 12 does not know zstd, which newer toolchains compress with.
#pragma once

#include <libelf.h>
#include <sys/stat.h>

#include <cstdint>
#include <mutex>
#include <vector>

namespace memlens::symbolizer {

// More is left to libdw: the memory of such a copy is not the process's, nothing else bounds it.
constexpr uint64_t kMaxInflatedBytes = uint64_t{1} << 30;

// A file in memory with the sections that names and lines are read from, not compressed; -1: none
// of `descriptor`'s are, or it is better left to libdw. The caller closes both.
int inflated_copy(int descriptor, uint64_t max_bytes = kMaxInflatedBytes);

// Whether some debug information is compressed with zstd.
bool has_zstd_sections(Elf* elf);

// A file as it was: another one, or a changed one, has another identity.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size_bytes = 0;
  int64_t modified[2] = {};
  int64_t changed[2] = {};

  bool operator==(const FileIdentity&) const = default;
  static FileIdentity of(int descriptor);  // all zeros: unknown
};

// Copies that another process makes and sends through a socket.
class InflatedFiles {
 public:
  ~InflatedFiles();

  // Most of what libc's takes. The sender has the lowest priority: on a busy machine it may not get
  // on.
  static constexpr int kPatienceMilliseconds = 10;
  void receive_from(int socket, int patience_milliseconds = kPatienceMilliseconds) {
    socket_ = socket;
    patience_milliseconds_ = patience_milliseconds;
  }

  // A duplicate of the copy of `descriptor`'s file, which the caller closes; -1: there is none.
  // Waits a little for one that has been begun.
  int find(int descriptor);

  // For the sender. Without a copy: it has been begun.
  static bool send(int socket, const FileIdentity& identity, int copy);

 private:
  struct Entry {
    FileIdentity identity;
    int copy = -1;  // begun, or failed
  };

  bool receive(int wait_milliseconds);

  std::mutex mutex_;  // of all that follows
  int socket_ = -1;
  int patience_milliseconds_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace memlens::symbolizer
