// Interim: enough of `memlens run` to record with, until the collector takes its place.
#include "report/cli/run_command.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "interposer/format/file_layout.h"
#include "interposer/format/version.h"
#include "interposer/platform/clock.h"
#include "interposer/segment/futex.h"
#include "report/cli/finish_capture.h"

namespace memlens::report::cli {
namespace {

using namespace segment;

FILE* out;
SegmentHeader* shared;

void write_frame(format::FrameKind kind, uint16_t flags, const ChunkHeader* chunk, const void* data,
                 uint32_t size) {
  format::FrameHeader header{};
  header.magic = format::kFrameMagic;
  header.kind = static_cast<uint16_t>(kind);
  header.flags = flags;
  header.stored_bytes = header.raw_bytes = size;
  if (chunk != nullptr) {
    header.process = chunk->process;
    header.thread = chunk->thread;
    header.sequence = chunk->sequence;
    header.lost_events = chunk->lost_events;
    header.ticks = chunk->ticks;
    header.order_epoch = chunk->order_epoch;
  }
  header.payload_checksum = XXH32(data, size, 0);
  header.header_checksum = XXH32(&header, 60, 0);
  fwrite(&header, sizeof header, 1, out);
  fwrite(data, size, 1, out);
}

void write_json(format::FrameKind kind, const nlohmann::json& json) {
  const std::string text = json.dump();
  write_frame(kind, 0, nullptr, text.data(), static_cast<uint32_t>(text.size()));
}

uint64_t clock_ns(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

void write_clock() {
  uint8_t bytes[24];
  uint8_t* end = bytes;
  for (uint64_t value : {platform::read_ticks(), clock_ns(CLOCK_MONOTONIC)}) {
    do {
      *end++ = static_cast<uint8_t>((value & 127) | (value > 127 ? 128 : 0));
    } while (value >>= 7);
  }
  write_frame(format::FrameKind::kClock, 0, nullptr, bytes, static_cast<uint32_t>(end - bytes));
}

unsigned scan(bool all) {
  shared->handed_over.exchange(0);
  unsigned done = 0;
  for (uint32_t i = 0; i < shared->active_chunks; ++i) {
    const uint64_t word = shared->chunk_words[i].load(std::memory_order_acquire);
    if (chunk_state(word) != kFull && !(all && chunk_state(word) == kOwned)) continue;
    ChunkHeader* chunk = chunk_at(shared, i);
    const uint32_t size = chunk->committed.load(std::memory_order_acquire);
    if (size != 0) {
      write_frame(static_cast<format::FrameKind>(chunk->kind), chunk->shared_order ? 2 : 0, chunk,
                  chunk + 1, size);
    }
    chunk->committed.store(0);
    shared->chunk_words[i].store(0, std::memory_order_release);
    ++done;
    shared->freed_sequence.fetch_add(1);
    if (shared->producers_wait.exchange(0)) futex_wake(shared->freed_sequence, 1 << 30);
  }
  shared->tick.fetch_add(1);
  return done;
}

}  // namespace

int run_command(int argc, char** argv) {
  std::string output, python = "python3", name;
  bool native = false, native_set = false, quiet = false;
  uint32_t options = kOptionPythonAllocators | kOptionFollow;
  std::vector<std::string> command;
  int i = 1;
  for (; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "-o" || word == "--output") output = argv[++i];
    else if (word == "--python") python = argv[++i];
    else if (word == "-q" || word == "--quiet") quiet = true;
    else if (word == "-f" || word == "--force") continue;
    else if (word == "--native") native = native_set = true;
    else if (word == "--no-native") native = false, native_set = true;
    else if (word == "--no-python-allocators") options &= ~kOptionPythonAllocators;
    else if (word == "--no-follow") options &= ~kOptionFollow;
    else if (word == "--") { ++i; break; }
    else break;
  }
  std::string first = i < argc ? argv[i] : "";
  const bool script = first == "-m" || first == "-c" || first.ends_with(".py");
  if (script) command.push_back(python);
  for (; i < argc; ++i) command.push_back(argv[i]);
  if (command.empty()) return 2;
  if (!native_set) native = !script;
  if (native) options |= kOptionNative;

