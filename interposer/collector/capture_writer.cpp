#include "interposer/collector/capture_writer.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "interposer/format/version.h"

namespace memlens::collector {
namespace {

// Level 3 gains 4 % of the size of events for half as much time again, and 18 % of all else, which
// is little. Levels below 1, for when producers compete with the collector for its core, do not
// pay: -1 takes 12-25 % less time for 14-22 % more bytes, which have to be written. Nor do single
// parameters of level 1 (minMatch 5: 1-3 % smaller, 3-15 % slower; hashLog 12: 10 % faster, 1-6 %
// larger; level -1 with entropy coding of literals: much the same).
constexpr int kEventsLevel = 1;
constexpr int kOtherLevel = 3;
// Below this it is 10 us to gain a hundred bytes, at each end, and a process of many small ones has
// two or three such frames.
constexpr size_t kMinCompressedBytes = 640;

}  // namespace

void CaptureWriter::FreeContext::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

CaptureWriter::CaptureWriter(int fd) : CaptureWriter(fd, 0) {}

CaptureWriter::CaptureWriter(int fd, uint64_t file_bytes)
    : fd_(fd),
      file_bytes_(file_bytes),
      previous_bytes_(file_bytes),
      compressor_(ZSTD_createCCtx()) {
  // Whoever reads the file sees by this lock that it is still being written. It goes with the
  // descriptor, so also when this process is killed. Where there are no locks, nobody sees it.
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  (void)fcntl(fd_, F_OFD_SETLK, &whole);
}

CaptureWriter::~CaptureWriter() {
  if (fd_ >= 0) close(fd_);
}

int CaptureWriter::go_on_in(CaptureWriter& next) {
  const int before = std::exchange(fd_, std::exchange(next.fd_, -1));
  file_bytes_ = next.file_bytes_;
  previous_bytes_ = next.previous_bytes_;
  return before;
}

bool CaptureWriter::write_header(uint64_t session_id, const Moment& start) {
  format::FileHeader header{};
  std::memcpy(header.magic, format::kFileMagic, sizeof header.magic);
  header.version_major = format::kVersionMajor;
  header.version_minor = format::kVersionMinor;
  header.header_bytes = sizeof header;
  header.session_id = session_id;
  header.start_ticks = start.ticks;
  header.start_monotonic_ns = start.monotonic_ns;
  header.start_unix_ns = start.unix_ns;
  header.checksum = XXH32(&header, offsetof(format::FileHeader, checksum), 0);
  return write_all(reinterpret_cast<const uint8_t*>(&header), sizeof header);
}

bool CaptureWriter::append(const FrameDescription& frame, std::span<const uint8_t> payload) {
  if (payload.size() > format::kMaxFrameBytes) {
    if (failure_ == 0) failure_ = EFBIG;
    return false;
  }
  const bool events = frame.kind == format::FrameKind::kEvents ||
                      frame.kind == format::FrameKind::kSampledEvents ||
                      frame.kind == format::FrameKind::kUnfinishedEvents ||
                      frame.kind == format::FrameKind::kCarriedBlocks;
  format::FrameHeader header{};
  const size_t bound = ZSTD_compressBound(payload.size());
  if (frame_bytes_.size() < sizeof header + bound) frame_bytes_.resize(sizeof header + bound);
  uint8_t* stored = frame_bytes_.data() + sizeof header;
  size_t stored_bytes = payload.size();
  bool compressed = false;
  if (payload.size() >= kMinCompressedBytes) {
    ZSTD_CCtx_setParameter(compressor_.get(), ZSTD_c_compressionLevel,
                           events ? kEventsLevel : kOtherLevel);
    const size_t size =
        ZSTD_compress2(compressor_.get(), stored, bound, payload.data(), payload.size());
    compressed = ZSTD_isError(size) == 0 && size < payload.size();
    if (compressed) stored_bytes = size;
  }
  if (!compressed && !payload.empty()) std::memcpy(stored, payload.data(), payload.size());

  header.magic = format::kFrameMagic;
  header.kind = static_cast<uint16_t>(frame.kind);
  header.flags = static_cast<uint16_t>((compressed ? format::kFrameCompressed : 0) |
                                       (frame.shared_order ? format::kFrameSharedOrder : 0) |
                                       (events ? format::kFrameByClass : 0));
  header.process = frame.process;
  header.thread = frame.thread;
  header.sequence = frame.sequence;
  header.stored_bytes = static_cast<uint32_t>(stored_bytes);
  header.raw_bytes = static_cast<uint32_t>(payload.size());
  header.lost_events = frame.lost_events;
  header.ticks = frame.ticks;
  header.order_epoch = frame.order_epoch;
  header.payload_checksum = XXH32(stored, stored_bytes, 0);
  header.header_checksum = XXH32(&header, offsetof(format::FrameHeader, header_checksum), 0);
  std::memcpy(frame_bytes_.data(), &header, sizeof header);
  return write_all(frame_bytes_.data(), sizeof header + stored_bytes);
}

bool CaptureWriter::append(const FrameDescription& frame, std::string_view payload) {
  return append(frame, {reinterpret_cast<const uint8_t*>(payload.data()), payload.size()});
}

bool CaptureWriter::append_last(const FrameDescription& frame, std::string_view payload) {
  if (append(frame, payload)) return true;
  if (previous_bytes_ < sizeof(format::FileHeader)) return false;
  cut_to(previous_bytes_);
  return append(frame, payload);
}

// Not every output can be cut (a device); then a reader sees the torn frame as the end.
void CaptureWriter::cut_to(uint64_t file_bytes) {
  if (ftruncate(fd_, static_cast<off_t>(file_bytes)) != 0) return;
  lseek(fd_, static_cast<off_t>(file_bytes), SEEK_SET);
  file_bytes_ = file_bytes;
}

bool CaptureWriter::write_all(const uint8_t* bytes, size_t size) {
  size_t written = 0;
  while (written < size) {
    const ssize_t count = write(fd_, bytes + written, size - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      if (failure_ == 0) failure_ = count < 0 ? errno : ENOSPC;
      cut_to(file_bytes_);
      return false;
    }
    written += static_cast<size_t>(count);
  }
  previous_bytes_ = file_bytes_;
  file_bytes_ += size;
  return true;
}

}  // namespace memlens::collector
