#include "reader/file/frame_payload.h"

#include <xxhash.h>
#include <zstd.h>

#include <new>

namespace memlens::reader {

PayloadLoader::PayloadLoader(const Source& source) : source_(source), context_(ZSTD_createDCtx()) {
  if (context_ == nullptr) throw std::bad_alloc();
}

PayloadLoader::~PayloadLoader() { ZSTD_freeDCtx(context_); }

void PayloadLoader::load(const FrameRef& frame, PayloadBuffer& out) {
  PayloadBuffer& stored = frame.compressed() ? stored_ : out;
  uint8_t* bytes = stored.resize(frame.stored_bytes);
  if (frame.stored_bytes > 0) source_.read(frame.payload_offset(), bytes, frame.stored_bytes);
  if (XXH32(bytes, frame.stored_bytes, 0) != frame.payload_checksum)
    throw CaptureError(source_.path(), frame.offset, "damaged: the payload's checksum is wrong");
  if (!frame.compressed()) return;
  // Asking the zstd frame first keeps a lying header from costing memory.
  const unsigned long long content_bytes = ZSTD_getFrameContentSize(bytes, frame.stored_bytes);
  if (content_bytes != frame.raw_bytes && content_bytes != ZSTD_CONTENTSIZE_UNKNOWN)
    throw CaptureError(source_.path(), frame.offset,
                       "damaged: the compressed payload is not as long as its header says");
  uint8_t* raw = out.resize(frame.raw_bytes);
  const size_t got = ZSTD_decompressDCtx(context_, raw, frame.raw_bytes, bytes, frame.stored_bytes);
  if (ZSTD_isError(got) || got != frame.raw_bytes)
    throw CaptureError(source_.path(), frame.offset, "damaged: the payload does not decompress");
}

}  // namespace memlens::reader
