#include "interposer/attach/worker_start.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

#include "interposer/attach/attach_error.h"
#include "interposer/attach/seccomp_check.h"
#include "interposer/attach/thread_stop.h"
#include "interposer/platform/clock.h"

namespace memlens::attach {
namespace {

using platform::monotonic_ns;

constexpr uint64_t kPage = 4096;
constexpr int64_t kMillisecondNs = 1'000'000;
constexpr int64_t kPatienceNs = 10'000 * kMillisecondNs;

bool lies_in(uint64_t address, const AddressRange& range) {
  return address >= range.first && address < range.second;
}

bool is_one_of(int64_t call, std::initializer_list<int64_t> calls) {
  return std::find(calls.begin(), calls.end(), call) != calls.end();
}

// How much a stop may show: what waits in these calls waits on as if nothing had been; others may
// return part of what they were asked for.
int visibility(const RemoteProcess& process, pid_t thread) {
  std::ifstream file(proc_path(process.pid(), "task/" + std::to_string(thread) + "/syscall"));
  std::string state;
  if (!(file >> state)) return 1;
  if (state == "running") return 1;
  const int64_t call = atoll(state.c_str());
  return is_one_of(call, {SYS_futex, SYS_ppoll, SYS_pselect6, SYS_nanosleep, SYS_clock_nanosleep,
                          SYS_wait4, SYS_waitid,
#ifdef SYS_poll
                          SYS_poll, SYS_select, SYS_pause
#endif
                         })
             ? 0
             : 2;
}

std::vector<pid_t> threads_to_try(const RemoteProcess& process) {
  constexpr size_t kLookedAt = 64;
  std::vector<pid_t> threads = process.threads();
  if (threads.size() < 2) return threads;
  std::vector<std::pair<int, pid_t>> ranked;
  ranked.reserve(threads.size());
  for (const pid_t thread : threads) {
    ranked.emplace_back(ranked.size() < kLookedAt ? visibility(process, thread) : 2, thread);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < threads.size(); ++i) threads[i] = ranked[i].second;
  return threads;
}

class Starter {
 public:
  Starter(const RemoteProcess& process, const InjectionPlan& plan, const Context& context)
      : process_(process), plan_(plan), context_(context) {}

  StartedWorker start() {
    refuse_where_filters_forbid();
    stop_at_a_good_moment();
    StartedWorker started;
    try {
      started.area = plan_.area ? *plan_.area : make_area();
      begin_thread(started.area);
    } catch (const AttachError&) {
      release();
      throw;
    }
    release();
    started.stopped_ns = stopped_ns_;
    return started;
  }

 private:
  // ---- stopping

  void stop_any() {
    const int64_t end = monotonic_ns() + kPatienceNs;
    for (;;) {
      const std::vector<pid_t> threads = threads_to_try(process_);
      if (threads.empty()) throw_gone(process_);
      only_thread_ = threads.size() == 1;
      for (const pid_t thread : threads) {
        const int64_t patience = only_thread_ ? end - monotonic_ns() : 200 * kMillisecondNs;
        switch (stopper_.stop(thread, stopped_, patience)) {
          case ThreadStopper::Result::kStopped:
            if (process_.value<char>(plan_.system_call_instruction) == 0) {
              release();
              throw_gone(process_);
            }
            return;
          case ThreadStopper::Result::kNotPermitted:
            throw AttachError(why_not_permitted(process_.pid()));
          case ThreadStopper::Result::kProcessIsStopped:
            throw AttachError("is stopped; continue it first (kill -CONT)");
          default:
            break;
        }
      }
      if (monotonic_ns() > end) {
        throw AttachError(
            "does not react: it waits for a child of vfork, or for a device; nothing was changed, "
            "try again later");
      }
    }
  }

  void release() {
    stopper_.release(process_.pid(), stopped_);
    stopped_ns_ += monotonic_ns() - stopped_.since_ns();
  }

  // A moment at which another thread may come to be. Only a program with one thread has to be
  // waited for: it may be starting, and its malloc may be in the midst of what it does without
  // locks as long as it is alone.
  void stop_at_a_good_moment() {
    constexpr int kRoundsForAllocator = 300;
    const int64_t end = monotonic_ns() + kPatienceNs;
    for (int round = 0;; ++round) {
      stopped_ns_ = 0;  // what was looked at and let go did not hold it up
      stop_any();
      const bool starting = only_thread_ && is_starting();
      if (!starting && !(is_without_locks() && round < kRoundsForAllocator && is_in_allocator()))
        return;
      release();
      if (starting && monotonic_ns() > end) {
        throw AttachError(
            "is still starting, or inside its dynamic loader; nothing was changed, "
            "try again later");
      }
      usleep(starting ? 2000 : 100 + static_cast<useconds_t>(round * 37 % 900));
    }
  }

  bool is_starting() const {
    const Registers& registers = stopped_.registers();
    for (const AddressRange& range : plan_.loader) {
      if (lies_in(program_counter(registers), range)) return true;
    }
    if (loader_is_busy(process_, plan_.loaded)) return true;
    // libc's early initialization sets the one, the next step the other.
    return plan_.single_threaded_address != 0 &&
           process_.value<char>(plan_.single_threaded_address) == 0 &&
           process_.value<uint64_t>(plan_.environment_address) == 0;
  }

  bool is_without_locks() const {
    if (!only_thread_) return false;
    if (plan_.single_threaded_address != 0)
      return process_.value<char>(plan_.single_threaded_address) != 0;
    return true;
  }

