#include "interposer/program/program_hooks.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "interposer/loader/call_tables.h"
#include "interposer/loader/loader_list.h"
#include "interposer/loader/next_definition.h"
#include "interposer/loader/slot_patch.h"
#include "interposer/loader/symbol_table.h"
#include "interposer/program/allocator_module.h"
#include "interposer/program/bundled_allocators.h"
#include "interposer/program/hook_table.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

struct ProgramHook {
  const link_map* object;  // that defines the function
  SymbolName name;
};

// Looked up once, while every symbol has its own value.
constexpr size_t kMostHooks = sizeof kHooks / sizeof kHooks[0];
struct {
  bool collected = false;
  size_t count = 0;
  size_t removable = 0;  // of these, from the first on
  alignas(ProgramHook) unsigned char hooks[kMostHooks * sizeof(ProgramHook)];
  Replacement in[kMostHooks];
  Replacement out[kMostHooks];
} table;

std::atomic<bool> in_place{false};

// In the segment's ticks of about 10 ms.
uint32_t session_seen = 0, started_tick = 0, next_visit = 0;
constexpr uint32_t kLastVisit = 64;

ProgramHook* hooks() { return reinterpret_cast<ProgramHook*>(table.hooks); }

bool is_of_malloc_family(HookReport report) {
  return report == HookReport::kAllocation || report == HookReport::kFree ||
         report == HookReport::kReallocation;
}

bool is_operator(const char* name) { return name[0] == '_' && name[1] == 'Z'; }

bool is_wanted(const Hook& hook, const Definition& real, bool own_malloc) {
  if (real.address == nullptr || hook.report == HookReport::kNothing ||
      hook.report == HookReport::kOptions) {
    return false;
  }
  // The program calls its own without a slot, which is most of the calls; to see the others' alone
  // would make leaks of what it frees.
  if (is_of_malloc_family(hook.report) && own_malloc) return false;
  // Those of libstdc++ call malloc.
  return !is_operator(hook.name) || real.object == allocator_object();
}

// Who unloads an object waits for who reads it, which takes the hook: were it taken out, the rest
// of the taking out would read objects that go meanwhile. Left in, it forwards.
bool stays_in(const Hook& hook) { return std::strcmp(hook.name, "dlclose") == 0; }

void collect() {
  table.collected = true;
  const link_map* own = own_object();
  if (own == nullptr) return;
  const SymbolTable own_symbols(own->l_ld, own->l_addr);
  const bool own_malloc = brings_own_malloc();
  const auto add = [&](const Hook& hook) {
    const SymbolName name(hook.name);
    const ElfW(Sym)* symbol = own_symbols.find(name);
    const Definition real = find_next_definition(hook.name);
    if (symbol == nullptr || !is_wanted(hook, real, own_malloc)) return;
    const auto from = reinterpret_cast<uintptr_t>(real.address);
    const auto to = reinterpret_cast<uintptr_t>(own_symbols.address_of(*symbol));
    hooks()[table.count] = {real.object, name};
    table.in[table.count] = {from, to, hook.name};
    table.out[table.count] = {to, from, hook.name};
    ++table.count;
  };
  for (const Hook& hook : kHooks) {
    if (!stays_in(hook)) add(hook);
  }
  table.removable = table.count;
  for (const Hook& hook : kHooks) {
    if (stays_in(hook)) add(hook);
  }
}

template <typename Visit>
void for_each_other_object(Visit visit) {
  const size_t count = loaded_object_count();
  const link_map* own = own_object();
  for (size_t i = 0; i < count; ++i) {
    LoadedObject object;
    if (!loaded_object_at(i, object) || object.link == own) continue;
    const CallTables tables(object);
    if (tables.is_usable()) visit(object, tables);
  }
}

// The symbols first: what is bound while the slots are gone through is bound as wanted already.
bool replace_everywhere(const Replacement* replacements, size_t replacement_count) {
  for_each_other_object([&](const LoadedObject& object, const CallTables& tables) {
    for (size_t i = 0; i < replacement_count; ++i) {
      if (hooks()[i].object != object.link) continue;
      const ElfW(Sym)* symbol = SymbolTable(object.dynamic, object.load_bias).find(hooks()[i].name);
      if (symbol != nullptr) replace_in_symbol(tables, *symbol, replacements[i]);
    }
  });
  bool ready = true;
  for_each_other_object([&](const LoadedObject&, const CallTables& tables) {
    ready &= replace_in_slots(tables, false, replacements, replacement_count).ready;
  });
  return ready;
}

}  // namespace

bool program_hooks_are_in() { return in_place.load(std::memory_order_acquire); }

bool settle_program_hooks() {
  if (!table.collected) collect();
  if (session_is_open()) {
    in_place.store(true, std::memory_order_release);
    return replace_everywhere(table.in, table.count);
  }
  if (!program_hooks_are_in()) return true;
  // Twice: a thread that had looked a symbol up before may have bound a slot meanwhile. One that
  // does so later yet leads to a hook, which forwards.
  const bool ready = lead_bundled_calls(false) && replace_everywhere(table.out, table.removable) &&
                     replace_everywhere(table.out, table.removable) && lead_bundled_calls(false);
  if (ready) in_place.store(false, std::memory_order_release);
  return ready;
}

void revisit_program_hooks() {
  if (!recording()) return;
  const uint32_t tick = process.segment->tick.load(std::memory_order_relaxed);
  if (session_seen != process.session) {
    session_seen = process.session;
    started_tick = tick;
    next_visit = 1;
  }
  if (next_visit > kLastVisit || tick - started_tick < next_visit) return;
  next_visit *= 2;
  settle_program_hooks();
}

}  // namespace memlens::interposer
