#include "interposer/python/code_table.h"

#include <atomic>
#include <cstring>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/private_lock.h"
#include "interposer/guest/private_memory.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/python/running_task.h"
#include "interposer/python/runtime.h"
#include "interposer/python/text.h"
#include "interposer/session/process.h"

namespace memlens::interposer::python {

std::atomic<uint32_t> code_generation{1};

namespace {

// Open addressing with linear probing; erasing closes the gap, so there are no tombstones and a
// program that evaluates strings all day keeps a small table.
struct Entry {
  uintptr_t code;  // 0: empty
  uint32_t id;
};

PrivateLock table_lock;
Entry* entries = nullptr;
size_t capacity = 0;  // a power of two
size_t used = 0;

constexpr size_t kInitialCapacity = 4096;

// Set when an address could not be erased for want of the lock: the whole table goes instead.
std::atomic<bool> stale{false};

// Longer names are cut: somebody's generated code must not fill the capture with names. What is not
// ASCII is encoded on the program's stack, so it is cut sooner.
constexpr size_t kMaxNameBytes = 4096;
constexpr size_t kMaxEncodedNameBytes = 1024;

size_t home_of(uintptr_t code) {
  return static_cast<size_t>((code >> 4) * 0x9E3779B97F4A7C15ull >> 20) & (capacity - 1);
}

Entry* find_locked(uintptr_t code) {
  if (capacity == 0) return nullptr;
  size_t i = home_of(code);
  while (entries[i].code != 0 && entries[i].code != code) i = (i + 1) & (capacity - 1);
  return &entries[i];
}

bool grow_locked() {
  const size_t old_capacity = capacity;
  Entry* old_entries = entries;
  const size_t new_capacity = old_capacity == 0 ? kInitialCapacity : old_capacity * 2;
  auto* fresh = static_cast<Entry*>(map_pages(new_capacity * sizeof(Entry)));
  if (fresh == nullptr) return false;
  entries = fresh;
  capacity = new_capacity;
  for (size_t i = 0; i < old_capacity; ++i) {
    if (old_entries[i].code != 0) *find_locked(old_entries[i].code) = old_entries[i];
  }
  if (old_entries != nullptr) unmap_pages(old_entries, old_capacity * sizeof(Entry));
  return true;
}

void insert_locked(uintptr_t code, uint32_t id) {
  // Without memory for it the code object stays unknown and is defined again next time.
  if (used * 4 >= capacity * 3 && !grow_locked()) return;
  Entry* entry = find_locked(code);
  if (entry->code == 0) ++used;
  *entry = {code, id};
}

void erase_locked(Entry* entry) {
  size_t hole = static_cast<size_t>(entry - entries);
  for (size_t i = (hole + 1) & (capacity - 1); entries[i].code != 0; i = (i + 1) & (capacity - 1)) {
    // Moves up whatever could no longer be reached across the hole.
    const size_t distance_from_home = (i - home_of(entries[i].code)) & (capacity - 1);
    if (distance_from_home >= ((i - hole) & (capacity - 1))) {
      entries[hole] = entries[i];
      hole = i;
    }
  }
  entries[hole] = {};
  --used;
}

void clear_locked() {
  if (used != 0) clear_pages(entries, capacity * sizeof(Entry));
  used = 0;
}

class Locked {
 public:
  Locked() : held_(table_lock.lock(&hook_frame)) {}
  ~Locked() {
    if (held_) table_lock.unlock();
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  explicit operator bool() const { return held_; }

 private:
  bool held_;
};

Text shortened(Text text) {
  if (text.bytes > kMaxNameBytes) {
    text.bytes = kMaxNameBytes;
    // Not in the middle of a character.
    while (text.bytes > 0 && (text.data[text.bytes] & 0xc0) == 0x80) --text.bytes;
  }
  return text;
}

// From 3.12 on a specialised call of a class puts a frame between the caller and __init__, which
// checks what that returns. Its code is a static object of the interpreter's whose name, and whose
// file, is the one string "__init__".
bool is_init_check(const void* filename_object, const void* name_object, Text name) {
  constexpr char kName[] = "__init__";
  return filename_object == name_object && name.bytes == sizeof kName - 1 &&
         std::memcmp(name.data, kName, sizeof kName - 1) == 0;
}

uint32_t describe(const char* code) {
  const Layout& layout = runtime.layout;
  char filename_buffer[kMaxEncodedNameBytes];
  char name_buffer[kMaxEncodedNameBytes];
  const auto object_at = [code](int16_t offset) {
    return read_field<const void*>(code, static_cast<size_t>(offset));
  };
  const Text filename = shortened(
      read_text(layout, object_at(layout.code_filename), filename_buffer, sizeof filename_buffer));
  const int16_t name_offset =
      layout.code_qualified_name == kAbsent ? layout.code_name : layout.code_qualified_name;
  const Text name =
      shortened(read_text(layout, object_at(name_offset), name_buffer, sizeof name_buffer));
  if (is_init_check(object_at(layout.code_filename), object_at(layout.code_name), name)) {
    return kHiddenCode;
  }
  // An empty table is one: all of the code is on its first line.
  const void* line_table_object = object_at(layout.code_line_table);
  const Text line_table = read_bytes(layout, line_table_object);
  const auto first_line = read_field<int32_t>(code, static_cast<size_t>(layout.code_first_line));
  const uint32_t id = define_code(
      {.filename = filename.data,
       .filename_bytes = filename.bytes,
       .qualified_name = name.data,
       .qualified_name_bytes = name.bytes,
       .first_line = first_line < 0 ? 0u : static_cast<uint32_t>(first_line),
       .line_table = line_table.data,
       .line_table_bytes = line_table.bytes,
       .line_table_format = is_bytes(layout, line_table_object) ? layout.line_table_format
                                                                : format::LineTableFormat::kNone});
  if (id != 0) met_code(id, filename.data, filename.bytes, name.data, name.bytes);
  return id;
}

void forget(uintptr_t code) {
  Locked locked;
  if (!locked) {
    // Better to define everything again than to name a frame by another's name.
    stale.store(true, std::memory_order_release);
    code_generation.fetch_add(1, std::memory_order_release);
    return;
  }
  Entry* entry = find_locked(code);
  if (entry == nullptr || entry->code == 0) return;
  erase_locked(entry);
  code_generation.fetch_add(1, std::memory_order_release);
}

using Dealloc = void (*)(void* object);
Dealloc original_dealloc = nullptr;
bool (*is_executing)(const void* code) = nullptr;

void forget_dying(void* code) {
  HookScope scope;  // a signal handler that came now would find the table's lock taken
  const SessionStay stay;
  if (stay) forget(reinterpret_cast<uintptr_t>(code));
}

void dealloc_code(void* code) {
  if (runtime.layout.free_threaded) {
    // Before, not after: as soon as it is freed, another thread may be given the address for a code
    // object of its own, and run it. Here no thread runs the dying one any more, whose references
    // to it would have kept it alive.
    forget_dying(code);
    original_dealloc(code);
    return;
  }
  // 3.11 clears a frame, and with it its last reference to the code, while the frame is still the
  // innermost one. Callbacks of weak references may allocate then, when the code object's names
  // are gone already: it has to be known before.
  if (is_executing(code)) {
    HookScope scope(InnerCalls::kExpected);
    const SessionStay stay;
    if (stay) code_id_of(code);
  }
  original_dealloc(code);
  // After, not before: see above. No other object can have got the address yet, since the
  // GIL under which it was freed is still held.
  forget_dying(code);
}

}  // namespace

uint32_t code_id_of(const void* code) {
  const auto address = reinterpret_cast<uintptr_t>(code);
  {
    Locked locked;
    if (locked) {
      if (stale.exchange(false, std::memory_order_acquire)) clear_locked();
      const Entry* entry = find_locked(address);
      if (entry != nullptr && entry->code != 0) return entry->id;
    }
  }
  // Outside the lock: defining may have to wait for the collector. Two threads may both define it;
  // content decides, so they get the same id.
  const uint32_t id = describe(static_cast<const char*>(code));
  if (id == 0) return 0;
  Locked locked;
  if (locked) insert_locked(address, id);
  return id;
}

void watch_code_objects(char* code_type, bool (*executing)(const void* code)) {
  is_executing = executing;
  const auto offset = static_cast<size_t>(runtime.layout.objects.type_dealloc);
  const auto current = read_field<Dealloc>(code_type, offset);
  if (current == dealloc_code) return;
  original_dealloc = current;
  std::atomic_ref(*reinterpret_cast<Dealloc*>(code_type + offset))
      .store(dealloc_code, std::memory_order_release);
}

void forget_code_objects() {
  table_lock.reset();
  clear_locked();
  forget_tasks();
  code_generation.fetch_add(1, std::memory_order_release);
}

uint32_t known_code_objects() {
  Locked locked;
  return locked ? static_cast<uint32_t>(used) : 0;
}

}  // namespace memlens::interposer::python
