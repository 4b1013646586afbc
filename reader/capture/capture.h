// A capture file, opened: what was run, what its stacks are. The public entry of the reader.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reader/cache/cache_options.h"
#include "reader/capture/capture_info.h"

namespace memlens::reader {

class Capture {
 public:
  // Reads headers and metadata; events are read by analyze() and dump(). Throws CaptureError
  // (reader/file/error.h) with file, offset and reason.
  static Capture open(const std::string& path);
  // The same, quicker where the cache knows the capture, which it does from now on.
  static Capture open(const std::string& path, const CacheOptions& cache);
  ~Capture();
  Capture(Capture&&) noexcept;
  Capture& operator=(Capture&&) noexcept;

  const CaptureInfo& info() const;
  // Each in time order.
  const std::vector<ResidentSample>& resident_samples() const;
  const std::vector<ResidentPartsSample>& resident_parts() const;
  const std::vector<AllocatorSample>& allocator_samples() const;

  // The stack of a node, innermost frame first. Without `native`, only Python (and label) frames,
  // or one fallback frame when there are none. Never empty. Inlined frames are expanded.
  std::vector<Frame> frames(uint32_t process_index, uint32_t node, bool native,
                            TaskFrames tasks = TaskFrames::kHidden) const;

  // The task a node belongs to, as a frame of its own (its place is the coroutine's first line);
  // the innermost where one was run inside another. None outside of tasks.
  std::optional<Frame> task(uint32_t process_index, uint32_t node) const;
  bool has_tasks() const;

  // Adds symbols or source lines as if their frames stood in the capture: one that is still being
  // written has none yet. No frames may have been asked for. Throws CaptureError.
  void add_resolved(format::FrameKind kind, uint32_t process, std::string_view payload);

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Capture(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace memlens::reader
