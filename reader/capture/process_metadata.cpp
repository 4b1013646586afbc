#include "reader/capture/process_metadata.h"

namespace memlens::reader {

using format::MetadataType;

namespace {

// What a record takes of memory beside its strings, with what tables keep in reserve.
uint64_t cost_of(MetadataType type) {
  switch (type) {
    case MetadataType::kPythonNode:
    case MetadataType::kNativeNode:
    case MetadataType::kNextPythonNode:
    case MetadataType::kNextNativeNode:
    case MetadataType::kTaskNode:
      return 2 * sizeof(Node);
    case MetadataType::kThread:
    case MetadataType::kThreadEnd:
      return 2 * sizeof(ThreadRecord) + 64;
    default:
      return 96;
  }
}

// The system's number of a thread or process. Where asking for it was refused (seccomp), -1 was
// written: not known.
int32_t read_kernel_id(ByteView& body) {
  const uint64_t value = body.read_varint();
  if (value == UINT64_MAX || value == UINT32_MAX) return 0;
  if (value > INT32_MAX) throw PayloadError("an impossible process or thread id");
  return static_cast<int32_t>(value);
}

}  // namespace

void ProcessMetadata::add_payload(ByteView payload, StringPool& pool, MemoryBudget& budget,
                                  const std::function<void(const char* reason)>& left_out) {
  while (!payload.empty()) {
    auto type = MetadataType{};
    std::string_view body;
    try {
      type = static_cast<MetadataType>(payload.read_byte());
      body = payload.read_string();
    } catch (const PayloadError& error) {  // and where the next record begins is not known
      nodes.lose_place();
      left_out(error.what());
      return;
    }
    budget.spend(cost_of(type) + body.size());
    try {
      add_record(type, ByteView(body), pool);
    } catch (const PayloadError& error) {
      pass_damage(type);
      left_out(error.what());
    }
  }
}

void ProcessMetadata::pass_damage(MetadataType type) {
  switch (type) {
    case MetadataType::kNextPythonNode:
    case MetadataType::kNextNativeNode:
      nodes.skip_next();
      break;
    case MetadataType::kPythonNode:
    case MetadataType::kNativeNode:
    case MetadataType::kLabelNode:
    case MetadataType::kTaskNode:
      nodes.lose_place();
      break;
    default:
      break;
  }
}

// A body may be longer than what is read of it: a later minor version's further fields.
void ProcessMetadata::add_record(MetadataType type, ByteView body, StringPool& pool) {
  switch (type) {
    case MetadataType::kProcess: {
      has_process_record = true;
      pid = read_kernel_id(body);
      parent_pid = read_kernel_id(body);
      parent_index = body.read_varint32();
      origin = static_cast<format::ProcessOrigin>(body.read_varint32());
      start_ticks = body.read_varint();
      executable = pool.intern(body.read_string());
      command_line = pool.intern(body.read_string());
      break;
    }
    case MetadataType::kThread: {
      ThreadRecord& thread = threads[body.read_varint32()];
      thread.tid = read_kernel_id(body);
      const uint64_t ticks = body.read_varint();
      if (thread.start_ticks == 0) thread.start_ticks = ticks;  // a later record renames
      const std::string_view name = body.read_string();
      if (!name.empty()) thread.name = name;
      break;
    }
    case MetadataType::kThreadEnd: {
      ThreadRecord& thread = threads[body.read_varint32()];
      thread.end_ticks = body.read_varint();
      break;
    }
    case MetadataType::kString: {
      const uint32_t id = body.read_varint32();
      const uint64_t total_bytes = body.read_varint();
      const uint64_t offset_bytes = body.read_varint();
      strings.add_part(pool, id, total_bytes, offset_bytes, body.read_string());
      break;
    }
    case MetadataType::kCode: {
      const uint32_t id = body.read_varint32();
      Code code;
      code.filename = body.read_varint32();
      code.qualified_name = body.read_varint32();
      code.first_line = body.read_varint32();
      code.line_table = body.read_varint32();
      code.line_table_format = static_cast<format::LineTableFormat>(body.read_varint32());
      codes.add(id, "code") = code;
      break;
    }
    case MetadataType::kPythonNode: {
      const uint32_t id = body.read_varint32();
      const uint32_t parent = body.read_varint32();
      const uint32_t code = body.read_varint32();
      nodes.add_python(id, parent, code, body.read_varint32());
      break;
    }
    case MetadataType::kNativeNode: {
      const uint32_t id = body.read_varint32();
      const uint32_t parent = body.read_varint32();
      nodes.add_native(id, parent, body.read_varint());
      break;
    }
    case MetadataType::kNextPythonNode: {
      const uint32_t parent = nodes.parent_of_next(body.read_varint());
      const uint32_t code = body.read_varint32();
      nodes.add_python(nodes.next(), parent, code, body.read_varint32());
      break;
    }
    case MetadataType::kNextNativeNode: {
      const uint32_t parent = nodes.parent_of_next(body.read_varint());
      nodes.add_native(nodes.next(), parent, body.read_varint());
      break;
    }
    case MetadataType::kLabelNode: {
      const uint32_t id = body.read_varint32();
      const uint32_t parent = body.read_varint32();
      nodes.add_label(id, parent, pool.intern(body.read_string()));
      break;
    }
    case MetadataType::kTaskNode: {
      const uint32_t id = body.read_varint32();
      const uint32_t parent = body.read_varint32();
      const uint32_t code = body.read_varint32();
      nodes.add_task(id, parent, code, body.read_varint32());
      break;
    }
    case MetadataType::kModule: {
      Module module;
      module.id = body.read_varint32();
      module.load_bias = body.read_varint();
      module.start = body.read_varint();
      module.end = body.read_varint();
      module.ticks = body.read_varint();
      module.path = pool.intern(body.read_string());
      module.build_id = pool.intern(body.read_string());
      modules.add(module);
      break;
    }
    case MetadataType::kModuleEnd: {
      const uint32_t id = body.read_varint32();
      modules.end(id, body.read_varint());
      break;
    }
    case MetadataType::kPython: {
      python_minor = body.read_varint32();
      body.read_varint();  // hexversion
      python_version = pool.intern(body.read_string());
      python_recording = pool.intern(body.read_string());
      break;
    }
    case MetadataType::kDiagnostic: {
      const auto code = static_cast<format::DiagnosticCode>(body.read_varint32());
      diagnostics.emplace_back(code, pool.intern(body.read_string()));
      break;
    }
    case MetadataType::kMark: {
      body.read_varint32();  // thread
      const uint64_t ticks = body.read_varint();
      marks.push_back({ticks, pool.intern(body.read_string())});
      break;
    }
    case MetadataType::kProfiledFunction: {
      ProfiledFunction function;
      function.file = pool.intern(body.read_string());
      function.name = pool.intern(body.read_string());
      function.first_line = body.read_varint32();
      function.line_count = body.read_varint32();
      profiled_functions.push_back(function);
      break;
    }
    case MetadataType::kHeap: {
      Heap heap;
      const uint32_t id = body.read_varint32();
      heap.family = static_cast<format::HeapFamily>(body.read_varint32());
      heap.address_space = body.read_varint32();
      heap.name = body.read_string();
      if (heap.address_space > format::kMaxAddressSpace)
        throw PayloadError("a heap in an impossible address space");
      heaps_[id] = std::move(heap);
      break;
    }
    case MetadataType::kHeapFunction: {
      const uint32_t kind = body.read_varint32();
      if (kind < format::kFirstRegisteredKind || kind > format::kLastRegisteredKind)
        throw PayloadError("a function of a heap has an impossible number");
      const uint32_t heap = body.read_varint32();
      heap_functions_.push_back(
          {static_cast<format::AllocationKind>(kind), heap, pool.intern(body.read_string())});
      break;
    }
    case MetadataType::kResidentMemory: {
      resident_memory.ticks = body.read_varint();
      resident_memory.resident_bytes = body.read_varint();
      resident_memory.high_water_bytes = body.read_varint();
      ByteView ranges(body.read_string());
      while (!ranges.empty()) {
        ResidentRange range;
        range.start = ranges.read_varint();
        range.bytes = ranges.read_varint();
        range.touched_bytes = std::min(range.bytes, ranges.read_varint());
        resident_memory.ranges.push_back(range);
      }
      break;
    }
    case MetadataType::kAllocatorStatistics: {
      AllocatorRecord record;
      record.ticks = body.read_varint();
      record.moment = static_cast<format::StatisticsMoment>(body.read_varint32());
      record.allocator = static_cast<format::AllocatorName>(body.read_varint32());
      ByteView numbers(body.read_string());
      for (const auto field : format::kAllocatorStatisticsFields) {
        if (!numbers.empty()) record.statistics.*field = numbers.read_varint();
      }
      allocators.push_back(record);
      break;
    }
    default:
      break;  // from a later minor version
  }
}

void ProcessMetadata::finish(StringPool& pool) {
  strings.finish(pool);
  settle();
}

void ProcessMetadata::settle() {
  modules.finish();
  symbols.finish();
}

void ProcessMetadata::register_heaps(HeapTable& table) {
  for (const HeapFunction& function : heap_functions_) {
    const auto heap = heaps_.find(function.heap);
    const Heap unknown{"unknown", {}, 0};
    capture_kinds_[function.kind] =
        table.add(heap != heaps_.end() ? heap->second : unknown, function.name);
  }
}

const ThreadRecord* ProcessMetadata::thread(uint32_t index) const {
  const auto found = threads.find(index);
  return found != threads.end() ? &found->second : nullptr;
}

}  // namespace memlens::reader
