#include "interposer/allocator_statistics/statistics.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "interposer/allocator_statistics/glibc_heap.h"
#include "interposer/allocator_statistics/other_heaps.h"
#include "interposer/allocator_statistics/python_heap.h"
#include "interposer/format/allocator_statistics.h"
#include "interposer/guest/private_memory.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/platform/clock.h"
#include "interposer/platform/futex.h"
#include "interposer/platform/process_copy.h"
#include "interposer/platform/system_call.h"
#include "interposer/segment/collector_life.h"
#include "interposer/session/metadata_writer.h"

namespace memlens::interposer {

std::atomic<uint32_t> statistics_seen{0};
std::atomic<uint32_t> statistics_tried_tick{0};

namespace {

using format::AllocatorName;
using format::AllocatorStatistics;
using format::StatisticsMoment;
using process_copy::Ending;
using segment::StatisticsRequest;
using segment::StatisticsSlot;

constexpr uint32_t kMostUnanswered = 4;
// How long a thread of the program's waits for leave to ask, and then for the answer. What it asks
// for while it runs is taken when somebody comes by.
constexpr int64_t kMostNsForLeave = 5'000'000;
constexpr int64_t kMostNsForLeaveAtEnd = 100'000'000;  // and at marks
constexpr int64_t kMostNsAtMark = 20'000'000;
constexpr int64_t kMostNsAtEnd = 150'000'000;
// A copy that has said all needs a moment to be gone; of one that has not, nothing is expected
// after its time (confinement.cpp); and in the end it is ended.
constexpr int64_t kTimeToEndNs = 20'000'000;
constexpr int64_t kMostNsOfAnswer = 400'000'000;
constexpr int64_t kMostNsOfCopy = 1'000'000'000;
constexpr int kMostRoundsOfOthers = 500;
constexpr int64_t kRoundOfOthersNs = 1'000'000;

// ---- in memory that is shared with the copy

struct Answers {
  struct Answer {
    AllocatorName name;
    AllocatorStatistics statistics;
  };
  static constexpr uint32_t kMost = 4;