  const int fd = memfd_create("memlens", MFD_CLOEXEC);
  if (ftruncate(fd, static_cast<off_t>(total_bytes())) != 0) return 125;
  shared = static_cast<SegmentHeader*>(mmap(nullptr, total_bytes(), PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_NORESERVE, fd, 0));
  shared->magic = kMagic;
  shared->layout_version = kLayoutVersion;
  shared->options = options;
  shared->nonce = platform::read_ticks();
  shared->active_chunks = 1024;
  shared->next_process = 1;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setpshared(&attributes, 1);
  pthread_mutex_init(&shared->collector_alive, &attributes);
  pthread_mutex_lock(&shared->collector_alive);
  struct stat status;
  fstat(fd, &status);
  char session[200];
  snprintf(session, sizeof session, "%d:%d:999:%lu:%lx:-", getpid(), fd,
           static_cast<unsigned long>(status.st_ino), static_cast<unsigned long>(shared->nonce));
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string library = (self.parent_path().parent_path() / "lib/libmemlens.so").string();
  signal(SIGINT, SIG_IGN);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGINT, SIG_DFL);
    setenv(kSessionVariable, session, 1);
    setenv("LD_PRELOAD", library.c_str(), 1);
    std::vector<char*> words;
    for (std::string& word : command) words.push_back(word.data());
    words.push_back(nullptr);
    execvp(words[0], words.data());
    _exit(errno == ENOENT ? 127 : 126);
  }
  if (output.empty()) {
    output = "memlens-" + std::filesystem::path(command.back()).stem().string() + "-" +
             std::to_string(child) + ".mlens";
  }
  out = fopen(output.c_str(), "wb");
  if (out == nullptr) return 125;
  format::FileHeader header{};
  std::memcpy(header.magic, format::kFileMagic, sizeof header.magic);
  header.version_major = format::kVersionMajor;
  header.header_bytes = sizeof header;
  header.session_id = shared->nonce;
  header.start_ticks = platform::read_ticks();
  header.start_monotonic_ns = clock_ns(CLOCK_MONOTONIC);
  header.start_unix_ns = clock_ns(CLOCK_REALTIME);
  header.checksum = XXH32(&header, 60, 0);
  fwrite(&header, sizeof header, 1, out);
  write_json(format::FrameKind::kSession,
             {{"command", command},
              {"cwd", std::filesystem::current_path().string()},
              {"hostname", "localhost"},
              {"memlens", MEMLENS_VERSION},
              {"options",
               {{"native", native},
                {"python_allocators", (options & kOptionPythonAllocators) != 0},
                {"follow", (options & kOptionFollow) != 0}}},
              {"page_bytes", 4096}});
  write_clock();
  int wait_status = 0;
  bool reaped = false;
  for (;;) {
    if (!reaped && waitpid(child, &wait_status, WNOHANG) == child) reaped = true;
    if (reaped) {
      bool alive = false;
      for (ProcessSlot& slot : shared->processes) {
        if (slot.state == kSlotLive && kill(slot.pid, 0) == 0) alive = true;
      }
      if (!alive) break;
    }
    if (scan(false) != 0) continue;
    shared->collector_asleep = 1;
    if (shared->handed_over < 16 && !shared->producers_wait) {
      futex_wait(shared->collector_asleep, 1, 5000000);
    }
    shared->collector_asleep = 0;
  }
  scan(true);
  write_clock();
  fflush(out);
  FinishOptions finish;
  finish.progress = !quiet;
  finish_capture(output, finish, [](format::FrameKind kind, uint32_t process, std::string_view data) {
    ChunkHeader chunk{};
    chunk.process = process;
    write_frame(kind, 0, &chunk, data.data(), static_cast<uint32_t>(data.size()));
    return ferror(out) == 0;
  });
  write_json(format::FrameKind::kTrailer,
             {{"end_ticks", platform::read_ticks()},
              {"end_monotonic_ns", clock_ns(CLOCK_MONOTONIC)},
              {"reason", "finished"},
              {"exit_code", WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0},
              {"lost_processes", 0}});
  fclose(out);
  if (!quiet) fprintf(stderr, "memlens: wrote %s\n", output.c_str());
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace memlens::report::cli
