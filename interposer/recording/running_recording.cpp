#include "interposer/recording/running_recording.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "interposer/format/file_layout.h"
#include "interposer/recording/finish_capture.h"
#include "interposer/recording/run_error.h"
#include "reader/file/source.h"

namespace memlens::recording {
namespace {

namespace fs = std::filesystem;

bool is_same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Calls `visit(path, status)` for each regular file the process has open, until it says true.
template <typename Visit>
bool visit_open_files(int pid, Visit&& visit) {
  std::error_code error;
  const fs::directory_iterator open_files("/proc/" + std::to_string(pid) + "/fd", error);
  if (error) return false;
  for (const fs::directory_entry& entry : open_files) {
    struct stat status {};
    if (stat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (visit(entry.path().string(), status)) return true;
  }
  return false;
}

bool begins_as_capture(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  char magic[sizeof format::kFileMagic] = {};
  const ssize_t count = read(fd, magic, sizeof magic);
  close(fd);
  return count == static_cast<ssize_t>(sizeof magic) &&
         std::memcmp(magic, format::kFileMagic, sizeof magic) == 0;
}

}  // namespace

std::optional<collector::RunningRecording> recording_of(int pid) {
  for (collector::RunningRecording& recording : collector::running_recordings()) {
    if (collector::records_into(pid, recording)) return std::move(recording);
  }
  return {};
}

collector::RunningRecording required_recording_of(int pid) {
  const std::string process = "process " + std::to_string(pid);
  if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH)) {
    throw RunError(kOwnFailure, "there is no " + process);
  }
  std::optional<collector::RunningRecording> recording = recording_of(pid);
  if (!recording) {
    throw RunError(kOwnFailure, process +
                                    " is not being recorded (or is another user's); memlens run "
                                    "or memlens attach starts a recording");
  }
  return std::move(*recording);
}

std::optional<collector::RunningRecording> recording_into(const std::string& capture_path) {
  struct stat wanted {};
  if (stat(capture_path.c_str(), &wanted) != 0) return {};
  for (collector::RunningRecording& recording : collector::running_recordings()) {
    const bool writes = visit_open_files(recording.collector_pid,
                                         [&](const std::string&, const struct stat& status) {
                                           return is_same_file(status, wanted);
                                         });
    if (writes) return std::move(recording);
  }
  return {};
}

std::string capture_of(const collector::RunningRecording& recording) {
  std::string found;
  visit_open_files(
      recording.collector_pid, [&](const std::string& path, const struct stat& status) {
        if (!begins_as_capture(path) || !reader::is_being_written(path)) return false;
        // By its name, where that still is the same file here.
        std::error_code error;
        const std::string name = fs::read_symlink(path, error).string();
        struct stat named {};
        const bool same = !error && stat(name.c_str(), &named) == 0 && is_same_file(named, status);
        found = same ? name : path;
        return true;
      });
  return found;
}

bool mark_recording(const collector::RunningRecording& recording, int pid, const std::string& name,
                    std::string& reason) {
  const int marked = pid == recording.collector_pid ? 0 : pid;
  return collector::ask_recording(recording.socket_name,
                                  "mark " + std::to_string(marked) + " " + name, reason);
}

bool write_so_far(const collector::RunningRecording& recording) {
  std::string reason;
  return collector::ask_recording(recording.socket_name, "so far", reason);
}

void resolve_so_far(reader::Capture& capture) {
  FinishOptions options;
  options.limit_seconds = 10;
  options.quiet = true;
  finish_capture(capture.info().path, options,
                 [&](format::FrameKind kind, uint32_t process, std::string_view payload) {
                   capture.add_resolved(kind, process, payload);
                   return true;
                 });
}

reader::Capture open_so_far(const std::string& path, const reader::CacheOptions& index) {
  const bool running = reader::is_being_written(path);
  if (running) {
    if (const auto recording = recording_into(path)) write_so_far(*recording);
  }
  reader::Capture capture = reader::Capture::open(path, index);
  if (capture.info().running) resolve_so_far(capture);
  return capture;
}

}  // namespace memlens::recording
