// Compares the native unwinder with libunwind inside real programs.
//
// A library to preload, made of the objects that are in libmemlens.so plus libunwind. It takes the
// stack of every malloc, calloc and realloc with capture_native_stack(), so that the caches see
// what they see in a recording, and at every n-th also with unw_backtrace; the two must agree frame
// by frame. Results are appended, one line a process, to the file that ORACLE_OUTPUT names:
//     <program> stacks=<n> mismatches=<n> frames=<n> deepest=<n> rules=<n> complex=<n> labels=<n>
// with the first few mismatches before it. ORACLE_EVERY sets n (default 1). With
// ORACLE_RUNS, frames are followed by runs, as under Python's (interposer/stacks/native_runs.h).
#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libunwind.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>

#include "interposer/loader/native_code_generation.h"
#include "interposer/stacks/native_stack.h"
#include "interposer/stacks/unwind_rule_cache.h"
#include "tests/native_stacks/recorded_nodes.h"

// Where this library ends, as the linker says.
extern "C" __attribute__((visibility("hidden"))) char _end;

namespace {

using memlens::interposer::NativeStackState;
namespace nodes = memlens::native_stacks_test;

thread_local __attribute__((tls_model("initial-exec"))) NativeStackState* thread_stacks = nullptr;
thread_local __attribute__((tls_model("initial-exec"))) bool busy = false;
thread_local __attribute__((tls_model("initial-exec"))) uint64_t captures = 0;

std::atomic<uint64_t> stacks{0}, mismatches{0}, frames{0}, deepest{0}, labels{0};
std::atomic<uint64_t> rules{0}, complex_rules{0};
std::atomic<int> reported{0};
uint64_t every = 1;
bool with_runs = false;
uintptr_t own_start, own_end;
constexpr int kMaxFrames = 4000;
constexpr int kMaxReported = 5;

int output_file() {
  const char* path = getenv("ORACLE_OUTPUT");
  if (path == nullptr) return -1;
  return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
}

void describe(char* text, size_t bytes, uintptr_t address) {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(address), &info) != 0 && info.dli_fname != nullptr) {
    snprintf(text, bytes, "%lx %s+%lx %s", address, info.dli_fname,
             address - reinterpret_cast<uintptr_t>(info.dli_fbase),
             info.dli_sname == nullptr ? "?" : info.dli_sname);
  } else {
    snprintf(text, bytes, "%lx ?", address);
  }
}

void report_mismatch(const uintptr_t* ours, int our_count, void* const* theirs, int their_count) {
  if (reported.fetch_add(1) >= kMaxReported) return;
  const int file = output_file();
  if (file < 0) return;
  dprintf(file, "mismatch in %s: ours %d, libunwind %d\n", program_invocation_name, our_count,
          their_count);
  for (int i = 0; i < our_count || i < their_count; ++i) {
    char our_text[400] = "-", their_text[400] = "-";
    if (i < our_count) describe(our_text, sizeof our_text, ours[i]);
    if (i < their_count) {
      describe(their_text, sizeof their_text, reinterpret_cast<uintptr_t>(theirs[i]));
    }
    const bool equal =
        i < our_count && i < their_count && ours[i] + 1 == reinterpret_cast<uintptr_t>(theirs[i]);
    dprintf(file, "  %s %s\n", equal ? "  " : "!=", our_text);
    if (!equal) dprintf(file, "     %s\n", their_text);
  }
  close(file);
}

void do_nothing() {}

// What makecontext() has its stacks return to, which nobody has called them from: libunwind takes
// it for a frame.
uintptr_t read_context_end() {
  alignas(16) static char stack[4096];
  static ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = sizeof stack;
  context.uc_link = nullptr;
  makecontext(&context, do_nothing, 0);
  return *reinterpret_cast<const uintptr_t*>(context.uc_mcontext.gregs[REG_RSP]);
}
const uintptr_t context_end = read_context_end();

bool is_ours(uintptr_t address) { return address - own_start < own_end - own_start; }

// Big buffers: not for a thread's stack.
struct Buffers {
  void* theirs[kMaxFrames];
  uintptr_t ours[kMaxFrames];
};
thread_local __attribute__((tls_model("initial-exec"))) Buffers* buffers = nullptr;

void* pages(size_t bytes) {
  void* result = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (result == MAP_FAILED) abort();
  return result;
}

