#include "tests/unit/collector/capture_frames.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include <cstring>

namespace memlens::testing {

int make_capture_file() { return memfd_create("capture", MFD_CLOEXEC); }

std::vector<ReadFrame> read_frames(int fd) {
  struct stat status {};
  REQUIRE(fstat(fd, &status) == 0);
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  REQUIRE(pread(fd, bytes.data(), bytes.size(), 0) == status.st_size);
  REQUIRE(bytes.size() >= sizeof(format::FileHeader));
  CHECK(std::memcmp(bytes.data(), format::kFileMagic, sizeof format::kFileMagic) == 0);
  std::vector<ReadFrame> frames;
  for (size_t at = sizeof(format::FileHeader); at < bytes.size();) {
    ReadFrame frame;
    REQUIRE(at + sizeof frame.header <= bytes.size());
    std::memcpy(&frame.header, bytes.data() + at, sizeof frame.header);
    CHECK(frame.header.magic == format::kFrameMagic);
    CHECK(frame.header.header_checksum ==
          XXH32(bytes.data() + at, offsetof(format::FrameHeader, header_checksum), 0));
    at += sizeof frame.header;
    REQUIRE(at + frame.header.stored_bytes <= bytes.size());
    CHECK(frame.header.payload_checksum == XXH32(bytes.data() + at, frame.header.stored_bytes, 0));
    frame.payload.resize(frame.header.raw_bytes);
    if ((frame.header.flags & format::kFrameCompressed) != 0) {
      CHECK(ZSTD_decompress(frame.payload.data(), frame.payload.size(), bytes.data() + at,
                            frame.header.stored_bytes) == frame.payload.size());
    } else {
      CHECK(frame.header.stored_bytes == frame.header.raw_bytes);
      std::memcpy(frame.payload.data(), bytes.data() + at, frame.payload.size());
    }
    at += frame.header.stored_bytes;
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace memlens::testing
