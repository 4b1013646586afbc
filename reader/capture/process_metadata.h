// What the numbers in one process's events stand for: its metadata frames, decoded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "interposer/format/allocator_statistics.h"
#include "interposer/format/metadata_records.h"
#include "reader/capture/heap_table.h"
#include "reader/capture/id_table.h"
#include "reader/capture/module_map.h"
#include "reader/capture/node_table.h"
#include "reader/capture/profiled_function.h"
#include "reader/capture/string_table.h"
#include "reader/capture/symbol_map.h"
#include "reader/file/byte_view.h"
#include "reader/file/memory_budget.h"
#include "reader/text/string_pool.h"

namespace memlens::reader {

struct Code {
  uint32_t filename = 0;        // string id
  uint32_t qualified_name = 0;  // string id
  uint32_t first_line = 0;
  uint32_t line_table = 0;  // string id
  format::LineTableFormat line_table_format = format::LineTableFormat::kNone;
};

struct ThreadRecord {
  int32_t tid = 0;
  uint64_t start_ticks = 0;
  uint64_t end_ticks = UINT64_MAX;
  std::string name;
};

struct MarkRecord {
  uint64_t ticks = 0;
  std::string_view name;
};

// Of a range that the process had mapped when it exited.
struct ResidentRange {
  uint64_t start = 0;
  uint64_t bytes = 0;
  uint64_t touched_bytes = 0;
};

// What was in memory when a process exited.
struct ResidentMemoryRecord {
  uint64_t ticks = 0;  // 0: nothing was told
  uint64_t resident_bytes = 0;
  uint64_t high_water_bytes = 0;
  std::vector<ResidentRange> ranges;  // large ones that are not all touched
};

// What an allocator of the process said of itself.
struct AllocatorRecord {
  uint64_t ticks = 0;
  format::StatisticsMoment moment{};
  format::AllocatorName allocator{};
  format::AllocatorStatistics statistics;
};

struct ProcessMetadata {
  // Records of unknown type are skipped. Those that make no sense are left out: `left_out` is
  // called for each with the reason. Throws OverBudget.
  void add_payload(ByteView payload, StringPool& pool, MemoryBudget& budget,
                   const std::function<void(const char* reason)>& left_out);
  // A frame of metadata is missing here.
  void pass_gap() { nodes.lose_place(); }
  // After the last payload.
  void finish(StringPool& pool);
  // The same while more may come.
  void settle();

  // Once, after finish(): gives what the process registered its numbers in the capture.
  void register_heaps(HeapTable& table);
  // The capture's number of a kind as the process's events have it.
  format::AllocationKind capture_kind(format::AllocationKind kind) const {
    const auto known = capture_kinds_.find(kind);
    return known != capture_kinds_.end() ? known->second : kind;
  }

  Code code(uint32_t id) const { return codes.get(id); }
  // nullptr when the thread has no record.
  const ThreadRecord* thread(uint32_t index) const;

  bool has_process_record = false;
  int32_t pid = 0;
  int32_t parent_pid = 0;
  uint32_t parent_index = 0;
  format::ProcessOrigin origin = format::ProcessOrigin::kStart;
  uint64_t start_ticks = 0;
  std::string_view executable;
  std::string_view command_line;  // arguments each ended by NUL

  uint32_t python_minor = 0;  // 0: no Python
  std::string_view python_version;
  std::string_view python_recording;  // how Python's stacks and allocators are recorded

  ResidentMemoryRecord resident_memory;
  std::vector<AllocatorRecord> allocators;

  StringTable strings;
  IdTable<Code> codes;
  NodeTable nodes;
  ModuleMap modules;
  SymbolMap symbols;
  std::map<uint32_t, ThreadRecord> threads;  // by index
  std::vector<std::pair<format::DiagnosticCode, std::string_view>> diagnostics;
  std::vector<MarkRecord> marks;
  std::vector<ProfiledFunction> profiled_functions;

 private:
  struct HeapFunction {
    format::AllocationKind kind{};
    uint32_t heap = 0;
    std::string_view name;
  };

  std::map<uint32_t, Heap> heaps_;
  std::vector<HeapFunction> heap_functions_;
  std::map<format::AllocationKind, format::AllocationKind> capture_kinds_;

  void add_record(format::MetadataType type, ByteView body, StringPool& pool);
  void pass_damage(format::MetadataType type);
};

}  // namespace memlens::reader
