// One frame's payload: read, checked against its checksum, decompressed.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "reader/file/byte_view.h"
#include "reader/file/error.h"
#include "reader/file/frame_index.h"
#include "reader/file/source.h"

struct ZSTD_DCtx_s;

namespace memlens::reader {

// Bytes without the cost of zeroing them first. Beyond the end stand kPaddingBytes of zeros, so
// that the event decoder may read a whole record before it looks at where the payload ended.
class PayloadBuffer {
 public:
  static constexpr size_t kPaddingBytes = 64;

  // The old content is lost.
  uint8_t* resize(size_t size_bytes) {
    if (size_bytes + kPaddingBytes > capacity_bytes_) {
      capacity_bytes_ = size_bytes + kPaddingBytes;
      data_ = std::make_unique_for_overwrite<uint8_t[]>(capacity_bytes_);
    }
    size_bytes_ = size_bytes;
    std::memset(data_.get() + size_bytes, 0, kPaddingBytes);
    return data_.get();
  }
  void release() {
    data_.reset();
    capacity_bytes_ = size_bytes_ = 0;
  }
  const uint8_t* data() const { return data_.get(); }
  size_t size_bytes() const { return size_bytes_; }
  ByteView view() const { return ByteView(data_.get(), size_bytes_); }

 private:
  std::unique_ptr<uint8_t[]> data_;
  size_t size_bytes_ = 0;
  size_t capacity_bytes_ = 0;
};

// Loads payloads one after the other; keeps its buffers. For one thread at a time.
class PayloadLoader {
 public:
  explicit PayloadLoader(const Source& source);
  ~PayloadLoader();
  PayloadLoader(const PayloadLoader&) = delete;
  PayloadLoader& operator=(const PayloadLoader&) = delete;

  // Throws CaptureError when the payload is damaged.
  void load(const FrameRef& frame, PayloadBuffer& out);

 private:
  const Source& source_;
  PayloadBuffer stored_;
  ZSTD_DCtx_s* context_;
};

}  // namespace memlens::reader