__attribute__((noinline)) void compare() {
  if (thread_stacks == nullptr) {
    thread_stacks = static_cast<NativeStackState*>(pages(sizeof(NativeStackState)));
    buffers = static_cast<Buffers*>(pages(sizeof(Buffers)));
  }
  const uint64_t rules_before = thread_stacks->rules_compiled;
  const uint64_t complex_before = thread_stacks->rules_complex;
  const uint32_t node = memlens::interposer::capture_native_stack(*thread_stacks, with_runs);
  rules += thread_stacks->rules_compiled - rules_before;
  complex_rules += thread_stacks->rules_complex - complex_before;
  if (captures++ % every != 0) return;

  int their_count = unw_backtrace(buffers->theirs, kMaxFrames);
  if (their_count >= kMaxFrames) return;
  void* const* theirs = buffers->theirs;
  while (their_count > 0 && is_ours(reinterpret_cast<uintptr_t>(theirs[0]))) {
    ++theirs;
    --their_count;
  }
  if (their_count > 0 && reinterpret_cast<uintptr_t>(theirs[their_count - 1]) == context_end)
    --their_count;
  bool label = false;
  const int our_count = nodes::frames_of(node, buffers->ours, kMaxFrames, label);
  if (label) {
    ++labels;  // cut, or generated code: libunwind has no better answer to compare with
    report_mismatch(buffers->ours, our_count, theirs, their_count);
  }
  ++stacks;
  frames += static_cast<uint64_t>(our_count);
  if (static_cast<uint64_t>(our_count) > deepest) deepest = static_cast<uint64_t>(our_count);
  bool equal = our_count == their_count;
  for (int i = 0; equal && i < our_count; ++i) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(theirs[i]);
    // Interrupted by a signal: exact on both sides; libunwind does not say which frames these are.
    equal = buffers->ours[i] == address - 1 || (i > 0 && buffers->ours[i] == address);
  }
  if (!equal) {
    ++mismatches;
    report_mismatch(buffers->ours, our_count, theirs, their_count);
  }
}

void observe() {
  if (busy) return;
  busy = true;
  const int saved_errno = errno;
  compare();
  errno = saved_errno;
  busy = false;
}

// dlsym allocates before there is a malloc to call.
alignas(16) char early[1 << 16];
size_t early_used = 0;
void* early_allocate(size_t bytes) {
  const size_t start = early_used;
  early_used = (early_used + bytes + 31) & ~size_t{15};
  return early_used <= sizeof early ? early + start : nullptr;
}
bool is_early(const void* block) { return block >= early && block < early + sizeof early; }

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}
bool resolving = false;
void* (*next_malloc)(size_t);
void* (*next_calloc)(size_t, size_t);
void* (*next_realloc)(void*, size_t);
void (*next_free)(void*);

bool resolved() {
  if (next_free != nullptr) return true;
  if (resolving) return false;
  resolving = true;
  next_malloc = next<void* (*)(size_t)>("malloc");
  next_calloc = next<void* (*)(size_t, size_t)>("calloc");
  next_realloc = next<void* (*)(void*, size_t)>("realloc");
  const char* text = getenv("ORACLE_EVERY");
  if (text != nullptr && atoi(text) > 0) every = static_cast<uint64_t>(atoi(text));
  with_runs = getenv("ORACLE_RUNS") != nullptr;
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&observe), &info) != 0) {
    own_start = reinterpret_cast<uintptr_t>(info.dli_fbase);
    own_end = reinterpret_cast<uintptr_t>(&_end);
  }
  next_free = next<void (*)(void*)>("free");
  resolving = false;
  return true;
}

__attribute__((destructor)) void finish() {
  busy = true;
  const int file = output_file();
  if (file < 0 || stacks == 0) return;
  dprintf(file,
          "%s stacks=%lu mismatches=%lu frames=%lu deepest=%lu rules=%lu complex=%lu labels=%lu\n",
          program_invocation_short_name, stacks.load(), mismatches.load(), frames.load(),
          deepest.load(), rules.load(), complex_rules.load(), labels.load());
  close(file);
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void* malloc(size_t bytes) {
  if (!resolved()) return early_allocate(bytes);
  observe();
  return next_malloc(bytes);
}
EXPORT void* calloc(size_t count, size_t bytes) {
  if (!resolved()) return early_allocate(count * bytes);
  observe();
  return next_calloc(count, bytes);
}
EXPORT void* realloc(void* block, size_t bytes) {
  if (!resolved()) return early_allocate(bytes);
  observe();
  if (is_early(block)) {
    void* moved = next_malloc(bytes);
    if (moved != nullptr) memcpy(moved, block, bytes);
    return moved;
  }
  return next_realloc(block, bytes);
}
EXPORT void free(void* block) {
  if (block == nullptr || is_early(block) || !resolved()) return;
  next_free(block);
}
EXPORT void _exit(int status) {
  finish();
  next<void (*)(int)>("_exit")(status);
  __builtin_unreachable();
}
EXPORT int dlclose(void* handle) {
  const int status = next<int (*)(void*)>("dlclose")(handle);
  memlens::interposer::native_code_has_changed();
  return status;
}
EXPORT int munmap(void* address, size_t bytes) {
  memlens::interposer::unwind::forget_stack_windows();
  return next<int (*)(void*, size_t)>("munmap")(address, bytes);
}
