// Metadata: what the numbers in a process's events stand for. FORMAT.md, "Metadata".
//
// A metadata payload is a sequence of records, each
//     type (one byte), length of the body (varint), body
// so a reader skips types it does not know. A body is varints and strings; a string is a varint
// length and that many bytes, whose encoding is the program's own business (mostly UTF-8).
#pragma once

#include <cstddef>
#include <cstdint>

namespace memlens::format {

// Append, never renumber. The fields of each body, in order:
enum class MetadataType : uint8_t {
  // pid, parent pid, parent process index (0: none recorded), how it began (ProcessOrigin),
  // ticks, executable (string), command line (string, arguments each ended by NUL)
  kProcess = 1,
  // thread index, kernel thread id, ticks, name (string, may be empty). A second one renames.
  kThread = 2,
  // thread index, ticks
  kThreadEnd = 3,
  // string id, bytes of the whole string, offset of this part, part (string)
  kString = 4,
  // code id, filename, qualified name (string ids), first line number, line table (string id),
  // format of the line table (LineTableFormat)
  kCode = 5,
  // node id, parent node id, code id, instruction offset in bytes + 1 (0: not started)
  kPythonNode = 6,
  // node id, parent node id, address of the instruction (already return address - 1)
  kNativeNode = 7,
  // node id, parent node id, label (string): a frame memlens itself supplies
  kLabelNode = 8,
  // module id, load bias, start, end, ticks, path (string), build id (string of raw bytes)
  kModule = 9,
  // module id, ticks
  kModuleEnd = 10,
  // minor version of CPython 3, hexversion, version string, how it is recorded (string)
  kPython = 11,
  // DiagnosticCode, text (string): something a reader of the report should be told
  kDiagnostic = 12,
  // A Python node, a native node, whose id is one more than that of the process's node record
  // before
  // it: node id - parent node id, then as above. Ids are most of a node's bytes, and differ from
  // one
  // record to the next where nothing else does.
  kNextPythonNode = 13,
  kNextNativeNode = 14,
  // thread index, ticks, name (string): a moment the program named
  kMark = 15,
  // heap id, HeapFamily, number of its address space (0: the process's), name (string)
  kHeap = 16,
  // kind (as events have it), heap id, name (string)
  kHeapFunction = 17,
  // ticks, resident bytes, the highest there were, ranges (string of varints: start, bytes,
  // touched bytes; repeated): what is in memory when the process exits, of large private ranges
  // that are not all touched
  kResidentMemory = 18,
  // node id, parent node id, code id, name (string id; 0: nobody gave it one): an asyncio task,
  // whose coroutine runs that code. It has no line of its own and may be left out of a stack; the
  // frame on top of it is the coroutine's.
  kTaskNode = 19,
  // file, name (strings), first line, number of lines: a function whose lines the program asked a
  // table of. Once or more often.
  kProfiledFunction = 20,
  // ticks, StatisticsMoment, AllocatorName, numbers (string of varints: those of
  // AllocatorStatistics)
  kAllocatorStatistics = 21,
};

// The longest name of a mark, in bytes.
inline constexpr size_t kMaxMarkBytes = 1024;

enum class ProcessOrigin : uint8_t { kStart = 0, kFork = 1, kExec = 2 };

enum class LineTableFormat : uint8_t {
  kNone = 0,
  kLnotab = 1,        // CPython 3.8, 3.9: co_lnotab
  kLinetable310 = 2,  // CPython 3.10
  kLocations311 = 3,  // CPython 3.11 and newer
};

enum class DiagnosticCode : uint8_t {
  kOther = 0,
  kPythonLayoutUnknown = 1,  // no Python stacks in this process
  kUntrackedChild = 2,       // a child that could not be preloaded: path and reason
  kStaticAllocator = 3,      // the program brings its own malloc
  kTableFull = 4,            // stacks beyond a limit are shown under a fallback frame
  kStopped = 5,              // this process stopped recording early
  kLeftOut = 6,              // something recorded is in no frame: it was written over
  kGoesOn = 7,               // this file goes on from an earlier one, with what was live then
};

// Node 0 is the root: an event on it has no frames (native code outside Python when native stacks
// are off). Ids count up from 1 within a process.
inline constexpr uint32_t kRootNode = 0;

}  // namespace memlens::format
