#include "interposer/loader/loader_list.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <sys/auxv.h>
#include <time.h>

#include <atomic>
#include <cstring>

#include "interposer/guest/private_memory.h"
#include "interposer/guest/scope_count.h"
#include "interposer/guest/stack_memory.h"
#include "interposer/loader/fork_hold.h"
#include "interposer/loader/symbol_table.h"

// Weak, so that the library also loads where it is not there.
struct dl_find_object;
extern "C" __attribute__((weak)) int _dl_find_object(void* address,
                                                     struct dl_find_object* result) noexcept;

#pragma weak _r_debug

namespace memlens::interposer {
namespace {

using unwind::is_readable;

constexpr uintptr_t kPageBytes = 4096;

// ---- the table

// Read while another thread writes it: word by word, and again when the version has moved.
struct Entry {
  std::atomic<uintptr_t> words[sizeof(LoadedObject) / sizeof(uintptr_t)];

  void store(const LoadedObject& object) {
    uintptr_t values[sizeof words / sizeof words[0]];
    std::memcpy(values, &object, sizeof object);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i) {
      words[i].store(values[i], std::memory_order_relaxed);
    }
  }
  LoadedObject load() const {
    uintptr_t values[sizeof words / sizeof words[0]];
    for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i) {
      values[i] = words[i].load(std::memory_order_relaxed);
    }
    LoadedObject object;
    std::memcpy(&object, values, sizeof object);
    return object;
  }
};
static_assert(sizeof(LoadedObject) % sizeof(uintptr_t) == 0);

// Blocks are added and never moved, so a reader may be anywhere. What is beyond has no frames.
constexpr size_t kBlockEntries = 512;
constexpr size_t kMostBlocks = 64;
std::atomic<Entry*> blocks[kMostBlocks];
std::atomic<size_t> entry_count{0};
std::atomic<uint32_t> version{0};  // odd: being written
std::atomic<uint32_t> generation{0};

Entry* entry_at(size_t index) {
  Entry* block = blocks[index / kBlockEntries].load(std::memory_order_acquire);
  return block == nullptr ? nullptr : block + index % kBlockEntries;
}

bool make_room(size_t count) {
  if (count > kBlockEntries * kMostBlocks) return false;
  for (size_t i = 0; i * kBlockEntries < count; ++i) {
    if (blocks[i].load(std::memory_order_relaxed) != nullptr) continue;
    auto* block = static_cast<Entry*>(map_pages(kBlockEntries * sizeof(Entry)));
    if (block == nullptr) return false;
    blocks[i].store(block, std::memory_order_release);
  }
  return true;
}

// ---- who reads and who unloads

std::atomic<uint32_t> reading{0};
std::atomic<uint32_t> unloading{0};
std::atomic<uint32_t> opening{0};

// ---- the loader's lists

// glibc's since 2.35, in place of r_debug.
struct ExtendedDebug {
  struct r_debug base;
  ExtendedDebug* next;
};
constexpr int kVersionWithNext = 2;

const struct r_debug* debug_of_program = nullptr;
// What r_state says when nothing is going on. In a child forked while something was, that for good.
int resting_state = r_debug::RT_CONSISTENT;
// Before glibc 2.35: the loader's data, to look for other namespaces in. nullptr: there are none.
std::atomic<const uintptr_t*> loader_data{nullptr};
size_t loader_data_words = 0;
constexpr size_t kMostNamespaceWords = 16 * 32;  // they come first: 16, each of less than 32 words

bool are_readable(uintptr_t address, size_t bytes) {
  if (address == 0 || bytes == 0 || address > UINTPTR_MAX - bytes) return false;
  const uintptr_t last = (address + bytes - 1) & ~(kPageBytes - 1);
  for (uintptr_t page = address & ~(kPageBytes - 1);; page += kPageBytes) {
    if (!is_readable(page)) return false;
    if (page == last) return true;
  }
}

