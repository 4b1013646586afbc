#include "interposer/definitions/definitions.h"

#include <cstring>

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xxhash.h>

#include "interposer/definitions/node_table.h"
#include "interposer/guest/private_memory.h"
#include "interposer/platform/clock.h"
#include "interposer/platform/thread_calls.h"
#include "interposer/session/metadata_writer.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

using format::MetadataType;

constexpr size_t kStringPartBytes = 12 * 1024;

// A string in its parts.
size_t record_bytes(size_t string_bytes) {
  return string_bytes + (string_bytes / kStringPartBytes + 1) * 64;
}

// Content known by a 128-bit hash instead of a copy: what was defined need not be kept here.
class ContentTable {
 public:
  uint32_t find(XXH128_hash_t hash) const {
    if (capacity_ == 0) return 0;
    for (uint32_t slot = slot_of(hash);; slot = (slot + 1) & (capacity_ - 1)) {
      const Entry& entry = entries_[slot];
      if (entry.id == 0) return 0;
      if (entry.hash.low64 == hash.low64 && entry.hash.high64 == hash.high64) return entry.id;
    }
  }

  // Room for one more, or false.
  bool reserve() {
    if (capacity_ != 0 && (count_ + 1) * 4 <= capacity_ * 3) return true;
    const uint32_t larger = capacity_ == 0 ? 512 : capacity_ * 2;
    auto* entries = static_cast<Entry*>(map_pages(sizeof(Entry) * larger));
    if (entries == nullptr) return false;
    Entry* old_entries = entries_;
    const uint32_t old_capacity = capacity_;
    entries_ = entries;
    capacity_ = larger;
    for (uint32_t i = 0; i < old_capacity; ++i) {
      if (old_entries[i].id != 0) place(old_entries[i].hash, old_entries[i].id);
    }
    if (old_entries != nullptr) unmap_pages(old_entries, sizeof(Entry) * old_capacity);
    return true;
  }

  uint32_t next_id() const { return count_ + 1; }

  void insert(XXH128_hash_t hash) { place(hash, ++count_); }

  // Its pages are given back; it is as large as before.
  void empty() {
    if (count_ != 0) clear_pages(entries_, sizeof(Entry) * capacity_);
    count_ = 0;
  }

 private:
  struct Entry {
    XXH128_hash_t hash;
    uint32_t id;
  };

  uint32_t slot_of(XXH128_hash_t hash) const {
    return static_cast<uint32_t>(hash.low64) & (capacity_ - 1);
  }
  void place(XXH128_hash_t hash, uint32_t id) {
    uint32_t slot = slot_of(hash);
    while (entries_[slot].id != 0) slot = (slot + 1) & (capacity_ - 1);
    entries_[slot] = {hash, id};
  }

  Entry* entries_ = nullptr;
  uint32_t capacity_ = 0;
  uint32_t count_ = 0;
};

ContentTable strings;
ContentTable codes;
uint32_t module_count = 0;

// The last node record.
struct {
  uint32_t node;
  uint32_t chunk;
} last_node_record;

constexpr uint64_t kMaxStringBytes = 16 << 20;  // a line table of a giant generated function
constexpr uint32_t kMaxContents = 1u << 22;     // distinct strings, and distinct code objects

uint32_t define_string_locked(const char* bytes, size_t size_bytes) {
  if (size_bytes > kMaxStringBytes) size_bytes = kMaxStringBytes;
  const XXH128_hash_t hash = XXH3_128bits(bytes, size_bytes);
  if (const uint32_t known = strings.find(hash)) return known;
  if (strings.next_id() >= kMaxContents || !strings.reserve()) return 0;
  const uint32_t id = strings.next_id();
  size_t offset = 0;
  do {
    const size_t part =
        size_bytes - offset < kStringPartBytes ? size_bytes - offset : kStringPartBytes;
    RecordBody body;
    body.number(id).number(size_bytes).number(offset).string(bytes + offset, part);
    if (!write_record_locked(MetadataType::kString, body)) return 0;
    offset += part;
  } while (offset < size_bytes);
  strings.insert(hash);
  return id;
}

uint32_t intern_label_locked(uint32_t parent, const char* label) {
  const size_t length = std::strlen(label);
  const uint32_t string_id = define_string_locked(label, length);
  const NodeKey key{parent, NodeType::kLabel, string_id};
  if (const uint32_t known = node_table::find(key)) return known;
  const uint32_t node = node_table::newest() + 1;
  RecordBody body;
  body.number(node).number(parent).string(label, length);
  if (!write_record_locked(MetadataType::kLabelNode, body)) return format::kRootNode;
  last_node_record = {node, metadata_chunk_locked()};
  return node_table::insert_locked(key) ? node : format::kRootNode;
}

