#include "interposer/python/running_task.h"

#include <cstring>
#include <string_view>

#include <xxhash.h>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/private_lock.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/python/runtime.h"
#include "interposer/python/text.h"

namespace memlens::interposer::python {

std::atomic<bool> asyncio_seen{false};

namespace {

using namespace std::string_view_literals;

// ---- objects

constexpr size_t kPointerBytes = sizeof(uintptr_t);
// A task has less than this; what is larger is none.
constexpr size_t kMaxTaskBytes = 512;

template <typename Field>
Field field(const void* object, int16_t offset) {
  return read_field<Field>(object, static_cast<size_t>(offset));
}

bool can_be_object(const char* address) {
  return address != nullptr && (reinterpret_cast<uintptr_t>(address) & (kPointerBytes - 1)) == 0;
}

// Where an object's own fields begin.
int16_t head_bytes() { return runtime.layout.objects.count; }

const char* type_of(const char* object) {
  return field<const char*>(object, runtime.layout.objects.type);
}

std::string_view name_of_type(const char* type) {
  const auto* name = field<const char*>(
      type, static_cast<int16_t>(head_bytes() + static_cast<int16_t>(kPointerBytes)));
  return name == nullptr ? ""sv : std::string_view(name);
}

std::string_view type_name(const char* object) { return name_of_type(type_of(object)); }

size_t bytes_of(const char* object) {
  return static_cast<size_t>(
      field<int64_t>(type_of(object), runtime.layout.objects.type_basic_size));
}

// ---- tasks

// Of the field of a task that is its coroutine; 0: not known yet.
std::atomic<uint32_t> coroutine_field{0};

std::atomic<const char*> task_type{nullptr};  // asyncio's own; nullptr: not met

bool is_task(const char* object) {
  constexpr int kMaxBases = 16;
  const char* type = type_of(object);
  if (type == task_type.load(std::memory_order_relaxed)) return type != nullptr;
  for (int i = 0; i < kMaxBases && can_be_object(type); ++i) {
    if (name_of_type(type) == "_asyncio.Task"sv) {
      task_type.store(type, std::memory_order_relaxed);
      return true;
    }
    type = field<const char*>(type, runtime.layout.objects.type_base);
  }
  return false;
}

bool runs(const char* task, const char* coroutine) {
  if (!can_be_object(task) || !is_task(task)) return false;
  const size_t bytes = bytes_of(task);
  if (bytes > kMaxTaskBytes) return false;
  const uint32_t known = coroutine_field.load(std::memory_order_relaxed);
  if (known != 0) {
    return known + 2 * kPointerBytes <= bytes && read_field<const char*>(task, known) == coroutine;
  }
  for (size_t offset = static_cast<size_t>(head_bytes()); offset + 2 * kPointerBytes <= bytes;
       offset += kPointerBytes) {
    if (read_field<const char*>(task, offset) != coroutine) continue;
    coroutine_field.store(static_cast<uint32_t>(offset), std::memory_order_relaxed);
    return true;
  }
  return false;
}

RunningTask described(const char* task) {
  const auto name_field =
      static_cast<int16_t>(coroutine_field.load(std::memory_order_relaxed) + kPointerBytes);
  RunningTask described;
  described.object = task;
  described.name_object = field<uintptr_t>(task, name_field);
  described.name_in_task = name_field;
  return described;
}

// ---- where the thread does not say: by the handle

std::atomic<uint32_t> handle_run_code{0};  // the id of asyncio's Handle._run; 0: not met

// Where in a callback its task is, by the callback's kind; 0: it is none of a task's.
int16_t task_in(const char* callback) {
  const std::string_view type = type_name(callback);
  if (type.ends_with("TaskStepMethWrapper"sv) || type.ends_with("TaskWakeupMethWrapper"sv)) {
    return head_bytes();
  }
  // The method `wakeup`, bound to the task.
  if (type == "builtin_function_or_method"sv) {
    return static_cast<int16_t>(head_bytes() + static_cast<int16_t>(kPointerBytes));
  }
  return 0;
}

bool is_handle(const char* object) {
  if (!can_be_object(object) || !can_be_object(type_of(object))) return false;
  const std::string_view type = type_name(object);
  return (type == "Handle"sv || type == "TimerHandle"sv) &&
         bytes_of(object) >= static_cast<size_t>(head_bytes()) + 2 * kPointerBytes;
}

RunningTask find_by_handle(const char* coroutine, const char* handle_frame) {
  const char* const handle = handle_of(runtime.layout, handle_frame);
  if (!is_handle(handle)) return {};
  const char* const callback = callback_of(runtime.layout, handle);
  if (!can_be_object(callback) || !can_be_object(type_of(callback))) return {};
  const int16_t place = task_in(callback);
  if (place == 0) return {};
  const auto* task = field<const char*>(callback, place);
  if (!runs(task, coroutine)) return {};
  RunningTask found = described(task);
  found.handle_frame = handle_frame;
  found.handle = handle;
  found.callback = callback;
  found.task_in_callback = place;
  return found;
}

// ---- names

// Somebody's server names a task a request: so many names are told apart, and no more.
constexpr uint32_t kMaxNames = 1000;
constexpr size_t kMaxNameBytes = 128;
constexpr size_t kNameSlots = 4096;

// Names by their hash, read without a lock: entries come and never go while a session lasts.
struct NameEntry {
  std::atomic<uint64_t> hash;  // 0: free; written last
  std::atomic<uint32_t> id;
};
NameEntry names[kNameSlots];
uint32_t name_count = 0;
std::atomic<bool> told{false};  // of names beyond the limit
PrivateLock names_lock;

NameEntry& entry_of(uint64_t hash) {
  size_t slot = hash % kNameSlots;
  for (;; slot = (slot + 1) % kNameSlots) {
    const uint64_t there = names[slot].hash.load(std::memory_order_acquire);
    if (there == hash || there == 0) return names[slot];
  }
}

void tell_of_many_names() {
  define_diagnostic(format::DiagnosticCode::kTableFull,
                    "more than 1,000 names of tasks; tasks with further ones are shown by their "
                    "coroutine's name alone");
}

uint32_t add_name(uint64_t hash, std::string_view name) {
  // Outside the lock: defining may have to wait. Content decides, so two threads get the same id.
  const uint32_t id = define_string(name.data(), name.size());
  if (id == 0 || !names_lock.lock(&hook_frame)) return 0;
  NameEntry& entry = entry_of(hash);
  const bool is_new = entry.hash.load(std::memory_order_relaxed) == 0;
  const bool room = name_count < kMaxNames;
  if (is_new && room) {
    entry.id.store(id, std::memory_order_relaxed);
    entry.hash.store(hash, std::memory_order_release);
    ++name_count;
  }
  names_lock.unlock();
  return is_new && !room ? 0 : id;
}

// As asyncio names a task that nobody named: "Task-7".
bool is_default_name(std::string_view name) {
  constexpr std::string_view kPrefix = "Task-";
  if (!name.starts_with(kPrefix) || name.size() == kPrefix.size()) return false;
  name.remove_prefix(kPrefix.size());
  return name.find_first_not_of("0123456789") == std::string_view::npos;
}

std::atomic<void (*)()> when_seen{nullptr};

}  // namespace

RunningTask find_in_thread(const char* coroutine, const void* thread_state) {
  const char* const task = task_of_thread(runtime.layout, thread_state);
  return runs(task, coroutine) ? described(task) : RunningTask{};
}

RunningTask find_in_handle(const char* coroutine, const char* caller, uint32_t caller_code) {
  const uint32_t handle_run = handle_run_code.load(std::memory_order_relaxed);
  if (handle_run == 0 || caller_code != handle_run) return {};
  return find_by_handle(coroutine, caller);
}

uint32_t name_of(const RunningTask& task) {
  char buffer[kMaxNameBytes];
  const auto* object = reinterpret_cast<const char*>(task.name_object);
  // A number until somebody asks for the name, from 3.12 on.
  const Text text = read_text(runtime.layout, object, buffer, sizeof buffer);
  std::string_view name(text.data, text.bytes);
  if (name.size() > kMaxNameBytes) {
    size_t bytes = kMaxNameBytes;
    while (bytes > 0 && (name[bytes] & 0xc0) == 0x80) --bytes;  // not in the middle of a character
    name.remove_suffix(name.size() - bytes);
  }
  if (name.empty() || is_default_name(name)) return 0;
  const uint64_t hash = XXH3_64bits(name.data(), name.size()) | 1;
  const NameEntry& known = entry_of(hash);
  if (known.hash.load(std::memory_order_relaxed) == hash) {
    return known.id.load(std::memory_order_relaxed);
  }
  if (name_count >= kMaxNames) {
    if (!told.exchange(true)) tell_of_many_names();
    return 0;
  }
  return add_name(hash, name);
}

void met_code(uint32_t code_id, const char* filename, size_t filename_bytes, const char* name,
              size_t name_bytes) {
  const std::string_view file(filename, filename_bytes);
  if (file.find("/asyncio/"sv) == std::string_view::npos) return;
  const std::string_view function(name, name_bytes);
  if (file.ends_with("/asyncio/events.py"sv) &&
      (function == "Handle._run"sv || function == "_run"sv)) {
    handle_run_code.store(code_id, std::memory_order_relaxed);
  }
  if (asyncio_seen.exchange(true)) return;
  if (void (*const seen)() = when_seen.load()) seen();
}

void watch_asyncio(void (*seen)()) { when_seen.store(seen); }

void forget_tasks() {
  names_lock.reset();
  if (name_count != 0) {  // a forked child is not to touch pages for nothing
    for (NameEntry& entry : names) entry.hash.store(0, std::memory_order_relaxed);
  }
  name_count = 0;
  told.store(false, std::memory_order_relaxed);
  handle_run_code.store(0, std::memory_order_relaxed);
}

}  // namespace memlens::interposer::python
