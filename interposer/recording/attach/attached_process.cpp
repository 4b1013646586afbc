#include "interposer/recording/attach/attached_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "interposer/attach/remote_process.h"
#include "interposer/collector/control_socket.h"
#include "interposer/collector/process_files.h"
#include "interposer/exec/exec_target.h"
#include "interposer/recording/python_script.h"
#include "interposer/recording/run_error.h"

namespace memlens::recording {
namespace {

using attach::proc_path;
using attach::status_field;

std::string link_target(pid_t pid, const char* file) {
  std::error_code error;
  return std::filesystem::read_symlink(proc_path(pid, file), error).string();
}

// An ending process, too, has no executable and no memory left, some time before it is a zombie.
bool is_kernel_thread(pid_t pid) {
  constexpr unsigned kKernelThread = 0x200000;  // PF_KTHREAD
  std::ifstream file(proc_path(pid, "stat"));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const size_t after_name =
      text.rfind(')');  // "pid (name) state ppid pgrp session tty group flags"
  if (after_name == std::string::npos) return false;
  std::istringstream fields(text.substr(after_name + 1));
  std::string state;
  long long skipped = 0;
  unsigned flags = 0;
  fields >> state;
  for (int i = 0; i < 5; ++i) fields >> skipped;
  return fields >> flags && (flags & kKernelThread) != 0;
}

double seconds_since_boot() {
  double seconds = 0;
  std::ifstream("/proc/uptime") >> seconds;
  return seconds;
}

}  // namespace

AttachedProcess look_at_process(pid_t pid) {
  const std::string name = "process " + std::to_string(pid);
  if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH)) {
    throw RunError(kOwnFailure, "there is no " + name);
  }
  AttachedProcess process;
  process.pid = pid;
  const std::string group = status_field(pid, "Tgid");
  if (!group.empty() && atoi(group.c_str()) != pid) {
    throw RunError(kOwnFailure, std::to_string(pid) + " is a thread of process " + group +
                                    "; attach to that one");
  }
  if (status_field(pid, "State").starts_with("Z")) {
    throw RunError(kOwnFailure, name + " has ended; its parent has not asked for its end yet");
  }
  if (!collector::is_running(pid)) throw RunError(kOwnFailure, name + " has ended");
  process.user = static_cast<uint32_t>(strtoul(status_field(pid, "Uid").c_str(), nullptr, 10));
  if (geteuid() != 0 && process.user != geteuid()) {
    throw RunError(kOwnFailure, name + " is another user's (uid " + std::to_string(process.user) +
                                    "); attach as that user or as root");
  }
  process.executable = link_target(pid, "exe");
  if (process.executable.empty()) {
    if (status_field(pid, "VmSize").empty()) {
      throw RunError(
          kOwnFailure,
          name + (is_kernel_thread(pid) ? " is a thread of the kernel, which cannot be recorded"
                                        : " has ended"));
    }
    throw RunError(kOwnFailure, name + " " + attach::why_not_permitted(pid));
  }
  const interposer::Obstacle obstacle =
      interposer::inspect_program(AT_FDCWD, proc_path(pid, "exe").c_str());
  if (obstacle == interposer::Obstacle::kOtherMachine ||
      obstacle == interposer::Obstacle::kStatic || obstacle == interposer::Obstacle::kOtherLibc) {
    throw RunError(kOwnFailure, name + " cannot be recorded: " + process.executable + " " +
                                    interposer::explain(obstacle) +
                                    "; only programs that load a 64-bit glibc of this machine can");
  }
  for (const collector::RunningRecording& recording : collector::running_recordings()) {
    if (!collector::records_into(pid, recording)) continue;
    if (pid == recording.collector_pid) {
      throw RunError(kOwnFailure, name + " is a memlens that records; attach to its program");
    }
    throw RunError(kOwnFailure, name + " is already being recorded, by process " +
                                    std::to_string(recording.collector_pid) +
                                    "; end that with `memlens detach " + std::to_string(pid) +
                                    "` first");
  }
  process.command = collector::command_line_of(pid);
  process.working_directory = link_target(pid, "cwd");
  process.python = is_python_path(process.executable);
  if (const auto started = collector::start_time(pid)) {
    process.age_seconds = seconds_since_boot() -
                          static_cast<double>(*started) / static_cast<double>(sysconf(_SC_CLK_TCK));
    if (process.age_seconds < 0) process.age_seconds = 0;
  }
  process.resident_bytes = collector::resident_bytes(pid);
  return process;
}

}  // namespace memlens::recording
