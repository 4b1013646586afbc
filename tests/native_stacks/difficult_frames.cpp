// Stacks that are hard to unwind, each allocating from many threads: exceptions, realigned and
// variable-sized frames, signal handlers on their own stack, callbacks through C, deep recursion,
// other stacks (ucontext), and code at run time that has no unwind information.
//     difficult_frames [rounds]
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

#define NOINLINE __attribute__((noinline))

// A leaf whose allocation the compiler cannot leave out.
NOINLINE void allocate(size_t bytes) {
  void* block = malloc(bytes);
  asm volatile("" ::"r"(block) : "memory");
  free(block);
}

NOINLINE void recurse(int depth, void (*leaf)()) {
  if (depth == 0) {
    leaf();
  } else {
    recurse(depth - 1, leaf);
  }
  asm volatile("");
}

NOINLINE void variable_frame(size_t bytes) {
  auto* space = static_cast<char*>(alloca(bytes));
  asm volatile("" ::"r"(space) : "memory");
  allocate(bytes);
}

NOINLINE void realigned_frame(size_t bytes) {
  alignas(64) char space[128];
  asm volatile("" ::"r"(space) : "memory");
  variable_frame(bytes);
  allocate(bytes);
}

// Two ways to the same innermost frames at the same addresses: what the one pushes more, the other
// pushes less, so that only a saved frame pointer tells them apart. The stale return address of the
// other way is still where it was.
NOINLINE void saving_the_frame_pointer() {
  allocate(56);
  asm volatile("" ::: "rbp", "memory");
}
NOINLINE void not_saving_the_frame_pointer() {
  allocate(40);
  asm volatile("");
}
NOINLINE void with_padding(size_t bytes, void (*leaf)()) {
  auto* space = static_cast<char*>(alloca(bytes));
  asm volatile("" ::"r"(space) : "memory");
  leaf();
  asm volatile("" ::"r"(space) : "memory");
}
NOINLINE void little_then_much(void (*leaf)()) {
  auto* space = static_cast<char*>(alloca(64));
  asm volatile("" ::"r"(space) : "memory");
  with_padding(192, leaf);
  asm volatile("" ::"r"(space) : "memory");
}
NOINLINE void much_then_little(void (*leaf)()) {
  auto* space = static_cast<char*>(alloca(192));
  asm volatile("" ::"r"(space) : "memory");
  with_padding(64, leaf);
  asm volatile("" ::"r"(space) : "memory");
}
NOINLINE void two_ways(int way) {
  (way == 0 ? little_then_much : much_then_little)(saving_the_frame_pointer);
  (way != 0 ? little_then_much : much_then_little)(saving_the_frame_pointer);
  (way == 0 ? little_then_much : much_then_little)(not_saving_the_frame_pointer);
  (way != 0 ? little_then_much : much_then_little)(not_saving_the_frame_pointer);
}

struct Unwound {
  ~Unwound() { allocate(48); }
};

NOINLINE void throwing(int depth) {
  Unwound guard;
  if (depth == 0) throw std::runtime_error("a message long enough to be allocated on the heap");
  throwing(depth - 1);
  asm volatile("");
}

NOINLINE void catching(int depth) {
  try {
    throwing(depth);
  } catch (const std::exception& error) {
    std::string text(error.what());
    text += text;
    asm volatile("" ::"r"(text.data()) : "memory");
    allocate(text.size());
  }
}

int compare(const void* left, const void* right) {
  allocate(24);
  return *static_cast<const int*>(left) - *static_cast<const int*>(right);
}

NOINLINE void through_c() {
  int values[] = {5, 3, 9, 1, 7, 2, 8};
  qsort(values, sizeof values / sizeof *values, sizeof *values, compare);
}

void on_signal(int) { realigned_frame(72); }

NOINLINE void signalled() {
  raise(SIGUSR1);
  allocate(16);
}

ucontext_t main_context, other_context;
void on_other_stack() {
  for (;;) {
    recurse(7, [] { allocate(88); });
    swapcontext(&other_context, &main_context);
  }
}

void other_stack(int rounds) {
  static char stack[64 * 1024];
  getcontext(&other_context);
  other_context.uc_stack = {.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof stack};
  other_context.uc_link = nullptr;
  makecontext(&other_context, on_other_stack, 0);
  for (int i = 0; i < rounds; ++i) swapcontext(&main_context, &other_context);
}

void work(int rounds) {
  // Handlers run on a stack of their own.
  std::vector<char> signal_stack(64 * 1024);
  stack_t alternate{.ss_sp = signal_stack.data(), .ss_flags = 0, .ss_size = signal_stack.size()};
  sigaltstack(&alternate, nullptr);
  for (int i = 0; i < rounds; ++i) {
    recurse(i % 40, [] { realigned_frame(100); });
    recurse(i % 7, [] { catching(3); });
    recurse(i % 13, signalled);
    recurse(i % 5, through_c);
    two_ways(i & 1);
    variable_frame(static_cast<size_t>(i % 100) * 64 + 16);
  }
  stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
  sigaltstack(&none, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : 200;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, nullptr);
  work(rounds);
  other_stack(rounds);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(work, rounds);
  for (std::thread& thread : threads) thread.join();
  // Many threads that live briefly.
  for (int i = 0; i < rounds / 4; ++i) std::thread([] { recurse(5, [] { allocate(40); }); }).join();
  recurse(3000, [] { allocate(64); });
  return 0;
}
