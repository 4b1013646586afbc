#include "interposer/program/program_gates.h"

#include <atomic>
#include <cstring>
#include <new>

#include "interposer/guest/reentrancy.h"
#include "interposer/loader/object_notes.h"
#include "interposer/record/pools.h"
#include "interposer/record/recorder.h"
#include "interposer/record/sampling/sampler.h"
#include "interposer/session/control_export.h"
#include "interposer/session/process.h"
#include "interposer/session/upcalls.h"

extern "C" {
void memlens_mark(const char* name);  // record/marks.cpp
}

namespace memlens::interposer {
namespace {

// ---- what the gate leads to, as memlens.h declares it. A call in a slab, or by a signal handler
// inside a hook, is a nested one, and not recorded.

// What no program has: a reader would not believe it, nor what stands beside it.
bool is_possible(const void* block, size_t bytes) {
  constexpr uint64_t kAddressSpace = uint64_t{1} << 48;
  return block != nullptr && reinterpret_cast<uintptr_t>(block) < kAddressSpace &&
         bytes < kAddressSpace;
}

void allocate(Pool* pool, const void* block, size_t bytes) {
  if (pool == nullptr || !is_possible(block, bytes)) return;
  if (sampler::active() && sampler::passes_unsampled(bytes)) return;
  const HookScope scope;
  if (!scope.outermost()) return sampler::draw_anew();
  record_pool_allocation(*pool, block, bytes);
}

void free(Pool* pool, const void* block) {
  if (pool == nullptr || !is_possible(block, 0)) return;
  const HookScope scope;
  if (scope.outermost()) record_pool_free(*pool, block);
}

void resize(Pool* pool, const void* block, const void* to, size_t bytes) {
  if (pool == nullptr) return;
  const HookScope scope;
  if (!scope.outermost()) return sampler::draw_anew();
  if (is_possible(block, 0)) record_pool_free(*pool, block);
  if (is_possible(to, bytes)) record_pool_allocation(*pool, to, bytes);
}

void reset(Pool* pool) {
  if (pool == nullptr) return;
  const HookScope scope;
  if (scope.outermost()) record_pool_reset(*pool);
}

// The caller's, on its stack: a guard points into the stack frame of whoever set it.
struct Slab {
  alignas(HookScope) char scope[sizeof(HookScope)];
};
static_assert(sizeof(Slab) <= 2 * sizeof(void*));  // of memlens_slab; the third is the header's

void begin_slab(Slab* slab) { new (slab->scope) HookScope(InnerCalls::kExpected); }
void end_slab(Slab* slab) { std::launder(reinterpret_cast<HookScope*>(slab->scope))->~HookScope(); }

int wake() { return upcalls.look_at_gate() ? 1 : 0; }

static_assert(sizeof(session_state) == sizeof(uint32_t) &&
              static_cast<uint32_t>(SessionState::kRecording) == 2);

struct Calls {
  const std::atomic<SessionState>* state;
  void (*mark)(const char*);
  int (*wake)();
  void (*slab_begin)(Slab*);
  void (*slab_end)(Slab*);
  void (*pool_alloc)(Pool*, const void*, size_t);
  void (*pool_free)(Pool*, const void*);
  void (*pool_resize)(Pool*, const void*, const void*, size_t);
  void (*pool_reset)(Pool*);
};
constexpr Calls kCalls = {&session_state, &memlens_mark, &wake,   &begin_slab, &end_slab,
                          &allocate,      &free,         &resize, &reset};

// ---- the gates

constexpr uint32_t kGateNote = 1;
constexpr char kNoteName[] = "memlens";
constexpr uint64_t kGateMagic = 0x65746167736e656d;  // "mensgate"

struct ProgramGate {
  uint64_t magic;
  std::atomic<const Calls*> calls;
};

// A file may say anything in a note.
bool is_writable_data(const LoadedObject& object, uintptr_t address) {
  for (size_t i = 0; i < object.segment_count; ++i) {
    const ElfW(Phdr)& segment = object.segments[i];
    const uintptr_t start = object.load_bias + segment.p_vaddr;
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) == 0) continue;
    if (address >= start && address + sizeof(ProgramGate) <= start + segment.p_memsz) return true;
  }
  return false;
}

bool is_read_only_again(const LoadedObject& object, uintptr_t address) {
  for (size_t i = 0; i < object.segment_count; ++i) {
    const ElfW(Phdr)& segment = object.segments[i];
    const uintptr_t start = object.load_bias + segment.p_vaddr;
    if (segment.p_type == PT_GNU_RELRO && address + sizeof(ProgramGate) > start &&
        address < start + segment.p_memsz) {
      return true;
    }
  }
  return false;
}

}  // namespace

void open_program_gates(const LoadedObject& object) {
  for_each_note(object, [&](const Note& note) {
    int64_t distance = 0;
    if (note.type != kGateNote || note.name_bytes != sizeof kNoteName ||
        std::memcmp(note.name, kNoteName, sizeof kNoteName) != 0 ||
        note.content_bytes != sizeof distance) {
      return false;
    }
    std::memcpy(&distance, note.content, sizeof distance);
    const uintptr_t address =
        reinterpret_cast<uintptr_t>(note.content) + static_cast<uintptr_t>(distance);
    if (address % alignof(ProgramGate) != 0 || !is_writable_data(object, address) ||
        is_read_only_again(object, address)) {
      return false;
    }
    auto* gate = reinterpret_cast<ProgramGate*>(address);
    if (gate->magic == kGateMagic) gate->calls.store(&kCalls, std::memory_order_release);
    return false;
  });
}

}  // namespace memlens::interposer

// The same for who finds us by name, as the Python package does, and has not looked whether
// anything is recorded.
using namespace memlens::interposer;

MEMLENS_CONTROL void memlens_report_pool_alloc(Pool* pool, const void* block, size_t bytes) {
  if (recording()) kCalls.pool_alloc(pool, block, bytes);
}
MEMLENS_CONTROL void memlens_report_pool_free(Pool* pool, const void* block) {
  if (recording()) kCalls.pool_free(pool, block);
}
MEMLENS_CONTROL void memlens_report_pool_resize(Pool* pool, const void* block, const void* to,
                                                size_t bytes) {
  if (recording()) kCalls.pool_resize(pool, block, to, bytes);
}
MEMLENS_CONTROL void memlens_report_pool_reset(Pool* pool) {
  if (recording()) kCalls.pool_reset(pool);
}
