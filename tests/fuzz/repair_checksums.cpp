#include "tests/fuzz/repair_checksums.h"

#include <xxhash.h>

#include <cstddef>
#include <cstring>

#include "interposer/format/file_layout.h"

namespace memlens::testing {

using format::FileHeader;
using format::FrameHeader;

void repair_checksums(std::string& capture) {
  if (capture.size() < sizeof(FileHeader)) return;
  FileHeader file;
  std::memcpy(&file, capture.data(), sizeof file);
  file.checksum = XXH32(&file, offsetof(FileHeader, checksum), 0);
  std::memcpy(capture.data(), &file, sizeof file);
  size_t offset = file.header_bytes;
  while (offset <= capture.size() && capture.size() - offset >= sizeof(FrameHeader)) {
    FrameHeader frame;
    std::memcpy(&frame, capture.data() + offset, sizeof frame);
    const size_t payload = offset + sizeof frame;
    if (frame.stored_bytes > capture.size() - payload) return;
    frame.magic = format::kFrameMagic;
    frame.payload_checksum = XXH32(capture.data() + payload, frame.stored_bytes, 0);
    frame.header_checksum = XXH32(&frame, offsetof(FrameHeader, header_checksum), 0);
    std::memcpy(capture.data() + offset, &frame, sizeof frame);
    offset = payload + frame.stored_bytes;
  }
}

}  // namespace memlens::testing
