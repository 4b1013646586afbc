// The collector's side of the segment's life: makes it, holds the mutex that says the collector
// lives, hands it to programs that can reach it in no other way.
#pragma once

#include <cstdint>
#include <string>

#include "interposer/segment/chunk_windows.h"
#include "interposer/segment/layout.h"

namespace memlens::collector {

class SharedSegment {
 public:
  // `options` are segment::Option bits. Locks the mutex in the calling thread, which must live as
  // long as the recording: a robust mutex tells of its thread's death. Throws std::system_error.
  explicit SharedSegment(uint32_t options);
  ~SharedSegment();
  SharedSegment(const SharedSegment&) = delete;
  SharedSegment& operator=(const SharedSegment&) = delete;

  segment::SegmentHeader* header() const { return header_; }
  int fd() const { return fd_; }

  // False: a program has written over what nobody changes once it is there. Then no number in the
  // header is to be believed.
  bool is_intact() const;

  // Precondition: one of the initial ones, or of those that map_chunks() has mapped.
  segment::ChunkHeader* chunk(uint32_t index) const { return windows_.chunk(index); }
  // Maps the first `count` chunks here. False: no address space for them.
  bool map_chunks(uint32_t count);

  // When the segment was made, by the tick counter.
  uint64_t first_ticks() const { return first_ticks_; }
  // The nonce that is also the capture's session id; the header's own is the programs' to damage.
  uint64_t nonce() const { return nonce_; }
  uint64_t inode() const { return inode_; }

  // The value of segment::kSessionVariable for a program that inherits the segment at descriptor
  // `inherited_fd` (or, where it inherits none, any number: inode and nonce are verified).
  std::string description(int inherited_fd) const;

  // This user's processes may have the segment as well, for a recording of another user's program.
  void admit_user(uint32_t user) { admitted_user_ = user; }

  // Answers everybody who waits at the socket, without blocking.
  void serve_socket();

 private:
  void open_socket();

  uint32_t options_;
  int fd_ = -1;
  int socket_fd_ = -1;
  uint32_t admitted_user_ = 0;  // root may anyway
  uint64_t inode_ = 0;
  uint64_t nonce_ = 0;
  uint64_t first_ticks_ = 0;
  std::string socket_name_;
  segment::SegmentHeader* header_ = nullptr;
  segment::ChunkWindows windows_;
};

}  // namespace memlens::collector
