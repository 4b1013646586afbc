// C++ operators new and delete, in every form.
//
// Ordinarily they are libstdc++'s, which call malloc and free: those are counted there, with the
// addresses malloc gave, and this file only passes the call on. That matters for programs that
// replace some forms and not others: they may return addresses inside the block, and the forms they
// did not replace call the ones they did. Counting at the outermost operator would then see blocks
// freed that were never allocated, and others leak.
//
// jemalloc, tcmalloc and mimalloc, however, bring operators of their own that go straight into the
// allocator, past the hook of malloc. When the next definition lies in the library the program's
// malloc comes from (libc excepted), these hooks count.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <initializer_list>
#include <new>

#include "interposer/guest/diagnostics.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/lifecycle/first_look.h"
#include "interposer/loader/next_definition.h"
#include "interposer/record/recorder.h"
#include "interposer/record/sampling/sampled_blocks.h"
#include "interposer/record/sampling/sampler.h"

namespace memlens::interposer {
namespace {

// The next definition of an operator. A C++ library that a C program has loaded with dlopen finds
// our operators (the global scope comes first) while its libstdc++ is not in that scope.
template <typename Function>
class NextOperator {
 public:
  constexpr explicit NextOperator(const char* name) : name_(name) {}

  // The definition, where all there is to do is to call it; nullptr where not, or not yet known.
  __attribute__((always_inline)) Function to_pass_on_to() const {
    return to_pass_on_to_.load(std::memory_order_relaxed);
  }

  __attribute__((always_inline)) Function get(bool& counts) {
    Function function = function_.load(std::memory_order_acquire);
    if (__builtin_expect(function == nullptr, 0)) function = resolve();
    counts = counts_;
    return function;
  }

 private:
  __attribute__((noinline, cold)) Function resolve() {
    Definition found = find_next_definition(name_);
    for (const char* library : {"libstdc++.so.6", "libc++.so.1"}) {
      if (found.address == nullptr) found = find_definition_in(library, name_);
    }
    const bool by_allocator = found.object != nullptr && found.object == allocator_object();
    counts_ = found.address == nullptr || by_allocator;
    auto function = reinterpret_cast<Function>(found.address);
    function_.store(function, std::memory_order_release);
    if (!counts_) to_pass_on_to_.store(function, std::memory_order_relaxed);
    return function;
  }