// nullptr: there is none to be found, and the table stays empty.
const struct r_debug* find_debug() {
  if (debug_of_program != nullptr) return debug_of_program;
  const auto* headers = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
  const size_t count = getauxval(AT_PHNUM);
  const ElfW(Phdr)* own = nullptr;
  const ElfW(Phdr)* dynamic = nullptr;
  for (size_t i = 0; headers != nullptr && i < count; ++i) {
    if (headers[i].p_type == PT_PHDR) own = &headers[i];
    if (headers[i].p_type == PT_DYNAMIC) dynamic = &headers[i];
  }
  if (own != nullptr && dynamic != nullptr) {
    const uintptr_t bias = reinterpret_cast<uintptr_t>(headers) - own->p_vaddr;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(bias + dynamic->p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag != DT_DEBUG || entry->d_un.d_ptr == 0) continue;
      return debug_of_program = reinterpret_cast<const struct r_debug*>(entry->d_un.d_ptr);
    }
  }
  // Linked without that entry.
  return debug_of_program = &_r_debug;
}

int state_of(const struct r_debug& debug) {
  auto* state = const_cast<int*>(reinterpret_cast<const int*>(&debug.r_state));
  return std::atomic_ref(*state).load(std::memory_order_acquire);
}

bool is_at_rest(const struct r_debug& debug) { return state_of(debug) == resting_state; }

struct Node {
  const link_map* at;
  link_map copy;
};

bool read_node(const link_map* at, Node& node) {
  const auto address = reinterpret_cast<uintptr_t>(at);
  if (address % sizeof(void*) != 0 || !are_readable(address, sizeof(link_map))) return false;
  node.at = at;
  std::memcpy(&node.copy, at, sizeof(link_map));
  return true;
}

bool is_same_node(const Node& node, const LoadedObject& object) {
  return object.link == node.at && object.load_bias == node.copy.l_addr &&
         object.dynamic == node.copy.l_ld && object.name == node.copy.l_name;
}

// ---- an object's program headers

bool describe_segments(const ElfW(Phdr) * headers, size_t count, LoadedObject& object) {
  bool found = false;
  uintptr_t start = UINTPTR_MAX, end = 0;
  for (size_t i = 0; i < count; ++i) {
    const uintptr_t address = object.load_bias + headers[i].p_vaddr;
    if (headers[i].p_type == PT_DYNAMIC) {
      found = address == reinterpret_cast<uintptr_t>(object.dynamic);
    } else if (headers[i].p_type == PT_LOAD) {
      if (address < start) start = address;
      if (address + headers[i].p_memsz > end) end = address + headers[i].p_memsz;
    }
  }
  if (!found || start >= end) return false;
  object.segments = headers;
  object.segment_count = count;
  object.start = start;
  object.end = end;
  return true;
}

bool describe_by_file_header(uintptr_t address, LoadedObject& object) {
  if (address == 0 || address % kPageBytes != 0 || !is_readable(address)) return false;
  ElfW(Ehdr) header;
  std::memcpy(&header, reinterpret_cast<const void*>(address), sizeof header);
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_phentsize == sizeof(ElfW(Phdr)) && header.e_phoff <= kPageBytes &&
         header.e_phoff + size_t{header.e_phnum} * sizeof(ElfW(Phdr)) <= kPageBytes &&
         describe_segments(reinterpret_cast<const ElfW(Phdr)*>(address + header.e_phoff),
                           header.e_phnum, object);
}

bool describe_object(const Node& node, LoadedObject& object) {
  object = {};
  object.link = node.at;
  object.load_bias = node.copy.l_addr;
  object.dynamic = node.copy.l_ld;
  object.name = node.copy.l_name;
  // Of the program, the file's header may be mapped nowhere near.
  const auto* program = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
  if (program != nullptr && describe_segments(program, getauxval(AT_PHNUM), object)) return true;
  if (describe_by_file_header(object.load_bias, object)) return true;
  // Linked for an address other than 0: the loader maps it in one piece, so the header lies below
  // the dynamic section, and is looked for there.
  constexpr uintptr_t kFarthestBytes = 16u << 20;
  uintptr_t page = reinterpret_cast<uintptr_t>(object.dynamic) & ~(kPageBytes - 1);
  for (uintptr_t i = 0; i < kFarthestBytes && page != 0; i += kPageBytes, page -= kPageBytes) {
    if (!is_readable(page)) return false;
    if (describe_by_file_header(page, object)) return true;
  }
  return false;
}

