#include "tests/native_stacks/recorded_nodes.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "interposer/definitions/definitions.h"
#include "interposer/stacks/hybrid_interpreter.h"

namespace memlens::interposer {

namespace {

struct Node {
  uint64_t address;  // kLabel: a label
  uint32_t parent;
};
constexpr uint64_t kLabel = ~uint64_t{0};
constexpr uint32_t kSlots = 1u << 23;
std::atomic_flag lock;

Node* node_records() {
  static Node* const nodes =
      static_cast<Node*>(mmap(nullptr, sizeof(Node) * kSlots, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  return nodes;
}
uint32_t* slot_table() {
  static uint32_t* const slots =
      static_cast<uint32_t*>(mmap(nullptr, sizeof(uint32_t) * kSlots * 2, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  return slots;
}
uint32_t node_count = 0;

uint32_t intern(uint32_t parent, uint64_t address) {
  while (lock.test_and_set(std::memory_order_acquire)) syscall(SYS_sched_yield);
  uint64_t slot = ((address + parent * 0x100000001b3ull) * 0x9E3779B97F4A7C15ull) >> 40;
  Node* const nodes = node_records();
  uint32_t* const slots = slot_table();
  uint32_t node;
  while ((node = slots[slot]) != 0 &&
         !(nodes[node].address == address && nodes[node].parent == parent)) {
    slot = (slot + 1) & (kSlots * 2 - 1);
  }
  if (node == 0 && node_count + 1 < kSlots) {
    node = ++node_count;
    nodes[node] = {address, parent};
    slots[slot] = node;
  }
  lock.clear(std::memory_order_release);
  return node;
}

}  // namespace

namespace node_table {
uint32_t newest() { return __atomic_load_n(&node_count, __ATOMIC_RELAXED); }
}  // namespace node_table

uint32_t intern_native_node(uint32_t parent, uint64_t address) { return intern(parent, address); }
uint32_t intern_label_node(uint32_t parent, const char*) { return intern(parent, kLabel); }
bool is_evaluation_loop(uintptr_t) { return false; }
bool has_opcode_handlers() { return false; }

}  // namespace memlens::interposer

namespace memlens::native_stacks_test {

using namespace memlens::interposer;

int frames_of(uint32_t node, uintptr_t* addresses, int capacity, bool& label) {
  int count = 0;
  label = false;
  for (; node != 0 && count < capacity; node = node_records()[node].parent) {
    if (node_records()[node].address == kLabel) {
      label = true;
    } else {
      addresses[count++] = node_records()[node].address;
    }
  }
  return count;
}

}  // namespace memlens::native_stacks_test
