// Appends frames to a capture file: header, compression, checksums, and what a full disk asks for.
//
// The file ends after a whole frame at every moment between two calls, so whoever reads it (also
// while it grows, also after this process was killed) finds whole frames only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "interposer/format/file_layout.h"

struct ZSTD_CCtx_s;

namespace memlens::collector {

// What a frame's header says beside what the writer finds out itself.
struct FrameDescription {
  format::FrameKind kind = format::FrameKind::kEvents;
  uint32_t process = 0;
  uint32_t thread = 0;
  uint32_t sequence = 0;
  uint32_t lost_events = 0;
  uint64_t ticks = 0;
  uint64_t order_epoch = 0;
  bool shared_order = false;
};

// One moment on the three clocks of the file header.
struct Moment {
  uint64_t ticks = 0;
  uint64_t monotonic_ns = 0;
  uint64_t unix_ns = 0;
};

class CaptureWriter {
 public:
  // Owns `fd`, which is open for writing and empty.
  explicit CaptureWriter(int fd);
  // Goes on with a file that has `file_bytes` already, all of them whole frames.
  CaptureWriter(int fd, uint64_t file_bytes);
  ~CaptureWriter();
  CaptureWriter(const CaptureWriter&) = delete;
  CaptureWriter& operator=(const CaptureWriter&) = delete;

  bool write_header(uint64_t session_id, const Moment& start);

  // Appends one frame, compressed when that makes it smaller. False when it could not be written:
  // the file is then cut back to its last whole frame, and failure() says why. A later append tries
  // again (a trailer may fit where a chunk of events did not).
  bool append(const FrameDescription& frame, std::span<const uint8_t> payload);
  bool append(const FrameDescription& frame, std::string_view payload);

  // Appends the trailer. Where the disk has no room for it, it takes that of the last frame, so
  // that the capture says of itself that it was cut.
  bool append_last(const FrameDescription& frame, std::string_view payload);

  // A frame with its header as it stands in another capture.
  bool append_copy(std::span<const uint8_t> frame) { return write_all(frame.data(), frame.size()); }

  // Goes on in the file of `next`, which is done with. Returns the descriptor of the one before,
  // for the caller to close: its lock is held as long.
  int go_on_in(CaptureWriter& next);

  // errno of the first write that failed; 0: none did.
  int failure() const { return failure_; }
  uint64_t file_bytes() const { return file_bytes_; }

 private:
  void cut_to(uint64_t file_bytes);
  bool write_all(const uint8_t* bytes, size_t size);

  struct FreeContext {
    void operator()(ZSTD_CCtx_s* context) const;
  };

  int fd_;
  int failure_ = 0;
  uint64_t file_bytes_ = 0;      // up to the end of the last whole frame
  uint64_t previous_bytes_ = 0;  // up to its beginning
  std::unique_ptr<ZSTD_CCtx_s, FreeContext> compressor_;
  std::vector<uint8_t> frame_bytes_;  // header and payload of the frame being written
};

}  // namespace memlens::collector