// ---- collecting

// Calls `take` with each node; false when a list was changing, or is none.
template <typename Take>
bool walk_list(const link_map* head, Take take) {
  constexpr size_t kMostNodes = kBlockEntries * kMostBlocks;
  const link_map* previous = nullptr;
  size_t count = 0;
  for (const link_map* at = head; at != nullptr; ++count) {
    Node node;
    if (count == kMostNodes || !read_node(at, node) || node.copy.l_prev != previous) return false;
    if (!take(node)) return false;
    previous = at;
    at = node.copy.l_next;
  }
  return true;
}

bool is_list_head(const link_map* head) {
  Node node;
  LoadedObject object;
  return read_node(head, node) && node.copy.l_prev == nullptr && node.copy.l_ld != nullptr &&
         describe_object(node, object);
}

template <typename Take>
bool walk_other_namespaces(const struct r_debug& debug, Take take) {
  if (loader_answers_without_lock()) {
    if (debug.r_version < kVersionWithNext) return true;
    const auto* extended = reinterpret_cast<const ExtendedDebug*>(&debug)->next;
    for (int i = 0; extended != nullptr && i < 64; ++i, extended = extended->next) {
      if (!is_at_rest(extended->base) || !walk_list(extended->base.r_map, take)) return false;
    }
    return true;
  }
  const uintptr_t* data = loader_data.load(std::memory_order_acquire);
  for (size_t i = 0; data != nullptr && i < kMostNamespaceWords && i < loader_data_words; ++i) {
    const auto* head = reinterpret_cast<const link_map*>(data[i]);
    if (head == debug.r_map || data[i] < kPageBytes || !is_list_head(head)) continue;
    if (!walk_list(head, take)) return false;
  }
  return true;
}

template <typename Take>
bool walk_lists(Take take) {
  if (find_debug() == nullptr) return false;
  const struct r_debug& debug = *find_debug();
  return is_at_rest(debug) && walk_list(debug.r_map, take) && walk_other_namespaces(debug, take) &&
         is_at_rest(debug);
}

std::atomic<const link_map*> last_node{nullptr};  // of the program's own list
std::atomic<uint64_t> last_look{0};               // in vain; 0: look at once

// Whether the lists are what the table was made of: nodes without an object in them are counted.
size_t node_count = 0;
uintptr_t node_hash = 0;

uintptr_t mix(uintptr_t hash, const Node& node) {
  for (const uintptr_t word :
       {reinterpret_cast<uintptr_t>(node.at), node.copy.l_addr,
        reinterpret_cast<uintptr_t>(node.copy.l_ld), reinterpret_cast<uintptr_t>(node.copy.l_name),
        reinterpret_cast<uintptr_t>(node.copy.l_next)}) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 32;
  }
  return hash;
}

bool collect(size_t& count, uintptr_t& hash, const link_map*& last) {
  count = 0;
  hash = 1;
  bool ended = false;
  return walk_lists([&](const Node& node) {
    ++count;
    if (!ended) last = node.at;
    ended = ended || node.copy.l_next == nullptr;
    hash = mix(hash, node);
    return true;
  });
}

// The new table's entries are written behind the old ones and moved when they are right.
bool rebuild(size_t old_count, size_t& new_count) {
  new_count = 0;
  size_t next = 0;  // most are where they were, but for those that went before them
  return walk_lists([&](const Node& node) {
    LoadedObject object{};
    bool known = false;
    for (size_t i = 0; i < old_count && !known; ++i) {
      if (next >= old_count) next = 0;
      object = entry_at(next++)->load();
      known = is_same_node(node, object);
    }
    // A node that no object is found for: none that has code, or none that stays.
    if (!known && !describe_object(node, object)) return true;
    if (!make_room(old_count + new_count + 1)) return false;
    entry_at(old_count + new_count++)->store(object);
    return true;
  });
}

}  // namespace

