// What native stacks keep for the whole process: the rules of addresses, and nodes.
//
// 2 MB of zero pages, mapped when a thread takes its first native stack: a program recorded without
// them has no address space taken for them. They stay, also a forked child's.
#pragma once

#include <atomic>

#include "interposer/stacks/native_node_cache.h"
#include "interposer/stacks/unwind_rule_cache.h"

namespace memlens::interposer {

struct NativeCaches {
  unwind::RuleCache rules;
  NativeNodeCache nodes;
  NativeNodeCache run_nodes;   // by a run's number in place of an address
  NativeNodeCache path_nodes;  // of whole stacks, by their paths
};

// Of native_caches() alone.
extern std::atomic<NativeCaches*> made_native_caches;

// nullptr: none yet. Whoever sees them sees them empty and whole.
inline NativeCaches* native_caches() { return made_native_caches.load(std::memory_order_acquire); }

// Maps them if need be; false without memory. Any thread.
bool make_native_caches();

}  // namespace memlens::interposer
