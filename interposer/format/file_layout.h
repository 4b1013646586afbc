// The capture file's two fixed structures. FORMAT.md is the specification; this is its C++ form.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memlens::format {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");

// As PNG does: a high byte against text tools, CR LF and LF against line-end translation.
inline constexpr char kFileMagic[8] = {'\x89', 'M', 'L', 'N', 'S', '\r', '\n', '\x1a'};
inline constexpr uint32_t kFrameMagic = 0x524d4c4d;  // "MLMR" on disk

struct FileHeader {
  char magic[8];
  uint16_t version_major;
  uint16_t version_minor;
  uint32_t header_bytes;        // sizeof(FileHeader) in the writer's version
  uint64_t session_id;          // random; names the run
  uint64_t start_ticks;         // the tick counter when the session began
  uint64_t start_monotonic_ns;  // CLOCK_MONOTONIC at the same moment
  uint64_t start_unix_ns;       // CLOCK_REALTIME at the same moment
  uint64_t reserved;            // zero
  uint32_t reserved_2;          // zero
  uint32_t checksum;            // XXH32, seed 0, of the bytes before it
};
static_assert(sizeof(FileHeader) == 64);
static_assert(offsetof(FileHeader, checksum) == 60);

// Values are part of the format: append, never renumber. Unknown kinds are skipped.
enum class FrameKind : uint16_t {
  kSession = 1,            // JSON: what was run and how
  kMetadata = 2,           // metadata records of one process (metadata_records.h)
  kEvents = 3,             // events of one thread (event_codec.h)
  kClock = 4,              // pairs of ticks and nanoseconds (varints)
  kMemory = 5,             // resident-set samples of processes
  kProcessEnd = 6,         // JSON: a process ended, how, when
  kSymbols = 7,            // resolved native addresses
  kSource = 8,             // source lines' texts
  kTrailer = 9,            // JSON: the recording ended cleanly
  kSampledEvents = 10,     // as kEvents, of a process that records samples only
  kMarks = 11,             // moments named from outside while the program ran
  kUnfinishedEvents = 12,  // as kEvents: what there is of a chunk that its thread still fills
  kSoFar = 13,             // no payload: every event before `ticks` is in the frames before
  kResidentParts = 14,     // what resident sets are made of (resident_parts.h)
  kCarriedBlocks = 15,     // as kEvents: blocks of one thread that were live when this file began
  kCarriedOrder = 16,      // where in the order of events this file goes on from the one before
};

inline constexpr uint16_t kFrameCompressed = 1;  // payload is one zstd frame
inline constexpr uint16_t kFrameSharedOrder =
    2;                                        // events: the chunk starts in a shared order epoch
inline constexpr uint16_t kFrameByClass = 4;  // events: EventCoding::kByClass

struct FrameHeader {
  uint32_t magic;
  uint16_t kind;  // FrameKind
  uint16_t flags;
  uint32_t process;           // session-wide process index from 1; 0: the collector's own frame
  uint32_t thread;            // thread index within the process from 1; 0: not a thread's
  uint32_t sequence;          // from 0: per thread for events, per process for metadata
  uint32_t stored_bytes;      // payload bytes that follow this header
  uint32_t raw_bytes;         // payload bytes once decompressed
  uint32_t lost_events;       // events of this thread dropped just before this frame
  uint64_t ticks;             // tick counter when the chunk began
  uint64_t order_epoch;       // events: the order epoch the chunk starts in
  uint32_t reserved;          // zero
  uint32_t reserved_2;        // zero
  uint32_t payload_checksum;  // XXH32, seed 0, of the stored payload
  uint32_t header_checksum;   // XXH32, seed 0, of the header's bytes before it
};
static_assert(sizeof(FrameHeader) == 64);
static_assert(offsetof(FrameHeader, header_checksum) == 60);

// No writer makes a larger payload, so a reader may refuse one before it allocates.
inline constexpr uint32_t kMaxFrameBytes = 64u << 20;
inline constexpr uint32_t kMaxEventFrameBytes = 256u << 10;  // decompressed

}  // namespace memlens::format