bool loader_answers_without_lock() { return _dl_find_object != nullptr; }

LoaderReading::LoaderReading() : held_(reading.exchange(1) == 0) {
  if (held_ && unloading.load() != 0) {
    reading.store(0);
    held_ = false;
  }
}

LoaderReading::~LoaderReading() {
  if (held_) reading.store(0);
}

UnloadingScope::UnloadingScope() {
  unloading.fetch_add(1);
  for (int i = 0; i < 100'000; ++i) {
    if (reading.load() == 0) return;
    sched_yield();
  }
  reading.store(0);
}

UnloadingScope::~UnloadingScope() { count_one_less(unloading); }

OpeningScope::OpeningScope() { opening.fetch_add(1); }
OpeningScope::~OpeningScope() { count_one_less(opening); }
bool library_is_opening() { return opening.load() != 0; }

bool can_read_loader_list() { return unloading.load() == 0 && reading.load() == 0; }

bool refresh_loader_list(const LoaderReading& held) {
  if (!held.held()) return false;
  const int saved_errno = errno;
  size_t count = 0, after_count = 0, new_count = 0;
  uintptr_t hash = 0, after_hash = 0;
  const link_map* last = nullptr;
  const size_t old_count = entry_count.load(std::memory_order_relaxed);
  bool current = collect(count, hash, last);
  if (current && (count != node_count || hash != node_hash)) {
    current = rebuild(old_count, new_count) && collect(after_count, after_hash, last) &&
              after_count == count && after_hash == hash;
    if (current) {
      version.fetch_add(1, std::memory_order_acq_rel);
      for (size_t i = 0; i < new_count; ++i) entry_at(i)->store(entry_at(old_count + i)->load());
      entry_count.store(new_count, std::memory_order_relaxed);
      node_count = count;
      node_hash = hash;
      last_node.store(last, std::memory_order_relaxed);
      version.fetch_add(1, std::memory_order_release);
      generation.fetch_add(1, std::memory_order_release);
    }
  }
  errno = saved_errno;
  return current;
}

uint32_t loader_list_generation() { return generation.load(std::memory_order_acquire); }

size_t loaded_object_count() { return entry_count.load(std::memory_order_relaxed); }

bool loaded_object_at(size_t index, LoadedObject& object) {
  const Entry* entry = entry_at(index);
  if (entry == nullptr) return false;
  object = entry->load();
  return true;
}

