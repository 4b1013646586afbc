#include "interposer/stacks/native_stack.h"

#include <alloca.h>
#include <doctest/doctest.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "tests/native_stacks/recorded_nodes.h"

using namespace memlens::interposer;

namespace {

#define NOINLINE __attribute__((noinline))

NativeStackState& state() {
  static auto* const pages =
      static_cast<NativeStackState*>(mmap(nullptr, sizeof(NativeStackState), PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  return *pages;
}

struct Stack {
  std::vector<uintptr_t> addresses;  // innermost first
  bool label = false;

  // Where in it a function is, within its first bytes; -1: nowhere.
  template <typename Function>
  int position(Function* function) const {
    const auto start = reinterpret_cast<uintptr_t>(function);
    for (size_t i = 0; i < addresses.size(); ++i) {
      if (addresses[i] - start < 32) return static_cast<int>(i);
    }
    return -1;
  }
};

Stack stack_of(uint32_t node) {
  Stack stack;
  stack.addresses.resize(20'000);
  const int count =
      memlens::native_stacks_test::frames_of(node, stack.addresses.data(), 20'000, stack.label);
  stack.addresses.resize(static_cast<size_t>(count));
  return stack;
}

uint32_t captured;
extern "C" NOINLINE void test_take_stack() {
  captured = capture_native_stack(state());
  asm volatile("");
}

// The functions below are written out, so that their frames are known exactly.
extern "C" {
void test_cfa_in_rbx(void (*callback)());
void test_garbage_frame_pointer(void (*callback)());
}
asm(R"(
    .text
    .globl test_cfa_in_rbx
    .hidden test_cfa_in_rbx
    .type test_cfa_in_rbx, @function
test_cfa_in_rbx:                  # what the lazy binder does before it aligns the stack
    .cfi_startproc
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    movq %rsp, %rbx
    .cfi_def_cfa_register %rbx
    subq $40, %rsp
    andq $-64, %rsp
    call *%rdi
    movq %rbx, %rsp
    .cfi_def_cfa_register %rsp
    popq %rbx
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
    .size test_cfa_in_rbx, .-test_cfa_in_rbx

    .globl test_garbage_frame_pointer
    .hidden test_garbage_frame_pointer
    .type test_garbage_frame_pointer, @function
test_garbage_frame_pointer:       # not described, and rbp leads to nothing
    pushq %rbp
    movq $0x10, %rbp
    call *%rdi
    popq %rbp
    ret
    .size test_garbage_frame_pointer, .-test_garbage_frame_pointer
)");

NOINLINE void outermost(void (*function)(void (*)()), void (*callback)()) {
  function(callback);
  asm volatile("");
}

NOINLINE void recurse(int depth) {
  if (depth == 0) {
    test_take_stack();
  } else {
    recurse(depth - 1);
  }
  asm volatile("");
}

// Code made at run time, as a JIT would; `code` calls its first argument.
class GeneratedCode {
 public:
  explicit GeneratedCode(const std::vector<uint8_t>& code) {
    page_ = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memcpy(page_, code.data(), code.size());
    mprotect(page_, 4096, PROT_READ | PROT_EXEC);
  }
  ~GeneratedCode() { munmap(page_, 4096); }
  auto function() const { return reinterpret_cast<void (*)(void (*)())>(page_); }

 private:
  void* page_;
};

// push rbp; mov rbp, rsp; call rdi; pop rbp; ret
const std::vector<uint8_t> kWithFramePointer{0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
// push rbp; xor ebp, ebp; dec rbp; call rdi; pop rbp; ret
const std::vector<uint8_t> kWithNonsense{0x55, 0x31, 0xed, 0x48, 0xff,
                                         0xcd, 0xff, 0xd7, 0x5d, 0xc3};

}  // namespace

TEST_CASE("a frame whose rule needs all registers is stepped with them") {
  outermost(test_cfa_in_rbx, test_take_stack);
  const Stack stack = stack_of(captured);
  const int at = stack.position(test_cfa_in_rbx);
  CHECK(at == 1);
  CHECK(stack.position(outermost) == at + 1);
  CHECK_FALSE(stack.label);
  CHECK(state().rules_complex >= 1);
  // Again, from the kept stack.
  outermost(test_cfa_in_rbx, test_take_stack);
  CHECK(stack_of(captured).addresses.size() == stack.addresses.size());
}

TEST_CASE("generated code with frame pointers: a label, and the stack goes on") {
  const GeneratedCode code(kWithFramePointer);
  outermost(code.function(), test_take_stack);
  const Stack stack = stack_of(captured);
  CHECK(stack.label);
  CHECK(stack.position(test_take_stack) == 0);
  CHECK(stack.position(outermost) == 1);
  CHECK(stack.addresses.size() > 5);
}

TEST_CASE("generated code that leads nowhere: the stack begins with a label") {
  const GeneratedCode code(kWithNonsense);
  outermost(code.function(), test_take_stack);
  const Stack stack = stack_of(captured);
  CHECK(stack.label);
  CHECK(stack.addresses.size() == 1);
  CHECK(stack.position(test_take_stack) == 0);
  // The next stack is whole.
  recurse(2);
  CHECK_FALSE(stack_of(captured).label);
  CHECK(stack_of(captured).addresses.size() > 5);
}

TEST_CASE("undescribed code of a module is named, and cut when its frame pointer is nonsense") {
  outermost(test_garbage_frame_pointer, test_take_stack);
  const Stack stack = stack_of(captured);
  CHECK(stack.label);
  CHECK(stack.position(test_garbage_frame_pointer) == 1);
  CHECK(stack.addresses.size() == 2);
}

TEST_CASE("depth changes by what is called") {
  recurse(3);
  const size_t shallow = stack_of(captured).addresses.size();
  recurse(40);
  CHECK(stack_of(captured).addresses.size() == shallow + 37);
  recurse(3);
  CHECK(stack_of(captured).addresses.size() == shallow);
}

TEST_CASE("a stack deeper than the buffer is shown by its innermost frames on a label") {
  recurse(static_cast<int>(kMaxNativeFrames) + 100);
  const Stack stack = stack_of(captured);
  CHECK(stack.label);
  CHECK(stack.addresses.size() == kInnermostFramesOfDeepNativeStack);
  CHECK(stack.position(test_take_stack) == 0);
  recurse(3);
  CHECK_FALSE(stack_of(captured).label);
}

namespace {
__attribute__((noinline)) void call_over(size_t bytes, int depth) {
  auto* volatile room = static_cast<volatile char*>(alloca(bytes));
  room[0] = 1;
  if (depth > 0) {
    call_over(bytes, depth - 1);
  } else {
    recurse(3);
  }
  asm volatile("" ::"r"(room) : "memory");
}

void run_on_large_stack(void* (*work)(void*)) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, size_t{400} << 20);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, work, nullptr) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}
}  // namespace

TEST_CASE("frames of many megabytes are stepped over") {
  run_on_large_stack([](void*) -> void* {
    state().reset();
    // Of test_take_stack, recurse and call_over. Their caller's address is another one where the
    // compiler has unrolled the loop.
    constexpr int kOwnFrames = 1 + 4 + 3;
    Stack small;
    for (const size_t bytes : {size_t{16}, size_t{12} << 20, size_t{20} << 20, size_t{100} << 20}) {
      for (int again = 0; again < 3; ++again) {
        call_over(bytes, 2);
        const Stack stack = stack_of(captured);
        if (bytes == 16) small = stack;
        INFO(bytes << " bytes");
        CHECK_FALSE(stack.label);
        CHECK(stack.addresses.size() == small.addresses.size());
        CHECK(std::equal(stack.addresses.begin(), stack.addresses.begin() + kOwnFrames,
                         small.addresses.begin()));
      }
    }
    return nullptr;
  });
}

TEST_CASE("stacks around the size of the buffer are followed up and down") {
  // Each depth twice, first on the way in and then on the way out.
  std::vector<std::pair<size_t, bool>> seen;
  const auto look = [&seen](int depth) {
    recurse(depth);
    const Stack stack = stack_of(captured);
    seen.emplace_back(stack.addresses.size(), stack.label);
  };
  look(10);
  const size_t others = seen.back().first - 10;
  const auto most = static_cast<int>(kMaxNativeFrames - 1 - others);
  for (const int depth : {most - 1, most, most + 1, most + 5000, most + 5001, most + 4000, most + 1,
                          most, most - 1, most + 40'000, most + 20'000, most, 10}) {
    INFO("depth " << depth - most << " over the most");
    look(depth);
    if (depth > most) {
      CHECK(seen.back() == std::pair{size_t{kInnermostFramesOfDeepNativeStack}, true});
    } else {
      CHECK(seen.back() == std::pair{static_cast<size_t>(depth) + others, false});
    }
  }
}

namespace {
NOINLINE void recurse_and_take(int depth, std::vector<uint32_t>& nodes) {
  test_take_stack();
  nodes.push_back(captured);
  if (depth > 0) recurse_and_take(depth - 1, nodes);
  test_take_stack();
  asm volatile("");
}
}  // namespace

TEST_CASE("deep recursion that takes its stack at each level costs its innermost frames") {
  run_on_large_stack([](void*) -> void* {
    state().reset();
    const uint64_t stepped = state().frames_stepped;
    constexpr int kDepth = 60'000;
    std::vector<uint32_t> nodes;
    recurse_and_take(kDepth, nodes);
    // Twice a level, and more than once where the kept frames are few.
    CHECK(state().frames_stepped - stepped < 40u * kDepth);
    const Stack deepest = stack_of(nodes[kDepth]);
    CHECK(deepest.label);
    CHECK(deepest.addresses.size() == kInnermostFramesOfDeepNativeStack);
    return nullptr;
  });
}

TEST_CASE("nodes of unchanged stacks are the same, in other threads too") {
  std::vector<uint32_t> nodes;
  const auto work = [&nodes] {
    state().reset();
    for (int i = 0; i < 3; ++i) {
      recurse(10);
      nodes.push_back(captured);
    }
  };
  std::thread(work).join();
  std::thread(work).join();
  REQUIRE(nodes.size() == 6);
  CHECK(std::count(nodes.begin(), nodes.end(), nodes[0]) == 6);
}

TEST_CASE("a stack window made stale in between is looked for again") {
  recurse(4);
  const uint32_t before = captured;
  unwind::forget_stack_windows();
  recurse(4);
  CHECK(stack_of(captured).addresses.size() == stack_of(before).addresses.size());
}