constexpr uint32_t kReservedNodes = 16;  // for the label below, when the table is full

uint32_t table_full_locked() {
  static bool reported = false;
  if (!reported) {
    reported = true;
    RecordBody body;
    static constexpr char kText[] =
        "more distinct stacks than can be told apart; the rest is shown under one frame";
    body.number(static_cast<uint64_t>(format::DiagnosticCode::kTableFull))
        .string(kText, sizeof kText - 1);
    write_record_locked(MetadataType::kDiagnostic, body);
  }
  return intern_label_locked(format::kRootNode, "[stack table full]");
}

struct NodeRecordTypes {
  MetadataType any;
  MetadataType next;  // the id is left out; the same: there is none
};
constexpr NodeRecordTypes kPythonNodes{MetadataType::kPythonNode, MetadataType::kNextPythonNode};
constexpr NodeRecordTypes kNativeNodes{MetadataType::kNativeNode, MetadataType::kNextNativeNode};
constexpr NodeRecordTypes kTaskNodes{MetadataType::kTaskNode, MetadataType::kTaskNode};

bool write_node_locked(const NodeKey& key, uint32_t node, const NodeRecordTypes& types) {
  constexpr size_t kMaxBodyBytes = 4 * format::kMaxVarintBytes;
  if (!make_record_room_locked(kMaxBodyBytes)) return false;
  // Ids count up, but for a node whose record was written and that then found no memory.
  const bool next = types.next != types.any && node == last_node_record.node + 1 &&
                    metadata_chunk_locked() == last_node_record.chunk;
  RecordBody body;
  if (next) {
    body.number(node - key.parent);
  } else {
    body.number(node).number(key.parent);
  }
  if (key.type != NodeType::kNative) {
    body.number(key.value >> 32).number(static_cast<uint32_t>(key.value));
  } else {
    body.number(key.value);
  }
  if (!write_record_locked(next ? types.next : types.any, body)) return false;
  // A task's record is skipped by readers from before there were any: the one after it has its id.
  if (key.type != NodeType::kTask) last_node_record = {node, metadata_chunk_locked()};
  return true;
}

uint32_t intern(const NodeKey& key, const NodeRecordTypes& types) {
  const uint32_t newest = node_table::newest();
  if (const uint32_t known = node_table::find(key)) return known;
  if (!session_is_open()) return format::kRootNode;
  RecordsGuard guard(kPlainRecordBytes);
  if (!guard) return format::kRootNode;
  if (node_table::newest() != newest) {
    if (const uint32_t known = node_table::find(key)) return known;
  }
  const uint32_t node = node_table::newest() + 1;
  if (node >= kMaxNodes - kReservedNodes) return table_full_locked();
  if (!write_node_locked(key, node, types)) return format::kRootNode;
  return node_table::insert_locked(key) ? node : table_full_locked();
}

}  // namespace

uint32_t define_string(const char* bytes, size_t size_bytes) {
  if (!session_is_open()) return 0;
  RecordsGuard guard(record_bytes(size_bytes));
  return guard ? define_string_locked(bytes, size_bytes) : 0;
}

uint32_t define_code(const CodeDescription& code) {
  if (!session_is_open()) return 0;
  RecordsGuard guard(kPlainRecordBytes + record_bytes(code.filename_bytes) +
                     record_bytes(code.qualified_name_bytes) + record_bytes(code.line_table_bytes));
  if (!guard) return 0;
  struct {
    uint32_t filename, qualified_name, line_table, first_line, format;
  } content;
  std::memset(&content, 0, sizeof content);
  content.filename = define_string_locked(code.filename, code.filename_bytes);
  content.qualified_name = define_string_locked(code.qualified_name, code.qualified_name_bytes);
  content.line_table = define_string_locked(code.line_table, code.line_table_bytes);
  content.first_line = code.first_line;
  content.format = static_cast<uint32_t>(code.line_table_format);
  const XXH128_hash_t hash = XXH3_128bits(&content, sizeof content);
  if (const uint32_t known = codes.find(hash)) return known;
  if (codes.next_id() >= kMaxContents || !codes.reserve()) return 0;
  const uint32_t id = codes.next_id();
  RecordBody body;
  body.number(id)
      .number(content.filename)
      .number(content.qualified_name)
      .number(content.first_line)
      .number(content.line_table)
      .number(content.format);
  if (!write_record_locked(MetadataType::kCode, body)) return 0;
  codes.insert(hash);
  return id;
}