  const char* name_;
  std::atomic<Function> function_{nullptr};
  std::atomic<Function> to_pass_on_to_{nullptr};
  bool counts_ = false;
};

// Without any definition to go on to (libstdc++ linked statically into a plugin): what it would do.
void* allocate_plainly(size_t bytes, size_t alignment, bool may_fail) {
  void* block = nullptr;
  if (bytes == 0) bytes = 1;
  if (alignment == 0) {
    block = malloc(bytes);
  } else if (posix_memalign(&block, alignment < sizeof(void*) ? sizeof(void*) : alignment, bytes) !=
             0) {
    block = nullptr;
  }
  if (block == nullptr && !may_fail) {
    report_line(Line().text("out of memory in operator new, and nobody here can throw"));
    abort();
  }
  return block;
}

template <typename Function, typename... Arguments>
__attribute__((noinline)) void* allocate_recorded(Function function, size_t bytes,
                                                  Arguments... arguments) {
  // No scope around the real call: it may call the program's new-handler, whose frees are the
  // program's, and leave by an exception, which no destructor of ours would notice. So a form that
  // goes through a hook of the malloc family after all (jemalloc's aligned ones) is seen by its
  // trace.
  const bool outermost = HookScope().outermost();
  const StreamPosition before = stream_position();
  void* block = function(bytes, arguments...);
  if (outermost && block != nullptr && !recorded_since(before, block)) {
    HookScope scope;
    record_allocation(AllocationKind::kOperatorNew, block, bytes);
  }
  return block;
}

__attribute__((noinline)) void* record_perhaps_sampled(void* block, size_t bytes) {
  HookScope scope;
  if (!scope.outermost()) {
    sampler::draw_anew();
  } else if (block != nullptr) {
    record_allocation(AllocationKind::kOperatorNew, block, bytes);
  }
  return block;
}

// Where blocks are sampled, what is no sample passes at once here as well; and the trace is that
// the countdown has gone on.
template <typename Function, typename... Arguments>
__attribute__((noinline)) void* allocate_otherwise(NextOperator<Function>& next, size_t bytes,
                                                   size_t alignment, bool may_fail,
                                                   Arguments... arguments) {
  bool counts = false;
  Function function = next.get(counts);
  if (!counts) return function(bytes, arguments...);
  if (function == nullptr) return allocate_plainly(bytes, alignment, may_fail);
  if (hook_mode() == segment::HookMode::kLook) look_what_to_do();
  if (hook_mode() == segment::HookMode::kDormant) return function(bytes, arguments...);
  const uint64_t before = sample_countdown;
  if (before == 0 || hook_mode() != segment::HookMode::kSampling)
    return allocate_recorded<Function, Arguments...>(function, bytes, arguments...);
  void* block = function(bytes, arguments...);
  if (sample_countdown != before || sampler::passes_unsampled(bytes)) return block;
  return record_perhaps_sampled(block, bytes);
}

template <typename Function, typename... Arguments>
__attribute__((always_inline)) inline void* allocate(NextOperator<Function>& next, size_t bytes,
                                                     size_t alignment, bool may_fail,
                                                     Arguments... arguments) {
  if (Function function = next.to_pass_on_to()) return function(bytes, arguments...);
  return allocate_otherwise<Function, Arguments...>(next, bytes, alignment, may_fail, arguments...);
}

template <typename Function, typename... Arguments>
__attribute__((noinline)) void release_recorded(Function function, void* block,
                                                Arguments... arguments) {
  HookScope scope;
  if (scope.outermost() && block != nullptr) record_free(block);
  function(block, arguments...);
}

template <typename Function, typename... Arguments>
__attribute__((noinline)) void release_otherwise(NextOperator<Function>& next, void* block,
                                                 Arguments... arguments) {
  bool counts = false;
  Function function = next.get(counts);
  if (!counts || (sampler::chosen() && !sampled_blocks::may_hold(block) && function != nullptr)) {
    return function(block, arguments...);
  }
  if (function == nullptr) return free(block);
  if (hook_mode() == segment::HookMode::kDormant) return function(block, arguments...);
  release_recorded<Function, Arguments...>(function, block, arguments...);
}

template <typename Function, typename... Arguments>
__attribute__((always_inline)) inline void release(NextOperator<Function>& next, void* block,
                                                   Arguments... arguments) {
  if (Function function = next.to_pass_on_to()) return function(block, arguments...);
  release_otherwise<Function, Arguments...>(next, block, arguments...);
}

using std::align_val_t;
using std::nothrow_t;

// Each operator by its mangled name, one resolver each.
#define MEMLENS_NEXT_OPERATOR(type, symbol) \
  constinit NextOperator<type> next##symbol { #symbol }

MEMLENS_NEXT_OPERATOR(void* (*)(size_t), _Znwm);
MEMLENS_NEXT_OPERATOR(void* (*)(size_t), _Znam);
MEMLENS_NEXT_OPERATOR(void* (*)(size_t, const nothrow_t&), _ZnwmRKSt9nothrow_t);
MEMLENS_NEXT_OPERATOR(void* (*)(size_t, const nothrow_t&), _ZnamRKSt9nothrow_t);
MEMLENS_NEXT_OPERATOR(void* (*)(size_t, align_val_t), _ZnwmSt11align_val_t);
MEMLENS_NEXT_OPERATOR(void* (*)(size_t, align_val_t), _ZnamSt11align_val_t);
MEMLENS_NEXT_OPERATOR(void* (*)(size_t, align_val_t, const nothrow_t&),
                      _ZnwmSt11align_val_tRKSt9nothrow_t);
MEMLENS_NEXT_OPERATOR(void* (*)(size_t, align_val_t, const nothrow_t&),
                      _ZnamSt11align_val_tRKSt9nothrow_t);
MEMLENS_NEXT_OPERATOR(void (*)(void*), _ZdlPv);
MEMLENS_NEXT_OPERATOR(void (*)(void*), _ZdaPv);
MEMLENS_NEXT_OPERATOR(void (*)(void*, size_t), _ZdlPvm);
MEMLENS_NEXT_OPERATOR(void (*)(void*, size_t), _ZdaPvm);
MEMLENS_NEXT_OPERATOR(void (*)(void*, const nothrow_t&), _ZdlPvRKSt9nothrow_t);
MEMLENS_NEXT_OPERATOR(void (*)(void*, const nothrow_t&), _ZdaPvRKSt9nothrow_t);
MEMLENS_NEXT_OPERATOR(void (*)(void*, align_val_t), _ZdlPvSt11align_val_t);
MEMLENS_NEXT_OPERATOR(void (*)(void*, align_val_t), _ZdaPvSt11align_val_t);
MEMLENS_NEXT_OPERATOR(void (*)(void*, size_t, align_val_t), _ZdlPvmSt11align_val_t);
MEMLENS_NEXT_OPERATOR(void (*)(void*, size_t, align_val_t), _ZdaPvmSt11align_val_t);
MEMLENS_NEXT_OPERATOR(void (*)(void*, align_val_t, const nothrow_t&),
                      _ZdlPvSt11align_val_tRKSt9nothrow_t);
MEMLENS_NEXT_OPERATOR(void (*)(void*, align_val_t, const nothrow_t&),
                      _ZdaPvSt11align_val_tRKSt9nothrow_t);

#undef MEMLENS_NEXT_OPERATOR

// Before main, in C++ programs, whose operators are there from the start.
__attribute__((constructor)) void resolve_all() {
  if (find_next_definition("_Znwm").address == nullptr) return;
  bool counts;
  const auto resolve = [&](auto&... operators) { (operators.get(counts), ...); };
  resolve(next_Znwm, next_Znam, next_ZnwmRKSt9nothrow_t, next_ZnamRKSt9nothrow_t,
          next_ZnwmSt11align_val_t, next_ZnamSt11align_val_t,
          next_ZnwmSt11align_val_tRKSt9nothrow_t, next_ZnamSt11align_val_tRKSt9nothrow_t,
          next_ZdlPv, next_ZdaPv, next_ZdlPvm, next_ZdaPvm, next_ZdlPvRKSt9nothrow_t,
          next_ZdaPvRKSt9nothrow_t, next_ZdlPvSt11align_val_t, next_ZdaPvSt11align_val_t,
          next_ZdlPvmSt11align_val_t, next_ZdaPvmSt11align_val_t,
          next_ZdlPvSt11align_val_tRKSt9nothrow_t, next_ZdaPvSt11align_val_tRKSt9nothrow_t);
}

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;
using std::align_val_t;
using std::nothrow_t;

// Plain C functions under the operators' names: defining the operators themselves would make the
// compiler call them for its own purposes.
MEMLENS_HOOK void* _Znwm(size_t n) { return allocate(next_Znwm, n, 0, false); }
MEMLENS_HOOK void* _Znam(size_t n) { return allocate(next_Znam, n, 0, false); }
MEMLENS_HOOK void* _ZnwmRKSt9nothrow_t(size_t n, const nothrow_t& t) {
  return allocate<void* (*)(size_t, const nothrow_t&), const nothrow_t&>(next_ZnwmRKSt9nothrow_t, n,
                                                                         0, true, t);
}
MEMLENS_HOOK void* _ZnamRKSt9nothrow_t(size_t n, const nothrow_t& t) {
  return allocate<void* (*)(size_t, const nothrow_t&), const nothrow_t&>(next_ZnamRKSt9nothrow_t, n,
                                                                         0, true, t);
}
MEMLENS_HOOK void* _ZnwmSt11align_val_t(size_t n, align_val_t a) {
  return allocate(next_ZnwmSt11align_val_t, n, static_cast<size_t>(a), false, a);
}
MEMLENS_HOOK void* _ZnamSt11align_val_t(size_t n, align_val_t a) {
  return allocate(next_ZnamSt11align_val_t, n, static_cast<size_t>(a), false, a);
}
MEMLENS_HOOK void* _ZnwmSt11align_val_tRKSt9nothrow_t(size_t n, align_val_t a, const nothrow_t& t) {
  return allocate<void* (*)(size_t, align_val_t, const nothrow_t&), align_val_t, const nothrow_t&>(
      next_ZnwmSt11align_val_tRKSt9nothrow_t, n, static_cast<size_t>(a), true, a, t);
}
MEMLENS_HOOK void* _ZnamSt11align_val_tRKSt9nothrow_t(size_t n, align_val_t a, const nothrow_t& t) {
  return allocate<void* (*)(size_t, align_val_t, const nothrow_t&), align_val_t, const nothrow_t&>(
      next_ZnamSt11align_val_tRKSt9nothrow_t, n, static_cast<size_t>(a), true, a, t);
}

MEMLENS_HOOK void _ZdlPv(void* p) { release(next_ZdlPv, p); }
MEMLENS_HOOK void _ZdaPv(void* p) { release(next_ZdaPv, p); }
MEMLENS_HOOK void _ZdlPvm(void* p, size_t n) { release(next_ZdlPvm, p, n); }
MEMLENS_HOOK void _ZdaPvm(void* p, size_t n) { release(next_ZdaPvm, p, n); }
MEMLENS_HOOK void _ZdlPvRKSt9nothrow_t(void* p, const nothrow_t& t) {
  release<void (*)(void*, const nothrow_t&), const nothrow_t&>(next_ZdlPvRKSt9nothrow_t, p, t);
}
MEMLENS_HOOK void _ZdaPvRKSt9nothrow_t(void* p, const nothrow_t& t) {
  release<void (*)(void*, const nothrow_t&), const nothrow_t&>(next_ZdaPvRKSt9nothrow_t, p, t);
}
MEMLENS_HOOK void _ZdlPvSt11align_val_t(void* p, align_val_t a) {
  release(next_ZdlPvSt11align_val_t, p, a);
}
MEMLENS_HOOK void _ZdaPvSt11align_val_t(void* p, align_val_t a) {
  release(next_ZdaPvSt11align_val_t, p, a);
}
MEMLENS_HOOK void _ZdlPvmSt11align_val_t(void* p, size_t n, align_val_t a) {
  release(next_ZdlPvmSt11align_val_t, p, n, a);
}
MEMLENS_HOOK void _ZdaPvmSt11align_val_t(void* p, size_t n, align_val_t a) {
  release(next_ZdaPvmSt11align_val_t, p, n, a);
}
MEMLENS_HOOK void _ZdlPvSt11align_val_tRKSt9nothrow_t(void* p, align_val_t a, const nothrow_t& t) {
  release<void (*)(void*, align_val_t, const nothrow_t&), align_val_t, const nothrow_t&>(
      next_ZdlPvSt11align_val_tRKSt9nothrow_t, p, a, t);
}
MEMLENS_HOOK void _ZdaPvSt11align_val_tRKSt9nothrow_t(void* p, align_val_t a, const nothrow_t& t) {
  release<void (*)(void*, align_val_t, const nothrow_t&), align_val_t, const nothrow_t&>(
      next_ZdaPvSt11align_val_tRKSt9nothrow_t, p, a, t);
}
