// _PyEval_EvalFrameDefault is exported by every CPython, so its start is known even when the
// interpreter is stripped, and the unwind information tells its end. Compilers move what they take
// for unlikely (errors, rare opcodes) to a second part elsewhere, known in the symbol table of an
// unstripped binary as ...cold; but it calls, and allocates, like the rest. It is recognised by how
// it is reached: by jumps out of the loop into the middle of another function. A tail call, the
// other reason to jump away, goes to a function's start.
#include "interposer/stacks/hybrid_interpreter.h"

#include <atomic>
#include <cstring>

#include "interposer/guest/private_lock.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/loader/native_code_generation.h"
#include "interposer/python/symbol_lookup.h"

namespace memlens::interposer {
namespace {

using unwind::CodeObject;

struct Range {
  uintptr_t start;
  uintptr_t end;
  bool contains(uintptr_t address) const { return address >= start && address < end; }
};

constexpr int kMaxRanges = 64;
// The exported function of an interpreter with tail calls has some 300 bytes, a loop 50,000: with
// its cold part, which may be nearly all of it (1,184 and 84,423 bytes in Debian's 3.14.10).
constexpr uintptr_t kSmallestLoopBytes = 8192;
Range ranges[kMaxRanges];
std::atomic<int> range_count{0};
std::atomic<bool> tail_calls{false};
PrivateLock ranges_lock;
std::atomic<uint32_t> search_state{0};  // 0 not begun, 1 going on, 2 done

bool function_at(const CodeObject& object, unwind::CfiScratch& scratch, uintptr_t address,
                 Range& function) {
  unwind::UnwindRow row;
  bool signal_frame = false;
  return unwind::find_unwind_row(object.section, address, scratch, row, signal_frame,
                                 &function.start, &function.end) == unwind::CfiResult::kFound;
}

// The target of a direct jump at `code`, or 0. Bytes are looked at wherever they stand: what is no
// instruction does not hit the middle of one function time and again.
uintptr_t jump_target(const uint8_t* code) {
  int length;
  if (code[0] == 0xe9) {
    length = 5;  // jmp rel32
  } else if (code[0] == 0x0f && (code[1] & 0xf0) == 0x80) {
    length = 6;  // jcc rel32
  } else {
    return 0;
  }
  int32_t distance;
  std::memcpy(&distance, code + length - sizeof distance, sizeof distance);
  return reinterpret_cast<uintptr_t>(code) + static_cast<uintptr_t>(length) +
         static_cast<uintptr_t>(int64_t{distance});
}

int find_cold_parts(const CodeObject& object, unwind::CfiScratch& scratch, const Range& loop,
                    Range* found, int capacity) {
  constexpr int kMaxCandidates = 16;
  constexpr int kEnoughJumps = 4;
  struct Candidate {
    Range function;
    int jumps;
  } candidates[kMaxCandidates];
  int count = 0;
  constexpr uintptr_t kLongestJump = 6;
  for (uintptr_t at = loop.start; at + kLongestJump <= loop.end; ++at) {
    const uintptr_t target = jump_target(reinterpret_cast<const uint8_t*>(at));
    if (target == 0 || loop.contains(target) || !object.holds_code(target)) continue;
    Candidate* candidate = nullptr;
    for (int i = 0; i < count; ++i) {
      if (candidates[i].function.contains(target)) candidate = &candidates[i];
    }
    if (candidate == nullptr) {
      Range function;
      if (count == kMaxCandidates || !function_at(object, scratch, target, function)) continue;
      candidate = &candidates[count++];
      *candidate = {function, 0};
    }
    if (target != candidate->function.start) ++candidate->jumps;
  }
  int accepted = 0;
  for (int i = 0; i < count && accepted < capacity; ++i) {
    if (candidates[i].jumps >= kEnoughJumps) found[accepted++] = candidates[i].function;
  }
  return accepted;
}

uintptr_t total_bytes(const Range* parts, int count) {
  uintptr_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += parts[i].end - parts[i].start;
  return bytes;
}

}  // namespace

void find_evaluation_loop(unwind::ObjectCache& objects, unwind::CfiScratch& scratch) {
  uint32_t expected = 0;
  if (search_state.load(std::memory_order_relaxed) != 0 ||
      !search_state.compare_exchange_strong(expected, 1)) {
    return;
  }
  const auto start = reinterpret_cast<uintptr_t>(python::find_symbol("_PyEval_EvalFrameDefault"));
  const CodeObject* object = start == 0 ? nullptr : unwind::find_object(start, objects);
  Range loop;
  if (object != nullptr && function_at(*object, scratch, start, loop)) {
    ranges[0] = loop;
    const int count = 1 + find_cold_parts(*object, scratch, loop, ranges + 1, kMaxRanges - 1);
    if (total_bytes(ranges, count) < kSmallestLoopBytes) {
      tail_calls.store(true, std::memory_order_release);
    } else {
      range_count.store(count, std::memory_order_release);
      native_code_has_changed();  // those compiled before do not know it
    }
  }
  search_state.store(2, std::memory_order_release);
}

bool learn_evaluation_loop(uintptr_t address, unwind::ObjectCache& objects,
                           unwind::CfiScratch& scratch) {
  if (search_state.load(std::memory_order_acquire) != 2 || is_evaluation_loop(address))
    return false;
  Range range{address, address + 1};
  if (!has_opcode_handlers()) {
    const CodeObject* object = unwind::find_object(address, objects);
    if (object == nullptr || !function_at(*object, scratch, address, range)) return false;
  }
  if (!ranges_lock.lock(&thread_state)) return false;
  const int count = range_count.load(std::memory_order_relaxed);
  const bool learned = count < kMaxRanges;
  if (learned) {
    ranges[count] = range;
    range_count.store(count + 1, std::memory_order_release);
    native_code_has_changed();
  }
  ranges_lock.unlock();
  return learned;
}

bool has_opcode_handlers() { return tail_calls.load(std::memory_order_relaxed); }

bool is_evaluation_loop(uintptr_t address) {
  const int count = range_count.load(std::memory_order_acquire);
  for (int i = 0; i < count; ++i) {
    if (ranges[i].contains(address)) return true;
  }
  return false;
}

}  // namespace memlens::interposer
