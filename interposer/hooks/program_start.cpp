#include "interposer/hooks/program_start.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/diagnostics.h"
#include "interposer/guest/environment.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/lifecycle/lifecycle.h"
#include "interposer/platform/system_call.h"
#include "interposer/record/order.h"
#include "interposer/session/attach_segment.h"
#include "interposer/session/gate.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

// The same program left out a thousand times is said once (or, when others share its place, a few).
constexpr unsigned kNotedPrograms = 64;
std::atomic<uint32_t> noted[kNotedPrograms];

bool noted_before(const char* text) {
  uint32_t hash = 2166136261u;  // FNV-1a
  for (; *text != '\0'; ++text) hash = (hash ^ static_cast<unsigned char>(*text)) * 16777619u;
  return noted[hash % kNotedPrograms].exchange(hash | 1, std::memory_order_relaxed) == (hash | 1);
}

void note_obstacle(const char* path, Obstacle obstacle) {
  HookScope scope;
  if (!scope.outermost()) return;  // in a signal handler within a hook
  // A child of a raw fork must not write to its parent's tables.
  if (order::load() == 0) forked_child_started(false);
  const SessionStay stay;
  if (!stay) return;
  Line line;
  line.text(path).text(" ").text(explain(obstacle));
  if (!noted_before(line.c_str())) {
    define_diagnostic(format::DiagnosticCode::kUntrackedChild, line.c_str());
  }
}

// memlens itself, started by a program that asks for what it has recorded so far: reports are no
// part of the program.
bool is_memlens(const char* path) {
  constexpr char kName[] = "memlens";
  const char* slash = std::strrchr(path, '/');
  return std::strcmp(slash != nullptr ? slash + 1 : path, kName) == 0;
}

bool library_is_reachable(const char* path) {
  // Loaded by way of a descriptor: the program will not have it.
  constexpr char kDescriptors[] = "/proc/";
  if (std::strncmp(path, kDescriptors, sizeof kDescriptors - 1) == 0) return false;
  const int saved_errno = errno;
  const bool reachable = system_call::is_accessible(path, R_OK);
  errno = saved_errno;
  return reachable;
}

}  // namespace

bool in_unrecorded_child() {
  return process.segment != nullptr &&
         process.segment->processes[process.slot].pid != system_call::process_id();
}

ProgramStart prepare_start(int directory_fd, const char* path, bool new_process) {
  ProgramStart start;
  const char* library = own_library_path();
  if (process.segment == nullptr || library[0] == '\0') return start;
  // Dormant: so is what it starts.
  if (!recording() && environment_value(segment::kDormantVariable) != nullptr) return start;
  start.environment = ProgramStart::Environment::kDetach;
  const bool follow = (process.segment->options & segment::kOptionFollow) != 0;
  if (!recording() || (new_process && !follow)) return start;
  if (path != nullptr && is_memlens(path)) return start;
  if (path != nullptr) {
    Obstacle obstacle = inspect_program(directory_fd, path);
    if (obstacle == Obstacle::kNone && !library_is_reachable(library)) {
      obstacle = Obstacle::kLibraryHidden;
    }
    if (obstacle != Obstacle::kNone) {
      note_obstacle(path, obstacle);
      return start;
    }
  }
  if (new_process) announce_birth();
  start.environment = ProgramStart::Environment::kAttach;
  start.entries = {library, session_description(), new_process};
  return start;
}

void start_failed(const ProgramStart& start) {
  if (start.environment == ProgramStart::Environment::kAttach && start.entries.announced) {
    withdraw_birth();
  }
}

}  // namespace memlens::interposer
