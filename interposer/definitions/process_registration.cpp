#include "interposer/definitions/process_registration.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "interposer/definitions/definitions.h"
#include "interposer/loader/program_path.h"
#include "interposer/platform/clock.h"
#include "interposer/platform/system_call.h"
#include "interposer/session/metadata_writer.h"
#include "interposer/session/pid_namespace.h"
#include "interposer/session/process.h"

namespace memlens::interposer {

namespace {

constexpr size_t kMaxCommandLineBytes = 8192;

// What a process was started as. A forked child is what its parent was: it makes four system calls
// less, and a title that the parent has written over its arguments is not taken for them.
struct {
  bool known;
  size_t executable_bytes;
  size_t command_line_bytes;
  char executable[4096];
  char command_line[kMaxCommandLineBytes];
} program;

size_t read_command_line(char* buffer, size_t bytes) {
  const int fd = system_call::open_file("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  size_t length = 0;
  while (length < bytes) {
    const long count = system_call::read_file(fd, buffer + length, bytes - length);
    if (count <= 0) break;
    length += static_cast<size_t>(count);
  }
  system_call::close_file(fd);
  return length;
}

// As of the last process that this image was: a forked child is in its parent's, unless the parent
// is not to be seen from there.
uint64_t own_pid_namespace(int32_t pid) {
  static int32_t known_pid = 0;
  static uint64_t known_inode = 0;
  if (known_pid <= 0 || known_inode == 0 || system_call::parent_process_id() != known_pid) {
    known_inode = pid_namespace_inode();
  }
  known_pid = pid;
  return known_inode;
}

}  // namespace

bool claim_process_slot(segment::SegmentHeader* segment, uint32_t& slot, uint32_t& index) {
  for (uint32_t i = 0; i < segment::kMaxProcesses; ++i) {
    segment::ProcessSlot& candidate = segment->processes[i];
    uint32_t expected = segment::kSlotFree;
    if (candidate.state.load(std::memory_order_relaxed) != segment::kSlotFree ||
        !candidate.state.compare_exchange_strong(expected, segment::kSlotClaimed)) {
      continue;
    }
    slot = i;
    index = segment->next_process.fetch_add(1);
    candidate.process = index;
    candidate.pid = system_call::process_id();
    candidate.pid_namespace = own_pid_namespace(candidate.pid);
    candidate.signal_marks.store(0, std::memory_order_relaxed);
    segment::StatisticsSlot& statistics = segment->statistics[i];
    for (auto* word : {&statistics.wanted, &statistics.request, &statistics.large,
                       &statistics.copy_us, &statistics.copy_out}) {
      word->store(0, std::memory_order_relaxed);
    }
    candidate.skipped_calls.store(0, std::memory_order_relaxed);
    candidate.refused_definitions.store(0, std::memory_order_relaxed);
    candidate.birth_ticks = platform::read_ticks();
    candidate.end_ticks.store(0, std::memory_order_relaxed);
    candidate.reaped_ticks.store(0, std::memory_order_relaxed);
    uint32_t used = segment->slots_used.load();
    while (used <= i && !segment->slots_used.compare_exchange_weak(used, i + 1)) {
    }
    candidate.state.store(segment::kSlotLive, std::memory_order_release);
    return true;
  }
  segment->lost_processes.fetch_add(1);
  return false;
}

bool process_is_known(const segment::SegmentHeader* segment, int32_t pid) {
  for (const segment::ProcessSlot& slot : segment->processes) {
    if (slot.state.load(std::memory_order_relaxed) == segment::kSlotLive && slot.pid == pid) {
      return true;
    }
  }
  return false;
}

void describe_process(format::ProcessOrigin origin) {
  if (!program.known) {
    program.executable_bytes = program_path(program.executable, sizeof program.executable);
    program.command_line_bytes =
        read_command_line(program.command_line, sizeof program.command_line);
    program.known = true;
  }
  RecordBody body;
  // Negative where a filter refuses the call.
  body.number(static_cast<uint64_t>(std::max(0, system_call::process_id())))
      .number(static_cast<uint64_t>(std::max(0, system_call::parent_process_id())))
      .number(process.parent_index)
      .number(static_cast<uint64_t>(origin))
      .number(platform::read_ticks())
      .string(program.executable, program.executable_bytes)
      .string(program.command_line, program.command_line_bytes);
  write_definition(format::MetadataType::kProcess, body);
}

}  // namespace memlens::interposer
