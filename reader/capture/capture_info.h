// What a capture says of itself: plain values, which whoever reads it fills in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "interposer/format/allocator_statistics.h"
#include "interposer/format/file_layout.h"
#include "interposer/format/metadata_records.h"
#include "interposer/format/resident_parts.h"
#include "reader/capture/heap_table.h"
#include "reader/capture/profiled_function.h"
#include "reader/file/left_out.h"

namespace memlens::reader {

enum class FrameOrigin : uint8_t { kPython, kNative, kLabel, kTask };

// Whether a stack is that of the calls, has the asyncio task it belongs to as a frame outside of
// the coroutine's, or begins there: in place of the event loop and what called that.
enum class TaskFrames : uint8_t { kHidden, kInPlace, kOutermost };

// One line of a stack. The views live as long as the capture.
struct Frame {
  std::string_view function;      // never empty
  std::string_view linkage_name;  // native: the object file's own name; empty: same as function
  std::string_view file;          // empty: unknown
  std::string_view module;        // native: the file mapped; empty: unknown
  std::string_view source;        // the line's text, stripped; empty: not stored
  uint32_t line = 0;              // 0: unknown
  FrameOrigin origin = FrameOrigin::kLabel;
};

struct ProcessInfo {
  uint32_t index = 0;  // session-wide, from 1
  int32_t pid = 0;
  uint32_t parent_index = 0;
  format::ProcessOrigin origin = format::ProcessOrigin::kStart;
  std::string executable;
  std::vector<std::string> command;
  double start_seconds = 0;  // since the session began
  std::optional<double> end_seconds;
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string python;                        // version text; empty: no Python
  std::optional<uint64_t> high_water_bytes;  // the most it ever had resident, where it said so
};

struct ThreadInfo {
  uint32_t process_index = 0;
  uint32_t index = 0;  // within the process, from 1
  int32_t tid = 0;     // kernel thread id
  std::string name;
  double start_seconds = 0;
  uint64_t lost_events = 0;
};

struct Diagnostic {
  uint32_t process_index = 0;
  format::DiagnosticCode code = format::DiagnosticCode::kOther;
  std::string text;
};

// A moment with a name: given by the program, by `memlens mark` or by `run --mark-every`.
struct Mark {
  double seconds = 0;          // since the session began
  uint32_t process_index = 0;  // 0: of the whole recording
  std::string name;
  bool operator==(const Mark&) const = default;
};

// Of a program that ran already when recording began: blocks from before are unknown.
struct AttachedInfo {
  int32_t pid = 0;
  double after_seconds = 0;                // since its process was started
  std::optional<uint64_t> resident_bytes;  // then
};

struct CaptureInfo {
  std::string path;
  uint64_t file_bytes = 0;
  bool complete = false;  // a trailer is there, and nothing before it could not be written
  std::string ending;     // "finished", "interrupted", "write_failed", "running"
  bool running = false;   // somebody still writes it: everything is so far
  // Its end is there, and something before it is not: the program wrote over it, or it could not be
  // recorded; notes and `left_out` say what. Of events that is known once they have been read.
  bool has_gaps = false;
  // Of one that is not complete, what goes on "the recording ...": why and where it ends.
  std::string early_end;
  std::vector<std::string> command;
  std::string working_directory;
  std::string hostname;
  std::string recorded_by;            // memlens version
  std::optional<std::string> python;  // version of the first Python process
  bool native_stacks = false;
  bool python_allocators = false;
  uint64_t sample_bytes = 0;  // one sample in so many bytes when recording began; 0: every block
  std::optional<AttachedInfo> attached;
  double duration_seconds = 0;
  uint64_t start_unix_ns = 0;
  // Calls that signal handlers made while an allocation function was at work, which are not
  // recorded; frames and names that could not be defined, because a lock of the recorder's was held
  // too long.
  uint64_t skipped_calls = 0;
  uint64_t refused_definitions = 0;
  std::vector<ProcessInfo> processes;  // in order of index
  std::vector<ThreadInfo> threads;
  std::vector<Diagnostic> diagnostics;
  // By time. Those that stand among the events (format before 2.1) are in Analysis::marks alone.
  std::vector<Mark> marks;
  std::vector<ProfiledFunction> profiled_functions;  // of all processes, each once
  std::vector<LeftOut> left_out;                     // all but events, which Analysis tells of
  HeapTable heaps;

  // All that was recorded is in the reports.
  bool is_whole() const { return complete && !has_gaps; }
};

// A sample of a process's resident set.
struct ResidentSample {
  double seconds = 0;
  uint32_t process_index = 0;
  uint64_t bytes = 0;
};

// What one was made of.
struct ResidentPartsSample {
  double seconds = 0;
  uint32_t process_index = 0;
  format::ResidentParts parts;
};

// What an allocator of a process said of itself.
struct AllocatorSample {
  double seconds = 0;
  uint32_t process_index = 0;
  format::StatisticsMoment moment{};
  format::AllocatorName allocator{};
  format::AllocatorStatistics statistics;
};

}  // namespace memlens::reader
