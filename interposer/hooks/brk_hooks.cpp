// The program break, moved by the program itself. libc's malloc moves it by an inner call that
// never arrives here. Ranges are exact: the break moves by bytes, not by pages.
#include <unistd.h>

#include <cstdint>

#include "interposer/guest/reentrancy.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/lifecycle/first_look.h"
#include "interposer/loader/next_function.h"
#include "interposer/program/allocator_module.h"
#include "interposer/record/recorder.h"

namespace memlens::interposer {
namespace {

MEMLENS_NEXT<int (*)(void*)> next_brk("brk");
MEMLENS_NEXT<void* (*)(intptr_t)> next_sbrk("sbrk");

char* const kFailed = reinterpret_cast<char*>(-1);

inline char* program_break() { return static_cast<char*>(next_sbrk.get()(0)); }

// Moves the break to `target` by `move`, which says whether it did. Grown memory is recorded
// afterwards, given-back memory before.
template <typename Move>
auto move_break(char* target, Move move) {
  be_ready();
  char* const old_break = program_break();
  const bool shrinks = old_break != kFailed && target < old_break;
  if (shrinks) record_unmap(target, static_cast<size_t>(old_break - target));
  const auto [result, moved] = move();
  if (shrinks && !moved) record_undo();
  if (moved && old_break != kFailed && target > old_break) {
    record_map(AllocationKind::kBrk, old_break, static_cast<size_t>(target - old_break));
  }
  return result;
}

template <typename Result>
struct Outcome {
  Result result;
  bool moved;
};

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

MEMLENS_HOOK int brk(void* target) {
  HookScope scope;
  if (!scope.outermost() || maps_for_allocator(__builtin_return_address(0))) {
    return next_brk.get()(target);
  }
  return move_break(static_cast<char*>(target), [&] {
    const int status = next_brk.get()(target);
    return Outcome<int>{status, status == 0};
  });
}

MEMLENS_HOOK void* sbrk(intptr_t increment) {
  HookScope scope;
  if (increment == 0 || !scope.outermost() || maps_for_allocator(__builtin_return_address(0))) {
    return next_sbrk.get()(increment);
  }
  // As an integer: an absurd increment may wrap around, and fails in the real call.
  auto* target = reinterpret_cast<char*>(reinterpret_cast<uintptr_t>(program_break()) +
                                         static_cast<uintptr_t>(increment));
  if (increment < 0 && target > program_break()) return next_sbrk.get()(increment);
  return move_break(target, [&] {
    void* old_break = next_sbrk.get()(increment);
    return Outcome<void*>{old_break, old_break != kFailed};
  });
}
