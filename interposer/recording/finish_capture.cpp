// Debug information is read by libraries that trust it more than files deserve: a damaged or
// hostile one may crash them, make them run for ever or take all memory. None of that may cost a
// recording. So a child process does the reading and hands the finished frames over through a pipe;
// this process appends them, watches the time, and writes the trailer whatever became of the child.
// The child's memory is gone with it.
#include "interposer/recording/finish_capture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "interposer/symbolizer/capture_symbols.h"
#include "interposer/symbolizer/expendable_process.h"
#include "reader/capture/capture.h"
#include "reader/text/columns.h"

namespace memlens::recording {
namespace {

using Clock = std::chrono::steady_clock;

Clock::duration seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
}

// Files are mapped and do not count. Large programs take a few hundred megabytes; a mangled name
// made for it takes all there is when it is demangled.
constexpr uint64_t kMaxMemoryBytes = uint64_t{4} << 30;

// What goes through the pipe: this, then so many bytes.
struct MessageHeader {
  uint32_t size_bytes = 0;
  uint32_t process = 0;
  uint16_t kind = 0;  // format::FrameKind; kFailure: the text is why there are no more frames
};
constexpr uint16_t kFailure = 0;

// One line that is written over, on a terminal only; nothing at all in the first second.
class ProgressLine {
 public:
  explicit ProgressLine(bool wanted) : shown_(wanted && isatty(STDERR_FILENO) != 0) {}
  ~ProgressLine() {
    if (written_) std::fputs("\r\033[K", stderr);
  }

  void update(size_t done, size_t total) {
    constexpr auto kPatience = std::chrono::seconds(1);
    constexpr auto kInterval = std::chrono::milliseconds(100);
    const Clock::time_point now = Clock::now();
    if (!shown_ || now - begin_ < kPatience || now - last_ < kInterval) return;
    std::fprintf(stderr, "\rmemlens: resolving symbols: %zu of %zu addresses", done, total);
    last_ = now;
    written_ = true;
  }

