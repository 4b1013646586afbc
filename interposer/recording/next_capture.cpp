#include "interposer/recording/next_capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "interposer/format/event_codec.h"
#include "interposer/format/metadata_records.h"
#include "interposer/format/primitives.h"
#include "reader/capture/capture_impl.h"
#include "reader/file/frame_payload.h"

namespace memlens::recording {
namespace {

using collector::FrameDescription;
using format::FrameKind;
using reader::FrameRef;

// Below the longest a chunk may be.
constexpr size_t kCarriedFrameBytes = size_t{128} << 10;

class Payload {
 public:
  void number(uint64_t value) {
    uint8_t encoded[format::kMaxVarintBytes];
    bytes_.insert(bytes_.end(), encoded, format::encode_varint(encoded, value));
  }
  void byte(uint8_t value) { bytes_.push_back(value); }
  void operation(format::ExtendedOperation operation) {
    byte(static_cast<uint8_t>(static_cast<uint8_t>(format::Operation::kExtended) |
                              static_cast<unsigned>(operation) << format::kFieldShift));
  }
  const std::vector<uint8_t>& bytes() const { return bytes_; }
  void clear() { bytes_.clear(); }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace

NextCapture::Begun NextCapture::begin(const std::atomic<bool>& stop) {
  // What an earlier recording left there, or somebody's link to another file.
  unlink(path_.c_str());
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error("cannot create " + path_ + ": " + strerror(errno));
  writer_ = std::make_unique<collector::CaptureWriter>(fd);
  try {
    // In steps, of an hour's recording at most: it may take minutes, and the program may end.
    constexpr double kSteps = 200, kLongestSeconds = 3600;
    reader::FollowedAnalysis old(old_path_);
    const double step = std::min(kLongestSeconds, std::max(0.001, old.horizon_seconds() / kSteps));
    bool more = true;
    for (double until = step; more && !stop; until += step) {
      more = old.advance(until) || until < old.horizon_seconds();
    }
    const auto from = old.continuation();
    const bool known = from && from->ticks != 0;
    if (stop || !known) {
      unlink(path_.c_str());
      return stop ? Begun::kStopped : Begun::kTooEarly;
    }
    write_beginning(old, *from);
  } catch (...) {
    unlink(path_.c_str());
    throw;
  }
  return Begun::kYes;
}

void NextCapture::write_beginning(const reader::FollowedAnalysis& old, const Continuation& from) {
  const reader::Capture::Impl& impl = old.capture().impl();
  const format::FileHeader& header = impl.index.header;
  const auto passed_ns = static_cast<uint64_t>(impl.clock.seconds_at(from.ticks) * 1e9);
  writer_->write_header(header.session_id, {from.ticks, header.start_monotonic_ns + passed_ns,
                                            header.start_unix_ns + passed_ns});
  analyzed_bytes_ = impl.index.good_bytes;
  next_offset_ = header.header_bytes;
  old_ = std::make_unique<reader::Source>(old_path_);
  for (const auto& [index, metadata] : impl.metadata) {
    if (index != 0 && impl.process_end_ticks(index) != UINT64_MAX) ended_.insert(index);
  }
  for (const Continuation::Process& process : from.processes) {
    for (const Continuation::Thread& thread : process.threads) {
      first_chunks_[{process.index, thread.thread}] = thread.chunk.sequence;
    }
  }
  for (const FrameRef& frame : impl.index.others) {
    if (frame.kind == FrameKind::kSession) copy(frame);
  }
  write_order(from);
  for (const Continuation::Process& process : from.processes) {
    write_live(old, from, process.index);
  }
  while (next_offset_ < analyzed_bytes_ && !catch_up(analyzed_bytes_ - next_offset_)) {
  }
}

void NextCapture::write_order(const Continuation& from) {
  Payload payload;
  for (const Continuation::Process& process : from.processes) {
    payload.number(process.index);
    payload.number(process.order.epoch);
    payload.number(process.order.counters.size());
    for (const uint32_t counter : process.order.counters) payload.number(counter);
    payload.number(process.threads.size());
    for (const Continuation::Thread& thread : process.threads) {
      payload.number(thread.thread);
      payload.number(thread.chunk.sequence);
      payload.number(thread.chunk.counted_events);
    }
  }
  FrameDescription frame;
  frame.kind = FrameKind::kCarriedOrder;
  frame.ticks = from.ticks;
  append(frame, payload.bytes());
}

// A stream of its own for each thread.
void NextCapture::write_live(const reader::FollowedAnalysis& old, const Continuation& from,
                             uint32_t process) {
  struct Stream {
    Payload payload;
    uint64_t interval_bytes = 0;
    uint32_t sequence = 0;
  };
  std::map<uint32_t, Stream> streams;
  const auto write = [&](uint32_t thread, Stream& stream) {
    FrameDescription frame;
    frame.kind = FrameKind::kCarriedBlocks;
    frame.process = process;
    frame.thread = thread;
    frame.sequence = stream.sequence++;
    frame.ticks = from.ticks;
    append(frame, stream.payload.bytes());
    stream.payload.clear();
  };
  // Samples in a pass of their own: an interval holds for all that follows it.
  for (const bool samples : {false, true}) {
    old.visit_live(process, [&](const reader::LiveVisit& live) {
      if (samples != (live.interval_bytes != 0)) return;
      Stream& stream = streams[live.thread];
      Payload& payload = stream.payload;
      if (samples && (live.interval_bytes != stream.interval_bytes || payload.bytes().empty())) {
        stream.interval_bytes = live.interval_bytes;
        payload.operation(format::ExtendedOperation::kInterval);
        payload.number(live.interval_bytes);
      }
      payload.operation(live.pool != 0    ? format::ExtendedOperation::kPool
                        : live.is_mapping ? format::ExtendedOperation::kMap
                                          : format::ExtendedOperation::kAllocate);
      if (live.pool != 0) {
        payload.byte(static_cast<uint8_t>(format::PoolOperation::kAllocate));
        payload.number(live.pool);
      }
      payload.byte(static_cast<uint8_t>(live.kind));
      payload.number(live.address);
      payload.number(live.size_bytes);
      payload.number(live.node);
      ++carried_blocks_;
      carried_bytes_ += live.size_bytes;
      if (payload.bytes().size() > kCarriedFrameBytes) write(live.thread, stream);
    });
  }
  for (auto& [thread, stream] : streams) {
    if (!stream.payload.bytes().empty()) write(thread, stream);
  }
}

bool NextCapture::catch_up(uint64_t most_bytes) {
  old_->look_again();
  const uint64_t end = next_offset_ + std::min(most_bytes, old_->size_bytes() - next_offset_);
  FrameRef frame;
  while (next_offset_ < end && read_frame_ref(*old_, next_offset_, frame)) {
    if (is_wanted(frame)) copy(frame);
    next_offset_ = frame.payload_offset() + frame.stored_bytes;
  }
  return next_offset_ >= old_->size_bytes();
}

bool NextCapture::is_wanted(const FrameRef& frame) {
  const bool is_new = frame.offset >= analyzed_bytes_;
  switch (frame.kind) {
    case FrameKind::kMetadata:
      return !ended_.contains(frame.process) && !is_note_of_going_on(frame);
    case FrameKind::kEvents:
    case FrameKind::kUnfinishedEvents: {
      if (frame.carried || ended_.contains(frame.process)) return false;
      const auto first = first_chunks_.find({frame.process, frame.thread});
      return is_new || (first != first_chunks_.end() && frame.sequence >= first->second);
    }
    case FrameKind::kSession:
    case FrameKind::kCarriedOrder:
      return false;
    default:
      return is_new && !ended_.contains(frame.process);
  }
}

// Each file has one of its own.
bool NextCapture::is_note_of_going_on(const FrameRef& frame) {
  if (frame.process != 0) return false;
  reader::PayloadBuffer payload;
  reader::PayloadLoader(*old_).load(frame, payload);
  reader::ByteView view = payload.view();
  if (view.empty() || view.read_byte() != static_cast<uint8_t>(format::MetadataType::kDiagnostic))
    return false;
  reader::ByteView body(view.read_string());
  return body.read_varint() == static_cast<uint64_t>(format::DiagnosticCode::kGoesOn);
}

void NextCapture::copy(const FrameRef& frame) {
  bytes_.resize(sizeof(format::FrameHeader) + frame.stored_bytes);
  reader::Source* source = old_.get();
  source->read(frame.offset, bytes_.data(), bytes_.size());
  if (!writer_->append_copy(bytes_))
    throw std::runtime_error("cannot write " + path_ + ": " + strerror(writer_->failure()));
}

void NextCapture::append(const FrameDescription& frame, const std::vector<uint8_t>& payload) {
  if (!writer_->append(frame, payload))
    throw std::runtime_error("cannot write " + path_ + ": " + strerror(writer_->failure()));
}

}  // namespace memlens::recording
