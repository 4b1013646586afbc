#include "report/cli/finish_capture.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>

#include "reader/capture.h"
#include "reader/symbolizer/capture_symbols.h"

namespace memlens::report::cli {
namespace {

using Clock = std::chrono::steady_clock;

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

}  // namespace

bool finish_capture(const std::string& path, const FinishOptions& options,
                    const AppendToCapture& append) {
  try {
    const reader::Capture capture = reader::Capture::open(path);
    ProgressLine progress(options.progress);
    reader::CaptureSymbolsOptions symbols;
    symbols.source_text = options.source_text;
    symbols.files.stop = options.stop;
    symbols.files.symbolizer.debuginfod = options.debuginfod;
    symbols.files.symbolizer.deadline =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(
                           std::chrono::duration<double>(options.limit_seconds));
    symbols.files.progress = [&](size_t done, size_t total) { progress.update(done, total); };
    reader::resolve_capture(
        capture, symbols,
        [&](format::FrameKind kind, uint32_t process, const std::string& payload) {
          if (!append(kind, process, payload))
            throw std::runtime_error(path + ": symbols could not be written");
        });
    return true;
  } catch (const std::exception& error) {
    std::fprintf(
        stderr, "memlens: symbols are missing from the capture (%s); reports will show addresses\n",
        error.what());
    return false;
  }
}

}  // namespace memlens::report::cli