 private:
  const bool shown_;
  bool written_ = false;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point last_;
};

// ---- the child ----

void write_all(int pipe, const void* data, size_t size_bytes) {
  const char* at = static_cast<const char*>(data);
  while (size_bytes > 0) {
    const ssize_t count = write(pipe, at, size_bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw std::runtime_error("the recording process is gone");
    at += count;
    size_bytes -= static_cast<size_t>(count);
  }
}

void send(int pipe, uint16_t kind, uint32_t process, std::string_view payload) {
  MessageHeader header;
  header.size_bytes = static_cast<uint32_t>(payload.size());
  header.process = process;
  header.kind = kind;
  write_all(pipe, &header, sizeof header);
  write_all(pipe, payload.data(), payload.size());
}

// What is left out after a failure, more each time.
enum class Extent { kAll, kWithoutLines, kWithoutDemangling };

void resolve_into(int pipe, const std::string& path, const FinishOptions& options, Extent extent) {
  const reader::Capture capture = reader::Capture::open(path);
  ProgressLine progress(options.progress);
  symbolizer::CaptureSymbolsOptions symbols;
  symbols.source_text = options.source_text;
  symbols.files.stop = options.stop;
  symbols.files.symbolizer.debuginfod = options.debuginfod;
  symbols.files.symbolizer.inflated = options.inflated;
  symbols.files.symbolizer.demangle = extent != Extent::kWithoutDemangling;
  symbols.files.symbolizer.deadline = Clock::now();
  if (extent == Extent::kAll) symbols.files.symbolizer.deadline += seconds(options.limit_seconds);
  symbols.files.progress = [&](size_t done, size_t total) { progress.update(done, total); };
  const auto append = [&](format::FrameKind kind, uint32_t process, const std::string& payload) {
    send(pipe, static_cast<uint16_t>(kind), process, payload);
  };
  for (const std::string& warning :
       symbolizer::resolve_capture(capture, symbols, append).warnings) {
    if (options.quiet) continue;  // the capture has it as a note
    std::fprintf(stderr, "memlens: %s\n", printable(warning).c_str());
  }
}

[[noreturn]] void run_child(int pipe, const std::string& path, const FinishOptions& options,
                            Extent extent) {
  symbolizer::become_expendable(kMaxMemoryBytes);
  signal(SIGPIPE, SIG_IGN);
  int code = 0;
  try {
    resolve_into(pipe, path, options, extent);
  } catch (const std::exception& error) {
    code = 1;
    try {
      send(pipe, kFailure, 0, error.what());
    } catch (const std::exception&) {
      // Nobody listens any more.
    }
  }
  // No destructors or exit handlers: they are this process's copies of the recorder's.
  _exit(code);
}

// ---- this process ----

struct Attempt {
  bool worked = false;
  bool write_failed = false;  // the capture takes no more; another attempt is of no use
  std::string failure;
};

// Reads messages until the child closes its end, or its time is up.
class Listener {
 public:
  Listener(int pipe, pid_t child, double limit_seconds, const FinishOptions& options,
           const AppendToCapture& append)
      : pipe_(pipe),
        child_(child),
        options_(options),
        append_(append),
        kill_at_(Clock::now() + seconds(limit_seconds + options.grace_seconds)) {}

  Attempt run() {
    Attempt attempt;
    std::string payload;
    MessageHeader header;
    while (read_all(&header, sizeof header)) {
      if (header.size_bytes > format::kMaxFrameBytes) break;
      payload.resize(header.size_bytes);
      if (!read_all(payload.data(), payload.size())) break;
      if (header.kind == kFailure) {
        attempt.failure = payload;
      } else if (!append_(static_cast<format::FrameKind>(header.kind), header.process, payload)) {
        attempt.failure = "they could not be written";
        attempt.write_failed = true;
        break;
      }
    }
    close(pipe_);
    // One that has closed its pipe has nothing more to say.
    if (timed_out_ || attempt.write_failed) kill(child_, SIGKILL);
    int status = 0;
    while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    attempt.worked = attempt.failure.empty() && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!attempt.worked && attempt.failure.empty()) {
      attempt.failure = timed_out_ ? "reading debug information took too long"
                                   : "reading debug information failed with signal " +
                                         std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
    return attempt;
  }

 private:
  // False at the end, on an error, and when the child's time is up.
  bool read_all(void* data, size_t size_bytes) {
    char* at = static_cast<char*>(data);
    while (size_bytes > 0) {
      if (!wait_for_data()) return false;
      const ssize_t count = read(pipe_, at, size_bytes);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      at += count;
      size_bytes -= static_cast<size_t>(count);
    }
    return true;
  }

  bool wait_for_data() {
    constexpr int kLookMilliseconds = 100;
    while (true) {
      pollfd ready{pipe_, POLLIN, 0};
      const int count = poll(&ready, 1, kLookMilliseconds);
      if (count > 0) return true;
      if (count < 0 && errno != EINTR) return false;
      if (!told_to_stop_ && options_.stop != nullptr && *options_.stop) {
        // A Ctrl-C reaches the child by itself, a wish from elsewhere does not. Its handler is a
        // copy of ours, and sets its copy of the flag.
        kill(child_, SIGINT);
        told_to_stop_ = true;
        kill_at_ = std::min(kill_at_, Clock::now() + seconds(options_.grace_seconds));
      }
      if (Clock::now() > kill_at_) {
        timed_out_ = true;
        return false;
      }
    }
  }

  int pipe_;
  pid_t child_;
  const FinishOptions& options_;
  const AppendToCapture& append_;
  Clock::time_point kill_at_;
  bool told_to_stop_ = false;
  bool timed_out_ = false;
};

Attempt attempt_to_finish(const std::string& path, const FinishOptions& options, Extent extent,
                          const AppendToCapture& append) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {false, true, std::strerror(errno)};
  std::fflush(stderr);
  const pid_t child = fork();
  if (child < 0) {
    const std::string failure = std::strerror(errno);
    close(ends[0]);
    close(ends[1]);
    return {false, true, failure};
  }
  if (child == 0) {
    close(ends[0]);
    run_child(ends[1], path, options, extent);
  }
  close(ends[1]);
  const double limit_seconds = extent == Extent::kAll ? options.limit_seconds : 0;
  return Listener(ends[0], child, limit_seconds, options, append).run();
}

}  // namespace

bool finish_capture(const std::string& path, const FinishOptions& options,
                    const AppendToCapture& append) {
  Attempt attempt = attempt_to_finish(path, options, Extent::kAll, append);
  if (attempt.worked) return true;
  const std::string failure = attempt.failure;
  const char* missing = "symbols";
  // Symbol tables are simple: what went wrong was probably DWARF. If not, one name was too much.
  for (const Extent extent : {Extent::kWithoutLines, Extent::kWithoutDemangling}) {
    if (attempt.write_failed) break;
    attempt = attempt_to_finish(path, options, extent, append);
    if (!attempt.worked) continue;
    missing = "files and lines of native functions";
    break;
  }
  if (!options.quiet) {
    std::fprintf(stderr, "memlens: %s are missing from the capture: %s\n", missing,
                 printable(failure).c_str());
  }
  return false;
}

}  // namespace memlens::recording
