#include "interposer/recording/run_signals.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

namespace memlens::recording {
namespace {

// SIGCHLD only to cut a sleep short. SIGPIPE: the terminal went away while we speak. SIGXFSZ: a
// write that reaches the limit fails instead.
constexpr std::array kCaught = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                                SIGUSR2, SIGTSTP, SIGCONT, SIGCHLD};
constexpr std::array kIgnored = {SIGPIPE, SIGXFSZ, SIGTTOU};

std::array<struct sigaction, kCaught.size()> caught_before;
std::array<struct sigaction, kIgnored.size()> ignored_before;
bool installed = false;
void (*wake_sleeper)() = nullptr;

// Written by the handler only, read by the main loop only; handlers do not nest (full mask).
struct Entry {
  std::atomic<int> number{0};
  bool from_terminal = false;
  pid_t sender = 0;
};
constexpr unsigned kEntries = 64;
std::array<Entry, kEntries> ring;
std::atomic<unsigned> written{0};
unsigned read_so_far = 0;

std::atomic<bool> end_is_wished{false};

void on_signal(int number, siginfo_t* info, void*) {
  const int saved_errno = errno;
  if ((number == SIGINT || number == SIGTERM) && !was_ignored(number)) end_wished() = true;
  if (number != SIGCHLD) {
    Entry& entry = ring[written.load(std::memory_order_relaxed) % kEntries];
    entry.from_terminal = info->si_code == SI_KERNEL;
    entry.sender = info->si_code == SI_KERNEL ? 0 : info->si_pid;
    entry.number.store(number, std::memory_order_relaxed);
    written.fetch_add(1, std::memory_order_release);
  }
  if (wake_sleeper != nullptr) wake_sleeper();
  errno = saved_errno;
}

}  // namespace

void catch_signals(void (*wake)()) {
  wake_sleeper = wake;
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigfillset(&action.sa_mask);
  for (size_t i = 0; i < kCaught.size(); ++i) {
    // Also what is ignored here (nohup; SIGINT of a script's background jobs): the program starts
    // out ignoring it too, and may have set a handler of its own since.
    sigaction(kCaught[i], &action, &caught_before[i]);
  }
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  for (size_t i = 0; i < kIgnored.size(); ++i) {
    sigaction(kIgnored[i], &ignore, &ignored_before[i]);
  }
  installed = true;
}

void restore_original_signals() {
  if (!installed) return;
  for (size_t i = 0; i < kCaught.size(); ++i) {
    sigaction(kCaught[i], &caught_before[i], nullptr);
  }
  for (size_t i = 0; i < kIgnored.size(); ++i) {
    sigaction(kIgnored[i], &ignored_before[i], nullptr);
  }
}

bool was_ignored(int number) {
  for (size_t i = 0; i < kCaught.size(); ++i) {
    if (kCaught[i] == number) return installed && caught_before[i].sa_handler == SIG_IGN;
  }
  return false;
}

std::atomic<bool>& end_wished() { return end_is_wished; }

std::vector<ReceivedSignal> received_signals() {
  std::vector<ReceivedSignal> received;
  const unsigned end = written.load(std::memory_order_acquire);
  if (end - read_so_far > kEntries) read_so_far = end - kEntries;
  for (; read_so_far != end; ++read_so_far) {
    const Entry& entry = ring[read_so_far % kEntries];
    received.push_back(
        {entry.number.load(std::memory_order_relaxed), entry.from_terminal, entry.sender});
  }
  return received;
}

}  // namespace memlens::recording
