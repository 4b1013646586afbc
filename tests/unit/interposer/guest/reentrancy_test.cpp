#include "interposer/guest/reentrancy.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <csetjmp>
#include <functional>

using namespace memlens::interposer;

namespace {

__attribute__((noinline)) bool nested_is_outermost() {
  volatile char frame[64];
  frame[0] = 0;
  HookScope scope;
  asm volatile("" ::"r"(&frame));
  return scope.outermost();
}

jmp_buf escape;
__attribute__((noinline)) void leave_by_longjmp() {
  volatile char frame[256];
  frame[0] = 0;
  HookScope scope;
  asm volatile("" ::"r"(&frame), "r"(&scope));
  longjmp(escape, 1);
}

// Pages with one on either side that cannot be touched, as stacks have them.
class Stack {
 public:
  static constexpr size_t kBytes = 1 << 18;
  static constexpr size_t kGuardBytes = 4096;

  Stack() {
    mapped_ = static_cast<char*>(
        mmap(nullptr, kBytes + 2 * kGuardBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(mapped_ + kGuardBytes, kBytes, PROT_READ | PROT_WRITE);
  }
  ~Stack() { munmap(mapped_, kBytes + 2 * kGuardBytes); }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  char* start() const { return mapped_ + kGuardBytes; }

 private:
  char* mapped_;
};

// Two stacks, the lower first.
struct TwoStacks {
  TwoStacks() : low(&a), high(&b) {
    if (a.start() > b.start()) std::swap(low, high);
  }
  Stack a, b;
  Stack* low;
  Stack* high;
};

std::function<void()> on_stack_body;
void enter_body() { on_stack_body(); }

// Runs `body` on `stack`, as a fiber.
void run_on(const Stack& stack, std::function<void()> body) {
  ucontext_t back, there;
  getcontext(&there);
  there.uc_stack.ss_sp = stack.start();
  there.uc_stack.ss_size = Stack::kBytes;
  there.uc_link = &back;
  on_stack_body = std::move(body);
  makecontext(&there, enter_body, 0);
  swapcontext(&back, &there);
}

std::function<void()> in_handler;
void on_signal(int) { in_handler(); }

// Runs `body` in a signal handler on `stack`.
void run_in_handler(const Stack& stack, std::function<void()> body) {
  stack_t alternate{};
  alternate.ss_sp = stack.start();
  alternate.ss_size = Stack::kBytes;
  REQUIRE(sigaltstack(&alternate, nullptr) == 0);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, nullptr);
  in_handler = std::move(body);
  raise(SIGUSR1);
  alternate.ss_flags = SS_DISABLE;
  sigaltstack(&alternate, nullptr);
}

}  // namespace

TEST_CASE("only the outermost hook records") {
  {
    HookScope scope;
    CHECK(scope.outermost());
    CHECK_FALSE(nested_is_outermost());
  }
  CHECK(nested_is_outermost());
}

TEST_CASE("a scope left by longjmp does not silence the thread") {
  if (setjmp(escape) == 0) leave_by_longjmp();
  REQUIRE(hook_frame != 0);  // never reset
  HookScope scope;
  CHECK(scope.outermost());
}

TEST_CASE("a scope left at the very address of the next one is stale") {
  volatile int rounds = 0;
  while (rounds < 3) {
    if (setjmp(escape) == 0) {
      leave_by_longjmp();
    }
    CHECK(hook_frame != 0);
    rounds = rounds + 1;
  }
  CHECK(nested_is_outermost());
}

TEST_CASE("within a hook, a signal handler on a stack of its own is nested wherever that lies") {
  TwoStacks stacks;
  for (const bool above : {true, false}) {
    CAPTURE(above);
    const Stack& thread_stack = above ? *stacks.low : *stacks.high;
    const Stack& alternate = above ? *stacks.high : *stacks.low;
    std::atomic<uint32_t> skipped{0};
    count_skipped_calls_in(&skipped);
    bool first = false, nested = true, after = true;
    run_on(thread_stack, [&] {
      HookScope scope;
      first = scope.outermost();
      run_in_handler(alternate, [&] { nested = nested_is_outermost(); });
      after = nested_is_outermost();
    });
    CHECK(first);
    CHECK_FALSE(nested);
    CHECK_FALSE(after);
    CHECK(hook_frame == 0);
    CHECK(skipped.load() == 2);
    count_skipped_calls_in(nullptr);
  }
}

TEST_CASE("calls that a hook's own call makes are not counted as skipped") {
  std::atomic<uint32_t> skipped{0};
  count_skipped_calls_in(&skipped);
  {
    HookScope scope(InnerCalls::kExpected);
    CHECK_FALSE(nested_is_outermost());
  }
  CHECK(skipped.load() == 0);
  count_skipped_calls_in(nullptr);
}

TEST_CASE("fibers above and below the thread's stack record") {
  TwoStacks stacks;
  for (const Stack* stack : {stacks.low, stacks.high}) {
    bool outermost = false;
    run_on(*stack, [&] { outermost = nested_is_outermost(); });
    CHECK(outermost);
  }
}

TEST_CASE("a guard left on a stack that is gone is stale") {
  hook_frame = 0;
  {
    Stack stack;
    run_on(stack, [] {
      HookScope scope;
      // Never ends: its stack goes.
      auto* here = reinterpret_cast<volatile uintptr_t*>(&hook_frame);
      *here = *here;
      asm volatile("" ::"r"(&scope));
    });
    hook_frame = reinterpret_cast<uintptr_t>(stack.start() + Stack::kBytes - 512);
  }
  CHECK(nested_is_outermost());
  CHECK(hook_frame == 0);
}

TEST_CASE("a jump leaves the hook when it goes above it") {
  char below = 0;
  HookScope scope;
  const auto holder = hook_frame;
  leave_hooks_for(reinterpret_cast<uintptr_t>(&below) - 4096);
  CHECK(hook_frame == holder);
  leave_hooks_for(holder + 4096);
  CHECK(hook_frame == 0);
}

TEST_CASE("a jump within a signal handler's own stack stays in the hook, one off it leaves") {
  TwoStacks stacks;
  run_on(*stacks.low, [&] {
    HookScope scope;
    const uintptr_t holder = hook_frame;
    run_in_handler(*stacks.high, [&] {
      char here = 0;
      leave_hooks_for(reinterpret_cast<uintptr_t>(&here) + 64);
      CHECK(hook_frame == holder);
      leave_hooks_for(holder + 1024);
      CHECK(hook_frame == 0);
    });
  });
}
