#include "interposer/session/attach_segment.h"

#include <errno.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>

#include "interposer/guest/diagnostics.h"
#include "interposer/loader/next_definition.h"
#include "interposer/platform/local_socket.h"
#include "interposer/platform/process_calls.h"
#include "interposer/platform/system_call.h"
#include "interposer/segment/collector_life.h"
#include "interposer/session/chunk_producer.h"
#include "interposer/session/process.h"

extern char** environ;

namespace memlens::interposer {
namespace {

using segment::SegmentHeader;

constexpr size_t kMaxDescriptionBytes = 256;
char description_in_use[kMaxDescriptionBytes];
bool started_by_us = false;
bool no_address_space = false;  // found, and not mapped
bool may_be_over = false;       // with kAttachedSuffix

// <collector pid>:<memfd number there>:<inherited fd number>:<inode>:<nonce hex>:<socket name>
struct Description {
  uint64_t collector_pid = 0;
  uint64_t collector_fd = 0;
  uint64_t inherited_fd = 0;
  uint64_t inode = 0;
  uint64_t nonce = 0;
  const char* socket_name = nullptr;
};

bool parse_number(const char*& text, unsigned base, uint64_t& value) {
  const char* start = text;
  value = 0;
  for (;; ++text) {
    unsigned digit;
    if (*text >= '0' && *text <= '9') {
      digit = static_cast<unsigned>(*text - '0');
    } else if (base == 16 && *text >= 'a' && *text <= 'f') {
      digit = static_cast<unsigned>(*text - 'a') + 10;
    } else {
      break;
    }
    value = value * base + digit;
  }
  if (text == start || *text != ':') return false;
  ++text;
  return true;
}

bool cut_off(char* text, const char* suffix) {
  const size_t length = std::strlen(text), bytes = std::strlen(suffix);
  if (length <= bytes || std::strcmp(text + length - bytes, suffix) != 0) return false;
  text[length - bytes] = '\0';
  return true;
}

bool parse(const char* text, Description& out) {
  if (!parse_number(text, 10, out.collector_pid) || !parse_number(text, 10, out.collector_fd) ||
      !parse_number(text, 10, out.inherited_fd) || !parse_number(text, 10, out.inode) ||
      !parse_number(text, 16, out.nonce)) {
    return false;
  }
  out.socket_name = text;
  return true;
}

// Maps the file if it is the session's segment.
SegmentHeader* map_if_right(int fd, const Description& wanted) {
  struct stat status;
  if (!system_call::read_status(fd, status) || status.st_ino != wanted.inode ||
      static_cast<size_t>(status.st_size) != segment::file_bytes()) {
    return nullptr;
  }
  void* mapped = system_call::map(nullptr, segment::attached_bytes(), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (mapped == MAP_FAILED) {
    if (errno == ENOMEM) no_address_space = true;
    return nullptr;
  }
  auto* header = static_cast<SegmentHeader*>(mapped);
  if (header->magic == segment::kMagic && header->layout_version == segment::kLayoutVersion &&
      header->nonce == wanted.nonce) {
    return header;
  }
  system_call::unmap(mapped, segment::attached_bytes());
  return nullptr;
}

SegmentHeader* attach_by_proc(const Description& wanted) {
  Line path;
  path.text("/proc/").number(wanted.collector_pid).text("/fd/").number(wanted.collector_fd);
  const int fd = system_call::open_file(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return nullptr;
  SegmentHeader* header = map_if_right(fd, wanted);
  system_call::close_file(fd);
  return header;
}

SegmentHeader* attach_by_inheritance(const Description& wanted) {
  return map_if_right(static_cast<int>(wanted.inherited_fd), wanted);
}

SegmentHeader* attach_by_socket(const Description& wanted) {
  constexpr int kPatienceSeconds = 2;
  const int socket_fd =
      system_call::connect_to_abstract_socket(wanted.socket_name, kPatienceSeconds);
  if (socket_fd < 0) return nullptr;
  const int fd = system_call::receive_descriptor(socket_fd);
  SegmentHeader* header = nullptr;
  if (fd >= 0) {
    header = map_if_right(fd, wanted);
    system_call::close_file(fd);
  }
  system_call::close_file(socket_fd);
  return header;
}

// <directory of this library>/../bin/memlens, as built and as installed (there the library may lie
// a multiarch directory deeper).
bool collector_path(char* path, size_t bytes) {
  // Not by dladdr: the first allocation may be anywhere (loader/next_definition.h).
  const link_map* own = own_object();
  if (own == nullptr) return false;
  const char* library = own->l_name;
  static constexpr const char* kRelative[] = {"../bin/memlens", "../../bin/memlens"};
  const char* slash = std::strrchr(library, '/');
  const size_t directory = slash == nullptr ? 0 : static_cast<size_t>(slash - library) + 1;
  for (const char* relative : kRelative) {
    const size_t length = std::strlen(relative);
    if (directory + length + 1 > bytes) continue;
    std::memcpy(path, library, directory);
    std::memcpy(path + directory, relative, length + 1);
    if (system_call::is_accessible(path, X_OK)) return true;
  }
  return false;
}

// In the child: becomes the collector by way of a second fork. Only system calls.
[[noreturn]] void become_collector(const char* path, int ready_fd, int32_t pid) {
  system_call::leave_terminal();
  if (system_call::fork_process() != 0) system_call::end_process(0);
  Line ready;
  ready.number(static_cast<uint64_t>(ready_fd));
  Line program;
  program.number(static_cast<uint64_t>(pid));
  const char* arguments[] = {path,    "collect",       "--ready-fd", ready.c_str(),
                             "--pid", program.c_str(), nullptr};
  // The collector must not be recorded itself.
  constexpr unsigned kMaxEntries = 4096;
  const char* entries[kMaxEntries];
  unsigned count = 0;
  for (char** entry = environ; entry != nullptr && *entry != nullptr && count + 1 < kMaxEntries;
       ++entry) {
    if (std::strncmp(*entry, "LD_PRELOAD=", 11) != 0) entries[count++] = *entry;
  }
  entries[count] = nullptr;
  system_call::execute(path, arguments, entries);
  system_call::end_process(127);
}

}  // namespace

// Where the last session's segment was, whose memory goes in the same step: late readers of its
// header find this one's.
static SegmentHeader* put_in_place(SegmentHeader* mapped) {
  if (process.segment == nullptr || process.segment == mapped) return mapped;
  if (system_call::move_mapping(mapped, segment::attached_bytes(), process.segment)) {
    return process.segment;
  }
  detach_segment(mapped);
  return nullptr;
}

void detach_segment(SegmentHeader* segment) {
  system_call::unmap(segment, segment::attached_bytes());
}

bool attach_found_no_address_space() { return no_address_space; }

bool session_may_be_over() { return may_be_over; }

const char* session_description() { return description_in_use; }

SegmentHeader* attach_segment(char* description, bool& announced) {
  announced = cut_off(description, segment::kAnnouncedSuffix);
  char text[kMaxDescriptionBytes];
  if (std::strlen(description) >= sizeof text) return nullptr;
  std::strcpy(text, description);
  may_be_over = cut_off(text, segment::kAttachedSuffix);
  Description wanted;
  if (!parse(text, wanted)) return nullptr;
  SegmentHeader* header = attach_by_proc(wanted);
  if (header == nullptr) header = attach_by_inheritance(wanted);
  if (header == nullptr) header = attach_by_socket(wanted);
  if (header == nullptr) return nullptr;
  if (segment::collector_is_dead(header)) {
    detach_segment(header);
    return nullptr;
  }
  header = put_in_place(header);
  if (header == nullptr) return nullptr;
  start_chunk_windows(header);
  std::strcpy(description_in_use, description);
  return header;
}

SegmentHeader* start_own_collector() {
  char path[4096];
  int pipe_fds[2];
  if (!collector_path(path, sizeof path)) {
    report_line(
        Line().text("cannot find the memlens program beside libmemlens.so; nothing is "
                    "recorded (start the program with `memlens run` instead)"));
    return nullptr;
  }
  if (!system_call::make_pipe(pipe_fds)) return nullptr;
  const int32_t pid = system_call::process_id();
  const long child = system_call::fork_process();
  if (child == 0) {
    system_call::close_file(pipe_fds[0]);
    become_collector(path, pipe_fds[1], pid);
  }
  system_call::close_file(pipe_fds[1]);
  char description[kMaxDescriptionBytes] = {};
  size_t length = 0;
  if (child > 0) {
    system_call::wait_for_child(child);
    while (length + 1 < sizeof description) {
      const long count = system_call::read_file(pipe_fds[0], description + length,
                                                sizeof description - 1 - length);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      length += static_cast<size_t>(count);
    }
  }
  system_call::close_file(pipe_fds[0]);
  bool announced = false;
  SegmentHeader* header = length == 0 ? nullptr : attach_segment(description, announced);
  if (header == nullptr) {
    report_line(Line().text("cannot start ").text(path).text(" collect; nothing is recorded"));
    return nullptr;
  }
  started_by_us = true;
  return header;
}

void publish_session() {
  if (started_by_us) setenv(segment::kSessionVariable, description_in_use, 1);
}

}  // namespace memlens::interposer
