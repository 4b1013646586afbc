#include "interposer/program/deep_bindings.h"

#include "interposer/loader/call_tables.h"
#include "interposer/loader/next_definition.h"
#include "interposer/loader/next_function.h"
#include "interposer/loader/slot_patch.h"
#include "interposer/loader/symbol_table.h"

// The section that holds every NextFunction (next_function.h), as the linker names its ends.
extern "C" __attribute__((visibility("hidden")))
memlens::interposer::NextDefinition __start_memlens_next_functions[],
    __stop_memlens_next_functions[];

namespace memlens::interposer {
namespace {

constexpr size_t kMaxHooks = 128;
Replacement hooks[kMaxHooks];
size_t hook_count = 0;

void collect_hooks() {
  const link_map* own = own_object();
  if (own == nullptr) return;
  const SymbolTable table(own->l_ld, own->l_addr);
  for (const NextDefinition* next = __start_memlens_next_functions;
       next != __stop_memlens_next_functions && hook_count < kMaxHooks; ++next) {
    const ElfW(Sym)* symbol = table.find(next->name);
    const auto real = reinterpret_cast<uintptr_t>(next->address.load(std::memory_order_relaxed));
    if (symbol == nullptr || real == 0) continue;
    hooks[hook_count++] = {real, reinterpret_cast<uintptr_t>(table.address_of(*symbol))};
  }
}

}  // namespace

void hook_deep_bindings(const LoadedObject& object) {
  if (hook_count == 0) collect_hooks();
  const CallTables tables(object);
  if (tables.is_usable() && hook_count != 0) replace_in_slots(tables, false, hooks, hook_count);
}

}  // namespace memlens::interposer