  std::atomic<uint32_t> count;  // that are complete
  std::atomic<uint32_t> done;   // futex word: 1, nothing more comes
  Answer each[kMost];
};
Answers* answers = nullptr;
constexpr size_t kAnswerBytes = 64 << 10;  // whole pages, of whatever size
static_assert(sizeof(Answers) <= kAnswerBytes);

// ---- the copy that is out

// Whoever takes this has all that follows to itself. 0: nobody.
std::atomic<uintptr_t> taker{0};
uintptr_t this_thread() { return reinterpret_cast<uintptr_t>(&hook_frame); }
std::atomic<bool> ended{false};
int32_t copy = 0;                 // 0: none is out
bool is_of_last_session = false;  // what it says belongs to no recording
int64_t not_settled_before_ns = 0;
int32_t copied_pid = 0;  // whose child it is
StatisticsMoment copied_at{};
uint64_t copied_ticks = 0;
int64_t copied_ns = 0;
uint32_t wish_of_copy = 0;
uint32_t unanswered = 0;  // attempts at that wish

// ---- in the copy

void add_answer(AllocatorName name, const AllocatorStatistics& statistics) {
  const uint32_t count = answers->count.load(std::memory_order_relaxed);
  if (count == Answers::kMost) return;
  answers->each[count] = {name, statistics};
  answers->count.store(count + 1, std::memory_order_release);
}

// What is most likely to hang or crash comes last.
void ask_all() {
  AllocatorStatistics statistics;
  if (glibc_heap::ask(statistics)) add_answer(AllocatorName::kGlibc, statistics);
  other_heaps::Heap heaps[other_heaps::kMost];
  const unsigned count = other_heaps::find(heaps);
  for (unsigned i = 0; i < count; ++i) {
    statistics = {};
    if (other_heaps::ask(heaps[i], statistics)) add_answer(heaps[i].name, statistics);
  }
  statistics = {};
  if (python_heap::ask(statistics)) add_answer(AllocatorName::kPymalloc, statistics);
}

void be_asked() {
  // Whatever is called here is not the program's: it is not recorded, and not missing either (the
  // counter is shared with the program).
  count_skipped_calls_in(nullptr);
  session_state.store(SessionState::kLoaded);
  attention.fetch_or(kAttentionOver);
  ask_all();
  answers->done.store(1, std::memory_order_release);
  platform::futex_wake(answers->done, 1);
}

// ---- in the program

void write(AllocatorName name, const AllocatorStatistics& statistics) {
  uint8_t numbers[format::kAllocatorStatisticsFields.size() * format::kMaxVarintBytes];
  uint8_t* end = numbers;
  for (const auto field : format::kAllocatorStatisticsFields) {
    end = format::encode_varint(end, statistics.*field);
  }
  RecordBody body;
  body.number(copied_ticks)
      .number(static_cast<uint64_t>(copied_at))
      .number(static_cast<uint64_t>(name))
      .string(numbers, static_cast<size_t>(end - numbers));
  write_definition(format::MetadataType::kAllocatorStatistics, body);
}

void write_answers() {
  if (is_of_last_session) return;
  const uint32_t count = std::min(answers->count.load(std::memory_order_acquire), Answers::kMost);
  for (uint32_t i = 0; i < count; ++i) write(answers->each[i].name, answers->each[i].statistics);
  answers->count.store(0, std::memory_order_relaxed);
}

const char* describe_failure(Ending ending) {
  switch (ending) {
    case Ending::kCrashed:
      return "an allocator that was asked what it holds free, in a copy of the process, crashed: "
             "the program may have written over its memory, or share the allocator's";
    case Ending::kUnconfined:
      return "no allocator was asked what it holds free: a copy of the process could not be kept "
             "from doing anything else (it needs /proc, and filters of system calls)";
    default:
      return "an allocator that was asked what it holds free, in a copy of the process, did not "
             "answer in time: perhaps a thread was in the midst of it";
  }
}

// So that who reads of no answer knows why; once of each kind.
void note_failure(Ending ending) {
  if (is_of_last_session) return;
  static bool noted[process_copy::kEndings] = {};
  if (std::exchange(noted[static_cast<size_t>(ending)], true)) return;
  const char* text = describe_failure(ending);
  RecordBody body;
  body.number(static_cast<uint64_t>(format::DiagnosticCode::kOther))
      .string(text, std::strlen(text));
  write_definition(format::MetadataType::kDiagnostic, body);
}

// System calls that programs of its kind make are the collector's to allow: it sees whether the
// program has come to filter them in the meantime.
enum class Leave : uint8_t { kGranted, kRefused, kNotAnswered };

Leave ask_for_leave(uint32_t asked, int64_t most_ns) {
  if (segment::collector_is_dead(process.segment) || process.segment->stop.load() != 0) {
    return Leave::kNotAnswered;
  }
  std::atomic<uint32_t>& request = process.segment->statistics[process.slot].request;
  const int64_t until_ns = platform::monotonic_ns() + most_ns;
  request.store(asked);
  segment::wake_collector(process.segment);
  for (int64_t left_ns = most_ns; left_ns > 0 && request.load() == asked;
       left_ns = until_ns - platform::monotonic_ns()) {
    platform::futex_wait(request, asked, left_ns);
  }
  const uint32_t answer = request.exchange(static_cast<uint32_t>(StatisticsRequest::kNone));
  if (answer == asked) return Leave::kNotAnswered;
  return answer == static_cast<uint32_t>(StatisticsRequest::kGranted) ? Leave::kGranted
                                                                      : Leave::kRefused;
}

void say_whether_out() {
  process.segment->statistics[process.slot].copy_out.store(copy != 0 ? 1 : 0);
}

void forget_copy() {
  copy = 0;
  say_whether_out();
  statistics_seen.store(wish_of_copy, std::memory_order_relaxed);
}

// Takes what it has said, and the copy itself if it has ended or, now or because it is late, is to
// end. Where it may not be waited for it ends by itself, but is there until somebody has waited, so
// that is tried again when it is twice as old, and no other is made before.
enum class Patience : uint8_t { kAgainLater, kNoMore };

void settle(Patience patience, int64_t most_ns_for_leave) {
  say_whether_out();  // it may be of the last session
  const bool done = answers->done.load(std::memory_order_acquire) != 0;
  write_answers();
  const int64_t now_ns = platform::monotonic_ns();
  const int64_t age_ns = now_ns - copied_ns;
  if (patience == Patience::kAgainLater &&
      (now_ns < not_settled_before_ns || age_ns < (done ? kTimeToEndNs : kMostNsOfAnswer))) {
    return;
  }
  const bool at_once = patience == Patience::kNoMore || age_ns > kMostNsOfCopy;
  const Leave leave =
      ask_for_leave(static_cast<uint32_t>(StatisticsRequest::kAskedToReap), most_ns_for_leave);
  Ending ending = Ending::kNone;
  if (leave == Leave::kGranted) {
    ending = at_once ? process_copy::end(copy) : process_copy::look_for_end(copy);
  }
  if (ending == Ending::kNone) {
    if (leave != Leave::kGranted || at_once) not_settled_before_ns = now_ns + age_ns;
    return;
  }
  const bool was_done = done || answers->done.load(std::memory_order_acquire) != 0;
  write_answers();
  if (!was_done) note_failure(ending);
  if (ending == Ending::kUnconfined) ended.store(true);  // nor could the next
  forget_copy();
}

void wait_for_answer(int64_t most_ns) {
  const int64_t until_ns = platform::monotonic_ns() + most_ns;
  while (answers->done.load(std::memory_order_acquire) == 0) {
    const int64_t left_ns = until_ns - platform::monotonic_ns();
    if (left_ns <= 0) return;
    platform::futex_wait(answers->done, 0, left_ns);
  }
}

// In a child of vfork.
bool shares_memory_with_parent() { return own_slot().pid != system_call::process_id(); }

bool own_copy_is_out() { return copy != 0 && copied_pid == system_call::process_id(); }

// It has so much time at least.
void give_time_and_settle(int64_t most_ns) {
  if (!own_copy_is_out()) return;
  wait_for_answer(most_ns - (platform::monotonic_ns() - copied_ns));
  settle(Patience::kNoMore, kMostNsForLeaveAtEnd);
}

// False: none could be made.
bool make_copy(StatisticsMoment moment) {
  if (answers == nullptr) {
    void* pages = system_call::map(nullptr, kAnswerBytes, PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return false;
    answers = static_cast<Answers*>(pages);
  }
  answers->count.store(0, std::memory_order_relaxed);
  answers->done.store(0, std::memory_order_relaxed);
  copied_at = moment;
  copied_ticks = platform::read_ticks();
  copied_ns = platform::monotonic_ns();
  const int32_t made = process_copy::make(be_asked, answers, kAnswerBytes);
  if (made < 0) return false;
  copy = made;
  is_of_last_session = false;
  not_settled_before_ns = 0;
  copied_pid = system_call::process_id();
  // So that somebody comes by for it.
  statistics_seen.store(wish_of_copy - 1, std::memory_order_relaxed);
  return true;
}

// Whether a copy was made. Precondition: this thread is the taker.
enum class Asked : uint8_t { kYes, kNo, kNotAnswered };

Asked ask(StatisticsMoment moment) {
  if (copy != 0 || ended.load()) return Asked::kNo;
  const uint32_t asked =
      static_cast<uint32_t>(StatisticsRequest::kAsked) + static_cast<uint32_t>(moment);
  // Before: a collector that is about to end has to see what it has given leave for.
  process.segment->statistics[process.slot].copy_out.store(1);
  const Leave leave = ask_for_leave(
      asked, moment == StatisticsMoment::kRunning ? kMostNsForLeave : kMostNsForLeaveAtEnd);
  if (leave != Leave::kGranted) say_whether_out();
  if (leave == Leave::kNotAnswered) return Asked::kNotAnswered;
  if (leave == Leave::kRefused) return Asked::kNo;
  if (ended.load()) {
    say_whether_out();
    return Asked::kNo;
  }
  // On the processor: what the thread waits for is others' time, which it runs in.
  const int64_t before_ns = platform::thread_cpu_ns();
  const bool made = make_copy(moment);
  say_whether_out();
  const int64_t took_ns = platform::thread_cpu_ns() - before_ns;
  process.segment->statistics[process.slot].copy_us.store(static_cast<uint32_t>(took_ns / 1000 + 1),
                                                          std::memory_order_relaxed);
  return made ? Asked::kYes : Asked::kNo;
}

// The program may name thousands of moments a second, and waits for leave at each that is worth it.
// (While the collector stands still, so do its ticks.)
class MarksPause {
 public:
  bool is_over() const {
    return !begun_ || process.segment->tick.load(std::memory_order_relaxed) - since_ >= kTicks;
  }
  void begin() {
    since_ = process.segment->tick.load(std::memory_order_relaxed);
    begun_ = true;
  }
  void end() { begun_ = false; }

 private:
  static constexpr uint32_t kTicks = 5;
  uint32_t since_ = 0;
  bool begun_ = false;
};
MarksPause marks_pause;

// Precondition: in the outermost scope. So what this thread finds taken by itself was left by a
// handler that jumped out of it.
class Taking {
 public:
  Taking() : saved_errno_(errno) {
    uintptr_t found = 0;
    held_ = taker.compare_exchange_strong(found, this_thread()) || found == this_thread();
  }
  ~Taking() {
    if (held_) taker.store(0);
    errno = saved_errno_;
  }
  Taking(const Taking&) = delete;
  Taking& operator=(const Taking&) = delete;
  explicit operator bool() const { return held_; }

 private:
  bool held_ = false;
  int saved_errno_;
};

void new_session() {
  if (own_copy_is_out()) {
    is_of_last_session = true;
  } else {
    copy = 0;           // a parent's
    answers = nullptr;  // perhaps a parent's as well
  }
  marks_pause.end();
  wish_of_copy = 0;
  taker.store(0);
  // Whoever comes by first settles it.
  statistics_seen.store(copy == 0 ? 0 : ~uint32_t{0}, std::memory_order_relaxed);
  statistics_tried_tick.store(0, std::memory_order_relaxed);
}

// After the program's own exit handlers and destructors (record/resident_memory.cpp).
__attribute__((destructor)) void take_statistics_at_end() {
  if (!recording()) return;
  const StatisticsSlot& slot = process.segment->statistics[process.slot];
  if (copy == 0 && slot.large.load(std::memory_order_relaxed) == 0) return;
  const HookScope scope;
  if (!scope.outermost()) return;
  const SessionStay stay;
  const Taking taking;
  if (!stay || !taking) return;
  give_time_and_settle(kMostNsAtEnd);
  if (slot.large.load(std::memory_order_relaxed) == 0 ||
      ask(StatisticsMoment::kEnd) != Asked::kYes) {
    return;
  }
  give_time_and_settle(kMostNsAtEnd);
}

}  // namespace

void prepare_allocator_statistics() { at_new_session(new_session); }

__attribute__((noinline, cold)) void take_statistics_as_wanted() {
  const segment::SegmentHeader& segment = *process.segment;
  const uint32_t tick = segment.tick.load(std::memory_order_relaxed);
  const Taking taking;
  if (!taking || statistics_tried_tick.exchange(tick, std::memory_order_relaxed) == tick) return;
  if (shares_memory_with_parent()) return;
  if (copy != 0) {
    if (own_copy_is_out()) settle(Patience::kAgainLater, kMostNsForLeave);
    return;
  }
  const uint32_t wish = segment.statistics[process.slot].wanted.load(std::memory_order_relaxed);
  if (wish != wish_of_copy) unanswered = 0;
  wish_of_copy = wish;
  const Asked asked = ask(StatisticsMoment::kRunning);
  // A collector that is busy is asked again; one that refuses wishes again when it likes.
  if (asked == Asked::kNotAnswered && ++unanswered < kMostUnanswered) return;
  if (asked != Asked::kYes) statistics_seen.store(wish, std::memory_order_relaxed);
}

void take_statistics_at_mark() {
  const Taking taking;
  if (!taking || !marks_pause.is_over() || shares_memory_with_parent()) return;
  if (copy != 0 && platform::monotonic_ns() < not_settled_before_ns) return marks_pause.begin();
  give_time_and_settle(kMostNsAtMark);
  wish_of_copy = statistics_seen.load(std::memory_order_relaxed);
  if (ask(StatisticsMoment::kMark) != Asked::kYes) return marks_pause.begin();
  wait_for_answer(kMostNsAtMark);
  settle(Patience::kAgainLater, kMostNsForLeave);
}

void end_statistics() {
  if (ended.exchange(true)) return;
  // Who is about to make a copy has seen that, or is seen here. Within a hook (in a handler) this
  // thread may be that itself, or have what the other waits for.
  for (int i = 0; i < kMostRoundsOfOthers && hook_frame == 0 && taker.load() != 0; ++i) {
    platform::pause_for(kRoundOfOthersNs);
  }
  finish_statistics();
}

void finish_statistics() {
  if (copy == 0 || !recording() || !own_copy_is_out()) return;
  const HookScope scope;
  if (!scope.outermost()) return;
  const SessionStay stay;
  const Taking taking;
  if (stay && taking) give_time_and_settle(kMostNsAtMark);
}

}  // namespace memlens::interposer
