#include "interposer/allocator_statistics/own_stack.h"

#include <ucontext.h>

#include <cstddef>

#include "interposer/guest/private_memory.h"

namespace memlens::interposer {
namespace {

constexpr size_t kStackBytes = 64 << 10;
void* own_stack = nullptr;

// By way of here, as makecontext passes ints.
void (*wanted_act)(void*) = nullptr;
void* wanted_argument = nullptr;
void act_as_wanted() { wanted_act(wanted_argument); }

}  // namespace

bool call_on_own_stack(void (*act)(void* argument), void* argument) {
  if (own_stack == nullptr) own_stack = map_pages(kStackBytes);
  if (own_stack == nullptr) return false;
  static ucontext_t back, there;
  if (getcontext(&there) != 0) return false;
  there.uc_stack.ss_sp = own_stack;
  there.uc_stack.ss_size = kStackBytes;
  there.uc_link = &back;
  wanted_act = act;
  wanted_argument = argument;
  makecontext(&there, act_as_wanted, 0);
  return swapcontext(&back, &there) == 0;
}

}  // namespace memlens::interposer