uint32_t intern_python_node(uint32_t parent, uint32_t code_id, uint32_t offset_plus_1) {
  const NodeKey key{parent, NodeType::kPython,
                    static_cast<uint64_t>(code_id) << 32 | offset_plus_1};
  return intern(key, kPythonNodes);
}

uint32_t intern_native_node(uint32_t parent, uint64_t address) {
  return intern({parent, NodeType::kNative, address}, kNativeNodes);
}

uint32_t intern_task_node(uint32_t parent, uint32_t code_id, uint32_t name) {
  const NodeKey key{parent, NodeType::kTask, static_cast<uint64_t>(code_id) << 32 | name};
  return intern(key, kTaskNodes);
}

uint32_t intern_label_node(uint32_t parent, const char* label) {
  if (!session_is_open()) return format::kRootNode;
  RecordsGuard guard(kPlainRecordBytes + 2 * std::strlen(label));
  return guard ? intern_label_locked(parent, label) : format::kRootNode;
}

uint32_t define_module(uint64_t load_bias, uint64_t start, uint64_t end, const char* path,
                       const void* build_id, size_t build_id_bytes) {
  if (!session_is_open()) return 0;
  RecordsGuard guard(kPlainRecordBytes + std::strlen(path) + build_id_bytes);
  if (!guard) return 0;
  const uint32_t id = module_count + 1;
  RecordBody body;
  body.number(id).number(load_bias).number(start).number(end).number(platform::read_ticks());
  body.string(path, std::strlen(path)).string(build_id, build_id_bytes);
  if (!write_record_locked(MetadataType::kModule, body)) return 0;
  return module_count = id;
}

void define_module_end(uint32_t module_id) {
  RecordBody body;
  body.number(module_id).number(platform::read_ticks());
  write_definition(MetadataType::kModuleEnd, body);
}

void define_python(uint32_t minor, uint32_t hexversion, const char* version, const char* how) {
  RecordBody body;
  body.number(minor).number(hexversion).string(version, std::strlen(version));
  body.string(how, std::strlen(how));
  write_definition(MetadataType::kPython, body);
}

void define_heap(uint32_t heap_id, format::HeapFamily family, const char* name) {
  constexpr uint64_t kOwnAddressSpace = 0;
  RecordBody body;
  body.number(heap_id).number(static_cast<uint64_t>(family)).number(kOwnAddressSpace);
  body.string(name, std::strlen(name));
  write_definition(MetadataType::kHeap, body);
}

void define_heap_function(format::AllocationKind kind, uint32_t heap_id, const char* name) {
  RecordBody body;
  body.number(static_cast<uint64_t>(kind)).number(heap_id).string(name, std::strlen(name));
  write_definition(MetadataType::kHeapFunction, body);
}

void define_diagnostic(format::DiagnosticCode code, const char* text) {
  RecordBody body;
  body.number(static_cast<uint64_t>(code)).string(text, std::strlen(text));
  write_definition(MetadataType::kDiagnostic, body);
}

void define_mark(uint32_t thread_index, const char* name, size_t name_bytes) {
  RecordBody body;
  body.number(thread_index).number(platform::read_ticks()).string(name, name_bytes);
  write_definition(MetadataType::kMark, body);
}

void define_profiled_function(const char* file, const char* name, uint32_t first_line,
                              uint32_t line_count) {
  constexpr size_t kMaxProfiledBytes = 4096;
  RecordBody body;
  body.string(file, strnlen(file, kMaxProfiledBytes))
      .string(name, strnlen(name, kMaxProfiledBytes));
  body.number(first_line).number(line_count);
  write_definition(MetadataType::kProfiledFunction, body);
}

void define_thread(uint32_t thread_index, int32_t thread_id) {
  char name[system_call::kThreadNameBytes] = {};
  system_call::read_thread_name(name);
  define_thread_name(thread_index, thread_id, name);
}

void define_thread_name(uint32_t thread_index, int32_t thread_id, const char* name) {
  RecordBody body;
  body.number(thread_index).number(static_cast<uint64_t>(thread_id));
  body.number(platform::read_ticks()).string(name, std::strlen(name));
  write_definition(MetadataType::kThread, body);
}

void define_thread_end(uint32_t thread_index) {
  RecordBody body;
  body.number(thread_index).number(platform::read_ticks());
  write_definition(MetadataType::kThreadEnd, body);
}

void drop_definitions() {
  strings.empty();
  codes.empty();
  module_count = 0;
  last_node_record = {};
  node_table::drop();
  drop_records();
}

}  // namespace memlens::interposer
