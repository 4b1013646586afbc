#include "interposer/symbolizer/bounded_demangle.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "interposer/platform/interrupted_address.h"

// Where the demangler is linked in statically (portable/), its code has a section of its own.
extern "C" {
__attribute__((weak, visibility("hidden"))) extern const char __start_memlens_demangler[];
__attribute__((weak, visibility("hidden"))) extern const char __stop_memlens_demangler[];
}

namespace memlens::symbolizer {
namespace {

// Real names take microseconds, the largest of Boost and Eigen a few milliseconds.
constexpr long kLimitMilliseconds = 50;
// How soon again, when it was not where it can be left.
constexpr long kAgainMilliseconds = 1;
// A file with so many endless names is hostile: from then on only short ones are read, which cannot
// grow much.
constexpr unsigned kMaxGivenUp = 20;
constexpr size_t kShortName = 64;

std::atomic<unsigned> given_up{0};

struct CodeRange {
  uintptr_t start = 0;
  uintptr_t end = 0;
  bool contains(uintptr_t address) const { return address >= start && address < end; }
};

uintptr_t address_of(const char* function) {
  return reinterpret_cast<uintptr_t>(dlsym(RTLD_DEFAULT, function));
}

// The code of the library the demangler is in; empty when the allocator is in it too.
CodeRange find_demangler() {
  if (__start_memlens_demangler != nullptr) {
    return {reinterpret_cast<uintptr_t>(__start_memlens_demangler),
            reinterpret_cast<uintptr_t>(__stop_memlens_demangler)};
  }
  struct Search {
    uintptr_t wanted;
    CodeRange found;
  } search{address_of("__cxa_demangle"), {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* argument) {
        auto& s = *static_cast<Search*>(argument);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& segment = info->dlpi_phdr[i];
          const uintptr_t start = info->dlpi_addr + segment.p_vaddr;
          const CodeRange range{start, start + segment.p_memsz};
          if (segment.p_type == PT_LOAD && range.contains(s.wanted)) s.found = range;
        }
        return 0;
      },
      &search);
  for (const char* function : {"malloc", "realloc", "free"}) {
    if (search.found.contains(address_of(function))) return {};
  }
  return search.found;
}

const CodeRange& demangler() {
  static const CodeRange range = find_demangler();
  return range;
}

// A thread's timer and where to go when it has rung.
class Alarm {
 public:
  Alarm() {
    static const bool handled = install_handler();
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal_number();
    event.sigev_value.sival_ptr = this;
    event._sigev_un._tid = gettid();
    has_timer_ = handled && demangler().end != 0 &&
                 timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer_) == 0;
  }
  ~Alarm() {
    if (has_timer_) timer_delete(timer_);
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // What the demangler returns; `in_time` is false when it was left. Nothing here may have a
  // destructor: the jump passes over them.
  char* call(const char* symbol, bool& in_time) {
    in_time = true;
    set(kLimitMilliseconds);
    char* text = nullptr;
    if (sigsetjmp(back_, 0) == 0) {
      running_ = 1;
      int status = 0;
      text = abi::__cxa_demangle(symbol, nullptr, nullptr, &status);
      running_ = 0;
    } else {
      in_time = false;
      text = nullptr;
    }
    set(0);
    return text;
  }

 private:
  static int signal_number() { return SIGRTMIN + 5; }

  static bool install_handler() {
    struct sigaction action {};
    action.sa_sigaction = [](int, siginfo_t* info, void* context) {
      auto* alarm = static_cast<Alarm*>(info->si_value.sival_ptr);
      if (info->si_code == SI_TIMER) alarm->ring(platform::interrupted_address(context));
    };
    // Not blocked while handled: the handler is left by a jump.
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER;
    return sigaction(signal_number(), &action, nullptr) == 0;
  }

  void ring(uintptr_t address) {
    if (running_ == 0 || !demangler().contains(address)) return;
    running_ = 0;
    siglongjmp(back_, 1);
  }

  void set(long milliseconds) {
    if (!has_timer_) return;
    itimerspec times{};
    times.it_value.tv_nsec = milliseconds * 1'000'000;
    if (milliseconds != 0) times.it_interval.tv_nsec = kAgainMilliseconds * 1'000'000;
    timer_settime(timer_, 0, &times, nullptr);
  }

  timer_t timer_{};
  bool has_timer_ = false;
  volatile sig_atomic_t running_ = 0;
  sigjmp_buf back_{};
};

}  // namespace

std::string bounded_demangle(const std::string& symbol) {
  if (given_up.load(std::memory_order_relaxed) >= kMaxGivenUp && symbol.size() > kShortName) {
    return {};
  }
  thread_local Alarm alarm;
  bool in_time = false;
  const std::unique_ptr<char, void (*)(void*)> text(alarm.call(symbol.c_str(), in_time),
                                                    &std::free);
  if (!in_time) given_up.fetch_add(1, std::memory_order_relaxed);
  return text == nullptr ? std::string() : std::string(text.get());
}

}  // namespace memlens::symbolizer
