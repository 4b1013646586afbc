#include "reader/file/frame_index.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <tuple>

#include "interposer/format/version.h"
#include "reader/file/error.h"

namespace memlens::reader {

using format::FileHeader;
using format::FrameHeader;
using format::FrameKind;

FileHeader read_file_header(const Source& source) {
  FileHeader header;
  const uint64_t size_bytes = source.size_bytes();
  if (size_bytes == 0) throw CaptureError(source.path(), "the file is empty");
  const size_t there_bytes = static_cast<size_t>(std::min<uint64_t>(size_bytes, sizeof header));
  source.read(0, &header, there_bytes);
  const size_t magic_bytes = std::min(there_bytes, sizeof header.magic);
  if (std::memcmp(header.magic, format::kFileMagic, magic_bytes) != 0)
    throw CaptureError(source.path(), 0, "this is not a memlens capture");
  if (there_bytes < sizeof header)
    throw CaptureError(source.path(), there_bytes,
                       "the file ends inside its header: nothing was recorded");
  // A later major version may have another header, so its number is looked at first.
  if (header.version_major > format::kVersionMajor)
    throw CaptureError(source.path(), 8,
                       "capture format version " + std::to_string(header.version_major) + "." +
                           std::to_string(header.version_minor) + ", this memlens reads up to " +
                           std::to_string(format::kVersionMajor) +
                           ".x; use a memlens that is as new as the capture");
  if (XXH32(&header, offsetof(FileHeader, checksum), 0) != header.checksum)
    throw CaptureError(source.path(), 0, "the file header is damaged (checksum)");
  if (header.header_bytes < sizeof header)
    throw CaptureError(source.path(), 12, "the file header names an impossible length");
  return header;
}

bool read_frame_ref(const Source& source, uint64_t offset, FrameRef& ref) {
  FrameHeader header;
  if (offset > source.size_bytes() || source.size_bytes() - offset < sizeof header) return false;
  source.read(offset, &header, sizeof header);
  if (header.magic != format::kFrameMagic)
    throw CaptureError(source.path(), offset, "damaged: no frame begins here");
  if (XXH32(&header, offsetof(FrameHeader, header_checksum), 0) != header.header_checksum)
    throw CaptureError(source.path(), offset, "damaged: the frame header's checksum is wrong");
  if (header.stored_bytes > format::kMaxFrameBytes || header.raw_bytes > format::kMaxFrameBytes)
    throw CaptureError(source.path(), offset, "damaged: a frame of impossible size");
  if ((header.kind == static_cast<uint16_t>(FrameKind::kEvents) ||
       header.kind == static_cast<uint16_t>(FrameKind::kSampledEvents) ||
       header.kind == static_cast<uint16_t>(FrameKind::kUnfinishedEvents) ||
       header.kind == static_cast<uint16_t>(FrameKind::kCarriedBlocks)) &&
      header.raw_bytes > format::kMaxEventFrameBytes)
    throw CaptureError(source.path(), offset, "damaged: a chunk of impossible size");
  if ((header.flags & format::kFrameCompressed) == 0 && header.stored_bytes != header.raw_bytes)
    throw CaptureError(source.path(), offset, "damaged: an uncompressed frame names two sizes");
  if (source.size_bytes() - offset - sizeof header < header.stored_bytes) return false;
  ref.offset = offset;
  ref.ticks = header.ticks;
  ref.order_epoch = header.order_epoch;
  ref.kind = static_cast<FrameKind>(header.kind);
  // The events themselves tell that they are samples; the kind only keeps readers off that do not
  // know what to make of them.
  if (ref.kind == FrameKind::kSampledEvents) ref.kind = FrameKind::kEvents;
  ref.unfinished = false;
  ref.counted_events = 0;
  ref.carried = ref.kind == FrameKind::kCarriedBlocks;
  if (ref.carried) ref.kind = FrameKind::kEvents;
  ref.flags = header.flags;
  ref.process = header.process;
  ref.thread = header.thread;
  ref.sequence = header.sequence;
  ref.stored_bytes = header.stored_bytes;
  ref.raw_bytes = header.raw_bytes;
  ref.lost_events = header.lost_events;
  ref.payload_checksum = header.payload_checksum;
  return true;
}

namespace {

// Sorts a stream's frames, leaves those out whose numbers make no sense, and counts the numbers
// that are missing. `from_first`: those before the first are in an earlier file.
uint64_t order_frames(std::vector<FrameRef>& frames, LeftOutKind kind, LeftOutList& left_out,
                      bool from_first = false) {
  std::stable_sort(frames.begin(), frames.end(),
                   [](const FrameRef& a, const FrameRef& b) { return a.sequence < b.sequence; });
  // As many as a capture cut in its middle can lack; a number far beyond is none of the stream's.
  constexpr uint64_t kMaxGap = 1 << 20;
  uint64_t missing = 0;
  uint64_t expected = from_first && !frames.empty() ? frames.front().sequence : 0;
  std::vector<FrameRef> kept;
  kept.reserve(frames.size());
  for (const FrameRef& frame : frames) {
    const bool second = frame.sequence < expected;
    if (second || frame.sequence - expected > kMaxGap) {
      left_out.add(
          kind, frame.process, kind == LeftOutKind::kEvents ? frame.thread : 0, frame.offset,
          (second ? "a second frame with sequence number " : "impossible sequence number ") +
              std::to_string(frame.sequence));
      continue;
    }
    missing += frame.sequence - expected;
    expected = uint64_t{frame.sequence} + 1;
    kept.push_back(frame);
  }
  frames = std::move(kept);
  return missing;
}

}  // namespace

FrameIndex read_frame_index(const Source& source) {
  FrameIndex index;
  index.header = read_file_header(source);
  index.first_ticks = index.header.start_ticks;
  index.last_ticks = index.header.start_ticks;
  std::map<std::pair<uint32_t, uint32_t>, std::vector<FrameRef>> events;
  std::map<std::pair<uint32_t, uint32_t>, std::vector<FrameRef>> carried;
  bool goes_on = false;
  // Chunks that were not finished yet, the latest of each.
  std::map<std::tuple<uint32_t, uint32_t, uint32_t>, FrameRef> unfinished;
  index.good_bytes = visit_frames(source, index.header, [&](const FrameRef& ref) {
    ++index.frame_count;
    index.complete = ref.kind == FrameKind::kTrailer;
    index.last_ticks = std::max(index.last_ticks, ref.ticks);
    goes_on = goes_on || ref.kind == FrameKind::kCarriedOrder;
    if (ref.carried) {
      carried[{ref.process, ref.thread}].push_back(ref);
      events[{ref.process, ref.thread}];
    } else if (ref.kind == FrameKind::kEvents) {
      events[{ref.process, ref.thread}].push_back(ref);
      unfinished.erase({ref.process, ref.thread, ref.sequence});
    } else if (ref.kind == FrameKind::kUnfinishedEvents) {
      FrameRef& latest = unfinished[{ref.process, ref.thread, ref.sequence}];
      latest = ref;
      latest.kind = FrameKind::kEvents;
      latest.unfinished = true;
    } else if (ref.kind == FrameKind::kSoFar) {
      index.so_far_ticks = std::max(index.so_far_ticks, ref.ticks);
    } else if (ref.kind == FrameKind::kMetadata) {
      index.metadata[ref.process].push_back(ref);
    } else {
      index.others.push_back(ref);
    }
  });
  for (const auto& [key, ref] : unfinished) {
    events[{ref.process, ref.thread}].push_back(ref);
  }
  // Bytes after the trailer that are no complete frame are no part of what was written.
  if (index.good_bytes != source.size_bytes()) index.complete = false;
  LeftOutList left_out;
  for (auto& [process, frames] : index.metadata)
    order_frames(frames, LeftOutKind::kMetadata, left_out);
  for (auto& [key, frames] : events) {
    EventStream stream;
    stream.process = key.first;
    stream.thread = key.second;
    stream.missing_frames = order_frames(frames, LeftOutKind::kEvents, left_out, goes_on);
    for (const FrameRef& frame : frames) stream.lost_events += frame.lost_events;
    if (const auto before = carried.find(key); before != carried.end()) {
      order_frames(before->second, LeftOutKind::kEvents, left_out);
      stream.frames = std::move(before->second);
    }
    stream.frames.insert(stream.frames.end(), frames.begin(), frames.end());
    index.streams.push_back(std::move(stream));
  }
  index.left_out = left_out.take();
  return index;
}

EventStream chunks_between(const EventStream& stream, uint64_t from_ticks, uint64_t to_ticks) {
  const auto later = [](uint64_t ticks, const FrameRef& frame) { return ticks < frame.ticks; };
  auto begin = std::upper_bound(stream.frames.begin(), stream.frames.end(), from_ticks, later);
  const auto end = std::upper_bound(begin, stream.frames.end(), to_ticks, later);
  if (begin != stream.frames.begin()) --begin;
  EventStream part;
  part.process = stream.process;
  part.thread = stream.thread;
  part.frames.assign(begin, end);
  return part;
}

}  // namespace memlens::reader
