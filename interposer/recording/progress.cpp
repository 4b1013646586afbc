#include "interposer/recording/progress.h"

#include <termios.h>
#include <unistd.h>

#include <cstdio>

#include "interposer/collector/clock.h"
#include "reader/text/units.h"

namespace memlens::recording {
namespace {

constexpr int64_t kFirstNs = 5'000'000'000;
constexpr int64_t kIntervalNs = 1'000'000'000;

}  // namespace

bool progress_disturbs_nobody() { return isatty(STDERR_FILENO) != 0 && isatty(STDOUT_FILENO) == 0; }

Progress::Progress(bool allowed)
    : allowed_(allowed), start_ns_(collector::monotonic_ns()), next_ns_(start_ns_ + kFirstNs) {}

Progress::~Progress() { clear(); }

void Progress::update(int64_t now_ns, uint64_t file_bytes, unsigned processes) {
  if (!allowed_ || now_ns < next_ns_) return;
  next_ns_ = now_ns + kIntervalNs;
  termios terminal{};
  if (tcgetattr(STDERR_FILENO, &terminal) != 0 || (terminal.c_lflag & ICANON) == 0) return;
  fprintf(stderr, "\r\033[Kmemlens: recording for %s, %u process%s, %s written",
          format_seconds(static_cast<double>(now_ns - start_ns_) / 1e9).c_str(), processes,
          processes == 1 ? "" : "es", format_bytes(file_bytes).c_str());
  fflush(stderr);
  shown_ = true;
}

void Progress::clear() {
  if (shown_) fputs("\r\033[K", stderr);
  shown_ = false;
}

}  // namespace memlens::recording