namespace {

bool look_up(uintptr_t address, LoadedObject& object) {
  constexpr int kMostTries = 100;
  for (int i = 0; i < kMostTries; ++i) {
    const uint32_t before = version.load(std::memory_order_acquire);
    bool found = false;
    const size_t count = entry_count.load(std::memory_order_relaxed);
    for (size_t at = 0; at < count && !found; ++at) {
      const Entry* entry = entry_at(at);
      if (entry == nullptr) break;
      object = entry->load();
      found = address >= object.start && address < object.end;
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (before % 2 == 0 && version.load(std::memory_order_relaxed) == before) return found;
  }
  return false;
}

bool is_still_loaded(const LoadedObject& object) {
  Node node;
  return read_node(object.link, node) && is_same_node(node, object) &&
         are_readable(reinterpret_cast<uintptr_t>(object.segments),
                      object.segment_count * sizeof(ElfW(Phdr)));
}

uint64_t coarse_clock_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Code made at run time is in no list, and asked for again and again.
bool may_have_changed() {
  constexpr uint64_t kLookAgainNs = 1'000'000'000;
  // What comes, comes at the end of the program's list.
  const link_map* last = last_node.load(std::memory_order_relaxed);
  Node node;
  if (last == nullptr || !read_node(last, node) || node.copy.l_next != nullptr) return true;
  const uint64_t now = coarse_clock_ns();
  if (now - last_look.load(std::memory_order_relaxed) < kLookAgainNs) return false;
  last_look.store(now, std::memory_order_relaxed);
  return true;
}

void visit_all(bool (*visit)(const LoadedObject& object, void* argument), void* argument) {
  const size_t count = loaded_object_count();
  for (size_t i = 0; i < count; ++i) {
    LoadedObject object;
    if (loaded_object_at(i, object) && is_still_loaded(object) && visit(object, argument)) return;
  }
}

}  // namespace

void for_each_loaded_object(bool (*visit)(const LoadedObject& object, void* argument),
                            void* argument) {
  // Threads that open and close libraries all the time leave few moments between, and an object may
  // go while it is read outside them. Only a thread that is closing one itself never gets there.
  constexpr int kMostTries = 2000;
  for (int i = 0; i < kMostTries; ++i) {
    const LoaderReading held;
    if (held.held()) {
      refresh_loader_list(held);
      return visit_all(visit, argument);
    }
    sched_yield();
  }
  visit_all(visit, argument);
}

bool is_listed(const link_map* link) {
  const size_t count = entry_count.load(std::memory_order_acquire);
  for (size_t i = 0; i < count; ++i) {
    const Entry* entry = entry_at(i);
    if (entry != nullptr && entry->load().link == link) return true;
  }
  return false;
}

bool find_loaded_object(uintptr_t address, LoadedObject& object) {
  const bool known = look_up(address, object);
  if (known && is_still_loaded(object)) return true;
  if (!known && !may_have_changed()) return false;
  {
    const LoaderReading held;
    refresh_loader_list(held);
  }
  return look_up(address, object) && is_still_loaded(object);
}

namespace {

struct Stopped {
  void (*act)(void* argument);
  void* argument;
};

}  // namespace

void with_loader_stopped(void (*act)(void* argument), void* argument) {
  Stopped stop{act, argument};
  // It holds the lock around the call for each object; the first is enough.
  dl_iterate_phdr(
      [](dl_phdr_info*, size_t, void* given) {
        const auto& wanted = *static_cast<Stopped*>(given);
        wanted.act(wanted.argument);
        return 1;
      },
      &stop);
}

void expect_loader_change() { last_look.store(0, std::memory_order_relaxed); }

void expect_namespaces() {
  if (loader_answers_without_lock() || loader_data.load(std::memory_order_relaxed) != nullptr) {
    return;
  }
  const auto find_in = [](const LoadedObject& object, void*) {
    const SymbolTable table(object.dynamic, object.load_bias);
    const ElfW(Sym)* symbol = table.find(SymbolName("_rtld_global"));
    if (symbol == nullptr) return false;
    loader_data_words = symbol->st_size / sizeof(uintptr_t);
    loader_data.store(reinterpret_cast<const uintptr_t*>(object.load_bias + symbol->st_value),
                      std::memory_order_release);
    return true;
  };
  for_each_loaded_object(find_in, nullptr);
}

void hold_loader_readings() {
  // First: who holds forks up may wait for a reading.
  begin_fork();
  // Bounded: a reading that was left for good (a signal handler jumped out of it) must not stop a
  // fork.
  for (int i = 0; i < 1000 && reading.exchange(1) != 0; ++i) sched_yield();
}

void release_loader_readings() {
  reading.store(0);
  end_fork();
}

void inherit_loader_list() {
  // Whoever read, opened or unloaded is no thread of this process.
  reading.store(0);
  unloading.store(0);
  opening.store(0);
  forget_forks_of_parent();
  if (find_debug() != nullptr) resting_state = state_of(*find_debug());
  if (version.load(std::memory_order_relaxed) % 2 != 0) {
    // Half written: made anew.
    entry_count.store(0, std::memory_order_relaxed);
    node_count = 0;
    last_node.store(nullptr, std::memory_order_relaxed);
    version.fetch_add(1, std::memory_order_release);
  }
}

namespace {
std::atomic<void (*)(const link_map*)> look_at_met_object{nullptr};
}  // namespace

void at_object_met(void (*look)(const link_map* link)) {
  look_at_met_object.store(look, std::memory_order_relaxed);
}

void object_is_met(const link_map* link) {
  if (auto* look = look_at_met_object.load(std::memory_order_relaxed)) look(link);
}

}  // namespace memlens::interposer