  // By its program counter, or by what may be a return address on its stack.
  bool is_in_allocator() const {
    const Registers& registers = stopped_.registers();
    const int64_t call = interrupted_system_call(registers);
    const bool of_allocator =
        is_one_of(call, {SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mprotect,
                         SYS_futex, SYS_openat, SYS_read, SYS_close, SYS_getrandom});
    if (call >= 0 && !of_allocator) return false;
    if (lies_in(program_counter(registers), plan_.allocator)) return true;
    uint64_t words[512];
    size_t count = std::size(words);
    while (count > 8 && !process_.read(stack_pointer(registers), words, count * sizeof words[0])) {
      count /= 2;
    }
    return std::any_of(words, words + count,
                       [this](uint64_t word) { return lies_in(word, plan_.allocator); });
  }

  // ---- seccomp

  // In stops of their own: reading and evaluating takes longer than everything else. Of threads
  // with equally many filters one is asked: mostly all have the same.
  void refuse_where_filters_forbid() {
    std::set<std::string> asked;
    for (const pid_t thread : process_.threads()) {
      const std::string status =
          proc_path(process_.pid(), "task/" + std::to_string(thread) + "/status");
      const std::string mode = field_of(status, "Seccomp");
      const std::string count = field_of(status, "Seccomp_filters");
      if (mode == "1") {
        throw AttachError(
            "is in seccomp's strict mode, in which it may do nothing that is needed; nothing was "
            "changed");
      }
      if (mode == "2" && asked.insert(count).second) ask_filters_of(thread, count);
    }
  }

  void ask_filters_of(pid_t thread, const std::string& count) {
    if (stopper_.stop(thread, stopped_, kPatienceNs) != ThreadStopper::Result::kStopped) return;
    const auto filters = read_filters(thread);
    release();
    if (!filters) {
      // In a container all have the same; of a filter of its own nothing is known.
      if (count == status_field(getpid(), "Seccomp_filters")) return;
      throw AttachError(
          "has a seccomp filter of its own, which cannot be read from here (that takes "
          "CAP_SYS_ADMIN and no filter); nothing was changed. Attach from outside its container "
          "as root, or record it from its start: memlens run");
    }
    const std::string call = forbidden_call(*filters);
    if (call.empty()) return;
    throw AttachError("has a seccomp filter that forbids " + call +
                      ", which recording needs; nothing was changed. Record it from its start: "
                      "memlens run");
  }

  // ---- the area and the thread

  uint64_t call_or_fail(const SystemCall& call, const char* what) {
    const int64_t result = stopped_.make_system_call(plan_.system_call_instruction, call);
    if (result >= 0) return static_cast<uint64_t>(result);
    if (result == -ESRCH) throw_gone(process_);
    throw AttachError(std::string("cannot have ") + what + ": " +
                      strerror(static_cast<int>(-result)));
  }

  WorkArea make_area() {
    WorkArea area;
    area.tls_bytes = plan_.tls_bytes;
    area.bytes = area_bytes(area.tls_bytes);
    const uint64_t start = call_or_fail({SYS_mmap, 0, area.bytes, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, ~uint64_t{0}, 0},
                                        "300 kB of memory (ulimit -v?)");
    if (start < kPage) throw AttachError("has a seccomp filter that forbids mmap");
    area.code = start + kPage;
    const auto code = worker_code();
    const AreaHeader header{area.bytes, area.tls_bytes};
    std::array<uint64_t, 2> guards{};
    process_.read(guards_address(thread_pointer(stopped_.registers())), guards.data(),
                  sizeof guards);
    const auto memory =
        bare_thread_memory(area.tls_bytes, area.thread_pointer(), plan_.tls_images, guards);
    if (!process_.write(area.header(), &header, sizeof header) ||
        !process_.write(area.thread_pointer() - area.tls_bytes, memory.data(), memory.size()) ||
        !process_.write(area.code, code.data(), code.size())) {
      throw AttachError("cannot be written to");
    }
    call_or_fail({SYS_mprotect, area.code, kPage, PROT_READ | PROT_EXEC, 0, 0, 0},
                 "executable memory (SELinux, or PR_SET_MDWE)");
    return area;
  }

  void begin_thread(const WorkArea& area) {
    if (!process_.write(area.context(), &context_, sizeof context_))
      throw AttachError("cannot be written to");
    const bool without_locks = is_without_locks();
    if (only_thread_) mark_as_multithreaded();
    const int64_t thread = stopped_.make_system_call(
        area.code + clone_instruction_offset(),
        clone_call(area.stack_top(), area.thread_pointer(),
                   area.thread_pointer() + plan_.tid_offset, area.context()),
        area.context());
    if (thread == -ESRCH) throw_gone(process_);
    if (thread < 0) {
      throw AttachError("cannot have another thread (a limit on processes?): " +
                        std::string(strerror(static_cast<int>(-thread))));
    }
    if (without_locks && plan_.single_threaded_address != 0) wait_for_locks();
  }

  // glibc up to 2.36 has this in the block of each thread, and only who creates one sets it.
  void mark_as_multithreaded() {
    const int32_t many = 1;
    process_.write(multiple_threads_address(thread_pointer(stopped_.registers())), &many,
                   sizeof many);
  }

  // Until pthread_create has said so. Then its allocations, and those of who is held, lock.
  void wait_for_locks() const {
    const int64_t end = monotonic_ns() + 20 * kMillisecondNs;
    while (monotonic_ns() < end && process_.value<char>(plan_.single_threaded_address) != 0)
      usleep(20);
  }

  const RemoteProcess& process_;
  const InjectionPlan& plan_;
  const Context& context_;
  ThreadStopper stopper_;
  StoppedThread stopped_;
  bool only_thread_ = false;
  int64_t stopped_ns_ = 0;
};

}  // namespace

StartedWorker start_worker(const RemoteProcess& process, const InjectionPlan& plan,
                           const Context& context) {
  return Starter(process, plan, context).start();
}

}  // namespace memlens::attach
