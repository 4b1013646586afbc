#include "interposer/loader/slot_patch.h"

#include "interposer/platform/memory_probe.h"
#include "interposer/platform/system_call.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

namespace memlens::interposer {
namespace {

constexpr uintptr_t kPageBytes = 4096;

std::atomic<uintptr_t>& word_at(uintptr_t address) {
  return *reinterpret_cast<std::atomic<uintptr_t>*>(address);
}

bool protect(uintptr_t address, int protection) {
  return system_call::protect(reinterpret_cast<void*>(address & ~(kPageBytes - 1)), kPageBytes,
                              protection) == 0;
}

// Precondition: the page is not writable, and `protection` is what it has.
bool store_read_only(uintptr_t address, uintptr_t value, int protection) {
  if (!protect(address, protection | PROT_WRITE)) return false;
  word_at(address).store(value, std::memory_order_release);
  protect(address, protection);
  return true;
}

// Precondition: `replacements[first].from` is what the slot holds.
const Replacement& choose(const CallTables& object, size_t symbol_index,
                          const Replacement* replacements, size_t count, size_t first) {
  if (replacements[first].name == nullptr || symbol_index == 0) return replacements[first];
  const char* name = object.names() + object.symbol(symbol_index).st_name;
  for (size_t i = first; i < count; ++i) {
    if (replacements[i].from == replacements[first].from &&
        std::strcmp(replacements[i].name, name) == 0) {
      return replacements[i];
    }
  }
  return replacements[first];
}

}  // namespace

PatchCount replace_in_slots(const CallTables& object, bool own, const Replacement* replacements,
                            size_t count) {
  PatchCount result;
  uintptr_t lowest = UINTPTR_MAX, highest = 0;
  for (size_t i = 0; i < count; ++i) {
    if (replacements[i].from < lowest) lowest = replacements[i].from;
    if (replacements[i].from > highest) highest = replacements[i].from;
  }
  object.for_each_slot(own, [&](uintptr_t slot, size_t symbol_index) {
    if (slot % sizeof(uintptr_t) != 0) return;
    const uintptr_t value = word_at(slot).load(std::memory_order_relaxed);
    if (value < lowest || value > highest) return;
    for (size_t i = 0; i < count; ++i) {
      if (value != replacements[i].from) continue;
      const uintptr_t to = choose(object, symbol_index, replacements, count, i).to;
      if (object.is_read_only_after_relocation(slot)) {
        if (system_call::can_write(slot)) {
          result.ready = false;
        } else if (store_read_only(slot, to, PROT_READ)) {
          ++result.slots;
        }
      } else if ((object.protection_of(slot) & PROT_WRITE) != 0) {
        word_at(slot).store(to, std::memory_order_release);
        ++result.slots;
      }
      return;
    }
  });
  return result;
}

bool replace_in_symbol(const CallTables& object, const ElfW(Sym) & symbol,
                       const Replacement& replacement) {
  const auto address = reinterpret_cast<uintptr_t>(&symbol.st_value);
  const uintptr_t bias = object.load_bias();
  if (word_at(address).load(std::memory_order_relaxed) != replacement.from - bias) return false;
  const int protection = object.protection_of(address);
  if (protection == PROT_NONE) return false;
  // From the loader's point of view it is an offset, and may be one into another object.
  return store_read_only(address, replacement.to - bias, protection);
}

}  // namespace memlens::interposer
