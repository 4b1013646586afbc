// Rules of unwinding that forked children learn for each other.
//
// A server's children that live for a connection or a query each run code that their parent never
// does. With PostgreSQL a child compiled 700 rules (1 ms, for which it read pages of .eh_frame that
// nobody else needs) and wrote them to 115 pages of the inherited cache, each copied for that. Kept
// here, in memory that the children have in common, they cost the first child the time and no
// child the pages.
//
// What is here must hold for every relative. So it is of objects that were loaded before the first
// fork, and for who has seen none go since: that is what native_code_generation says, which every
// relative has from its parent. What a child loads later may lie elsewhere in another.
#pragma once

#include <cstdint>

#include "interposer/stacks/processor.h"

namespace memlens::interposer::unwind::family_rules {

// Before a fork, in the parent: makes the memory at the first one, if it takes native stacks.
// Nothing is shared when there is none to have. Not inside a hook of malloc.
void prepare();

// Whether this process is a child whose relatives know the object's rules, under `generation`.
bool has_object(uintptr_t load_bias, uint32_t generation);

// Precondition of both: has_object(). Whoever lives long had better keep what it finds, which is
// dearer to find than in its own cache: `keep` then.
bool find(uintptr_t address, UnwindRule& rule, bool& keep);
void insert(uintptr_t address, UnwindRule rule);

}  // namespace memlens::interposer::unwind::family_rules
