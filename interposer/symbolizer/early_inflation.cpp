#include "interposer/symbolizer/early_inflation.h"

#include <fcntl.h>
#include <gelf.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

#include "interposer/symbolizer/debug_files.h"
#include "interposer/symbolizer/expendable_process.h"

namespace memlens::symbolizer {
namespace {

// Looked at soon, for programs that end soon, and then for what is loaded later.
constexpr int kLooksAfterMilliseconds[] = {2, 3, 5, 10, 20, 50, 100, 200, 400, 800};
// Copies stay in memory until the program has ended.
constexpr uint64_t kMaxBytesAhead = uint64_t{64} << 20;
constexpr uint64_t kMaxMemoryBytes = uint64_t{256} << 20;

bool has_section(Elf* elf, std::string_view wanted) {
  size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return false;
  for (Elf_Scn* at = elf_nextscn(elf, nullptr); at != nullptr; at = elf_nextscn(elf, at)) {
    GElf_Shdr header;
    const char* name =
        gelf_getshdr(at, &header) == nullptr ? nullptr : elf_strptr(elf, names, header.sh_name);
    if (name != nullptr && name == wanted) return true;
  }
  return false;
}

class Helper {
 public:
  Helper(int socket, pid_t program, const std::vector<std::string>& debug_directories)
      : socket_(socket),
        maps_("/proc/" + std::to_string(program) + "/maps"),
        debug_directories_(debug_directories) {}

  void run() {
    elf_version(EV_CURRENT);
    for (const int milliseconds : kLooksAfterMilliseconds) {
      if (told_to_end(milliseconds)) return;
      for (const std::string& path : new_files()) {
        if (told_to_end(0)) return;
        inflate_debug_file_of(path);
      }
    }
  }

 private:
  bool told_to_end(int wait_milliseconds) const {
    pollfd end{socket_, POLLIN, 0};
    return poll(&end, 1, wait_milliseconds) != 0;
  }

  // Files of code that were not mapped at the last look. libc first: all stacks pass through it.
  std::vector<std::string> new_files() {
    std::vector<std::string> files;
    std::ifstream maps(maps_);
    for (std::string line; std::getline(maps, line);) {
      const size_t path = line.find('/');
      const size_t permissions = line.find(' ') + 1;
      if (path == std::string::npos || line.compare(permissions + 2, 1, "x") != 0) continue;
      if (seen_.insert(line.substr(path)).second) files.push_back(line.substr(path));
    }
    std::stable_partition(files.begin(), files.end(), [](const std::string& path) {
      return path.find("/libc.so.") != std::string::npos;
    });
    return files;
  }

  // As ModuleFile will look for it, of files with a build id.
  void inflate_debug_file_of(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    DebugFileQuery query;
    query.object_path = path;
    if (Elf* elf = elf_begin(descriptor, ELF_C_READ_MMAP, nullptr)) {
      if (!has_section(elf, ".debug_info")) query.build_id = build_id_of(elf);
      elf_end(elf);
    }
    close(descriptor);
    if (query.build_id.empty()) return;
    const DebugFile found = find_debug_file(query, debug_directories_);
    if (found.descriptor < 0) return;
    inflate(found.descriptor);
    close(found.descriptor);
  }

  void inflate(int debug_file) {
    const FileIdentity identity = FileIdentity::of(debug_file);
    if (identity == FileIdentity() || !InflatedFiles::send(socket_, identity, -1)) return;
    const int copy = inflated_copy(debug_file, kMaxBytesAhead - bytes_);
    if (copy < 0) return;
    bytes_ += std::min(kMaxBytesAhead - bytes_, FileIdentity::of(copy).size_bytes);
    InflatedFiles::send(socket_, identity, copy);
    close(copy);
  }

  int socket_;
  std::string maps_;
  const std::vector<std::string>& debug_directories_;
  std::set<std::string> seen_;
  uint64_t bytes_ = 0;
};

[[noreturn]] void run_helper(int socket, pid_t parent, pid_t program,
                             const std::vector<std::string>& debug_directories) {
  become_expendable(kMaxMemoryBytes);
  if (getppid() != parent) _exit(0);
  const sched_param no_priority{};
  sched_setscheduler(0, SCHED_IDLE, &no_priority);
  // What a terminal sends to all is for the others.
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGPIPE}) {
    signal(ignored, SIG_IGN);
  }
  try {
    Helper(socket, program, debug_directories).run();
  } catch (const std::exception&) {
    // It was ahead of time: whatever is not done will be done later.
  }
  _exit(0);
}

}  // namespace

EarlyInflation::EarlyInflation(pid_t program, const std::vector<std::string>& debug_directories) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return;
  const pid_t parent = getpid();
  helper_ = fork();
  if (helper_ == 0) {
    close(ends[0]);
    run_helper(ends[1], parent, program, debug_directories);
  }
  close(ends[1]);
  if (helper_ < 0) {
    close(ends[0]);
    return;
  }
  socket_ = ends[0];
  files_.receive_from(socket_);
}

EarlyInflation::~EarlyInflation() {
  if (helper_ < 0) return;
  kill(helper_, SIGKILL);
  while (waitpid(helper_, nullptr, 0) < 0 && errno == EINTR) {
  }
  close(socket_);
}

void EarlyInflation::end() {
  if (socket_ >= 0) shutdown(socket_, SHUT_WR);
}

}  // namespace memlens::symbolizer
