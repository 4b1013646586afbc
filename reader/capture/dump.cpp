#include "reader/capture/dump.h"

#include <array>
#include <cstdio>
#include <map>

#include "interposer/format/allocation_kind.h"
#include "interposer/format/metadata_records.h"
#include "reader/capture/capture_impl.h"
#include "reader/capture/dump_fields.h"
#include "reader/events/event_decoder.h"
#include "reader/file/error.h"
#include "reader/file/frame_payload.h"
#include "reader/file/memory_budget.h"

namespace memlens::reader {

namespace {

using format::FrameKind;
using format::MetadataType;

std::string hex_bytes(std::string_view bytes) {
  std::string digits;
  for (const char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(c));
    digits += two;
  }
  return digits;
}

const char* frame_kind_name(FrameKind kind) {
  switch (kind) {
    case FrameKind::kSession:
      return "session";
    case FrameKind::kMetadata:
      return "metadata";
    case FrameKind::kEvents:
      return "events";
    case FrameKind::kClock:
      return "clock";
    case FrameKind::kMemory:
      return "memory";
    case FrameKind::kProcessEnd:
      return "process_end";
    case FrameKind::kSymbols:
      return "symbols";
    case FrameKind::kSource:
      return "source";
    case FrameKind::kTrailer:
      return "trailer";
    case FrameKind::kSampledEvents:
      return "sampled_events";
    case FrameKind::kMarks:
      return "marks";
    case FrameKind::kUnfinishedEvents:
      return "unfinished_events";
    case FrameKind::kSoFar:
      return "so_far";
    case FrameKind::kResidentParts:
      return "resident_parts";
    case FrameKind::kCarriedBlocks:
      return "carried_blocks";
    case FrameKind::kCarriedOrder:
      return "carried_order";
  }
  return "unknown";
}

class Dumper {
 public:
  Dumper(const Capture::Impl& impl, const std::function<void(const DumpRecord&)>& visit)
      : impl_(impl), visit_(visit), loader_(impl.source) {}

  void run() {
    visit_frames(impl_.source, impl_.index.header, [&](const FrameRef& frame) {
      record_.frame_offset = frame.offset;
      record_.process = frame.process;
      record_.thread = frame.thread;
      dump_header(frame);
      loader_.load(frame, buffer_);
      try {
        dump_payload(frame, buffer_.view());
      } catch (const PayloadError& error) {
        dump_damage(error);
      } catch (const OverBudget& error) {
        throw CaptureError(impl_.source.path(), frame.offset, error.what());
      }
    });
  }

 private:
  void emit(std::string_view type) {
    record_.type = type;
    record_.text = fields_.text();
    visit_(record_);
    fields_.clear();
  }

  double seconds_at(uint64_t ticks) const { return impl_.clock.seconds_at(ticks); }

  void dump_header(const FrameRef& frame) {
    fields_.word("kind", frame_kind_name(frame.kind))
        .number("sequence", frame.sequence)
        .number("stored_bytes", frame.stored_bytes)
        .number("raw_bytes", frame.raw_bytes)
        .seconds("seconds", seconds_at(frame.ticks));
    if (frame.kind == FrameKind::kEvents)
      fields_.number("epoch", frame.order_epoch).number("shared", frame.shared_order() ? 1 : 0);
    if (frame.lost_events > 0) fields_.number("lost_events", frame.lost_events);
    emit("frame");
  }

  // In place of what makes no sense: of a record of metadata, else of the rest of the frame.
  void dump_damage(const PayloadError& error) {
    fields_.clear();
    fields_.string("reason", error.what());
    emit("damaged");
  }

  void dump_payload(const FrameRef& frame, ByteView view) {
    switch (frame.kind) {
      case FrameKind::kMetadata:
        while (!view.empty()) {
          const uint8_t type = view.read_byte();
          const ByteView body(view.read_string());
          try {
            dump_metadata(frame.process, type, body);
          } catch (const PayloadError& error) {
            dump_damage(error);
          }
        }
        break;
      case FrameKind::kEvents:
        dump_events(frame);
        break;
      case FrameKind::kClock:
        while (!view.empty()) {
          fields_.number("ticks", view.read_varint());
          fields_.number("monotonic_ns", view.read_varint());
          emit("clock");
        }
        break;
      case FrameKind::kMemory:
        while (!view.empty()) {
          fields_.seconds("seconds", seconds_at(view.read_varint()));
          fields_.number("process", view.read_varint());
          fields_.number("resident_bytes", view.read_varint());
          emit("memory");
        }
        break;
      case FrameKind::kResidentParts:
        while (!view.empty()) dump_resident_parts(view);
        break;
      case FrameKind::kCarriedOrder:
        dump_carried_order(view);
        break;
      case FrameKind::kMarks:
        while (!view.empty()) {
          fields_.seconds("seconds", seconds_at(view.read_varint()));
          fields_.number("of_process", view.read_varint());
          fields_.string("name", view.read_string());
          emit("mark");
        }
        break;
      case FrameKind::kSession:
      case FrameKind::kProcessEnd:
      case FrameKind::kTrailer:
        fields_.string("json", view.read_bytes(view.remaining_bytes()));
        emit(frame_kind_name(frame.kind));
        break;
      case FrameKind::kSource:
        dump_source(view);
        break;
      case FrameKind::kSymbols:
        dump_symbols(view);
        break;
      default:
        break;  // from a later minor version
    }
  }

  void dump_metadata(uint32_t process, uint8_t type, ByteView body) {
    // Collectors write a process's metadata in order.
    uint32_t& newest_node = newest_nodes_[process];
    switch (static_cast<MetadataType>(type)) {
      case MetadataType::kProcess:
        fields_.number("pid", body.read_varint()).number("parent_pid", body.read_varint());
        fields_.number("parent_process", body.read_varint()).number("origin", body.read_varint());
        fields_.seconds("seconds", seconds_at(body.read_varint()));
        fields_.string("executable", body.read_string());
        fields_.string("command", body.read_string());
        return emit("process");
      case MetadataType::kThread:
        fields_.number("thread", body.read_varint()).number("tid", body.read_varint());
        fields_.seconds("seconds", seconds_at(body.read_varint()));
        fields_.string("name", body.read_string());
        return emit("thread");
      case MetadataType::kThreadEnd:
        fields_.number("thread", body.read_varint());
        fields_.seconds("seconds", seconds_at(body.read_varint()));
        return emit("thread_end");
      case MetadataType::kString:
        fields_.number("id", body.read_varint()).number("total_bytes", body.read_varint());
        fields_.number("offset", body.read_varint()).string("part", body.read_string());
        return emit("string");
      case MetadataType::kCode:
        fields_.number("id", body.read_varint()).number("file", body.read_varint());
        fields_.number("name", body.read_varint()).number("first_line", body.read_varint());
        fields_.number("line_table", body.read_varint()).number("format", body.read_varint());
        return emit("code");
      case MetadataType::kPythonNode:
        newest_node = body.read_varint32();
        fields_.number("id", newest_node).number("parent", body.read_varint());
        fields_.number("code", body.read_varint()).number("instruction", body.read_varint());
        return emit("python_node");
      case MetadataType::kNativeNode:
        newest_node = body.read_varint32();
        fields_.number("id", newest_node).number("parent", body.read_varint());
        fields_.hex("address", body.read_varint());
        return emit("native_node");
      case MetadataType::kNextPythonNode:
        ++newest_node;
        fields_.number("id", newest_node).number("parent", newest_node - body.read_varint());
        fields_.number("code", body.read_varint()).number("instruction", body.read_varint());
        return emit("python_node");
      case MetadataType::kNextNativeNode:
        ++newest_node;
        fields_.number("id", newest_node).number("parent", newest_node - body.read_varint());
        fields_.hex("address", body.read_varint());
        return emit("native_node");
      case MetadataType::kLabelNode:
        newest_node = body.read_varint32();
        fields_.number("id", newest_node).number("parent", body.read_varint());
        fields_.string("label", body.read_string());
        return emit("label_node");
      case MetadataType::kTaskNode:
        newest_node = body.read_varint32();
        fields_.number("id", newest_node).number("parent", body.read_varint());
        fields_.number("code", body.read_varint()).number("name", body.read_varint());
        return emit("task_node");
      case MetadataType::kModule:
        fields_.number("id", body.read_varint()).hex("load_bias", body.read_varint());
        fields_.hex("start", body.read_varint()).hex("end", body.read_varint());
        fields_.seconds("seconds", seconds_at(body.read_varint()));
        fields_.string("path", body.read_string());
        fields_.word("build_id", hex_bytes(body.read_string()));
        return emit("module");
      case MetadataType::kModuleEnd:
        fields_.number("id", body.read_varint());
        fields_.seconds("seconds", seconds_at(body.read_varint()));
        return emit("module_end");
      case MetadataType::kPython:
        fields_.number("minor", body.read_varint()).hex("hexversion", body.read_varint());
        fields_.string("version", body.read_string()).string("recorded", body.read_string());
        return emit("python");
      case MetadataType::kHeap:
        fields_.number("id", body.read_varint()).number("family", body.read_varint());
        fields_.number("address_space", body.read_varint()).string("name", body.read_string());
        return emit("heap");
      case MetadataType::kHeapFunction: {
        const uint32_t kind = body.read_varint32();
        fields_.number("kind", kind).number("heap", body.read_varint());
        fields_.string("name", body.read_string());
        return emit("heap_function");
      }
      case MetadataType::kDiagnostic:
        fields_.number("code", body.read_varint()).string("text", body.read_string());
        return emit("diagnostic");
      case MetadataType::kMark:
        fields_.number("thread", body.read_varint());
        fields_.seconds("seconds", seconds_at(body.read_varint()));
        fields_.string("name", body.read_string());
        return emit("mark");
      case MetadataType::kProfiledFunction:
        fields_.string("file", body.read_string()).string("name", body.read_string());
        fields_.number("first_line", body.read_varint()).number("lines", body.read_varint());
        return emit("profiled_function");
      case MetadataType::kResidentMemory:
        fields_.seconds("seconds", seconds_at(body.read_varint()));
        fields_.number("bytes", body.read_varint()).number("highest", body.read_varint());
        return dump_resident_ranges(ByteView(body.read_string()));
      case MetadataType::kAllocatorStatistics:
        fields_.seconds("seconds", seconds_at(body.read_varint()));
        fields_.number("moment", body.read_varint()).number("allocator", body.read_varint());
        return dump_allocator_statistics(ByteView(body.read_string()));
    }
    fields_.number("type", type).number("bytes", body.remaining_bytes());
    emit("unknown_metadata");
  }

  void dump_resident_parts(ByteView& view) {
    static constexpr std::array<const char*, format::kResidentPartFields.size()> kNames = {
        "resident", "proportional", "own",          "anonymous",        "files", "shared", "stack",
        "recorder", "swapped",      "thread_heaps", "thread_heap_bytes"};
    fields_.seconds("seconds", seconds_at(view.read_varint()));
    fields_.number("of_process", view.read_varint());
    const uint64_t count = view.read_varint();
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t value = view.read_varint();
      if (i < kNames.size()) fields_.number(kNames[i], value);
    }
    emit("resident_parts");
  }

  void dump_allocator_statistics(ByteView numbers) {
    static constexpr std::array<const char*, format::kAllocatorStatisticsFields.size()> kNames = {
        "held",
        "free",
        "releasable",
        "mapped",
        "arenas",
        "thread_arenas_held",
        "thread_arenas_free",
        "retained"};
    for (size_t i = 0; !numbers.empty(); ++i) {
      const uint64_t value = numbers.read_varint();
      if (i < kNames.size()) fields_.number(kNames[i], value);
    }
    emit("allocator_statistics");
  }

  // The first line has the process's own numbers before the range's.
  void dump_resident_ranges(ByteView ranges) {
    emit("resident_memory");
    while (!ranges.empty()) {
      fields_.hex("start", ranges.read_varint());
      fields_.number("bytes", ranges.read_varint()).number("touched", ranges.read_varint());
      emit("resident_range");
    }
  }

  void dump_carried_order(ByteView view) {
    while (!view.empty()) {
      fields_.number("of_process", view.read_varint()).number("epoch", view.read_varint());
      uint64_t counters = view.read_varint();
      fields_.number("counters", counters);
      while (counters-- > 0) view.read_varint();
      emit("carried_epoch");
      for (uint64_t chunks = view.read_varint(); chunks > 0; --chunks) {
        fields_.number("of_thread", view.read_varint()).number("chunk", view.read_varint());
        fields_.number("counted_events", view.read_varint());
        emit("carried_chunk");
      }
    }
  }

  void dump_events(const FrameRef& frame) {
    constexpr size_t kBatch = 256;
    Event events[kBatch];
    bool shared = frame.shared_order();
    double seconds = seconds_at(frame.ticks);
    decoder_.start(buffer_, frame);
    while (const size_t count = decoder_.decode(events, kBatch)) {
      for (size_t i = 0; i < count; ++i) {
        const Event& event = events[i];
        if (event.type == EventType::kEpoch) shared = event.size_bytes == 1;
        if (event.type == EventType::kTime) seconds = seconds_at(event.address);
        dump_event(event, shared, seconds);
      }
    }
  }

  // Of the process whose events these are.
  std::string_view function_name(format::AllocationKind kind) const {
    const auto metadata = impl_.metadata.find(record_.process);
    if (metadata != impl_.metadata.end()) kind = metadata->second.capture_kind(kind);
    return impl_.info.heaps.function_name(kind);
  }

  // `seconds` is the last time recorded before the event.
  void dump_event(const Event& event, bool shared, double seconds) {
    switch (event.type) {
      case EventType::kAllocate:
      case EventType::kAllocateKnown:
      case EventType::kAllocateWide:
      case EventType::kMap:
        fields_.hex("address", event.address).number("bytes", event.size_bytes);
        fields_.number("node", event.node);
        fields_.word("function", function_name(event.kind));
        return emit_event(event.type == EventType::kMap ? "map" : "allocate", &event, shared,
                          seconds);
      case EventType::kFree:
        fields_.hex("address", event.address);
        return emit_event("free", &event, shared, seconds);
      case EventType::kUnmap:
        fields_.hex("address", event.address).number("bytes", event.size_bytes);
        return emit_event("unmap", &event, shared, seconds);
      case EventType::kUndo:
        return emit_event("undo", nullptr, false, seconds);
      case EventType::kShutdown:
        fields_.number("began", event.size_bytes);
        return emit_event("shutdown", nullptr, false, seconds);
      case EventType::kMark:
        fields_.number("name", event.node);
        return emit_event("mark", nullptr, false, seconds);
      case EventType::kInterval:
        fields_.number("sample_bytes", event.size_bytes);
        return emit_event("interval", nullptr, false, seconds);
      case EventType::kOutlived:
        return emit_event("outlived", nullptr, false, seconds);
      case EventType::kPoolAllocate:
        fields_.number("pool", event.stack);
        fields_.hex("address", event.address).number("bytes", event.size_bytes);
        fields_.number("node", event.node);
        fields_.word("function", function_name(event.kind));
        return emit_event("pool_allocate", &event, shared, seconds);
      case EventType::kPoolFree:
        fields_.number("pool", event.stack).hex("address", event.address);
        return emit_event("pool_free", &event, shared, seconds);
      case EventType::kPoolReset:
        fields_.number("pool", event.stack);
        return emit_event("pool_reset", &event, shared, seconds);
      case EventType::kEpoch:
        fields_.number("epoch", event.address).number("shared", event.size_bytes);
        return emit("epoch");
      case EventType::kTime:
        fields_.number("ticks", event.address).seconds("seconds", seconds);
        return emit("time");
    }
  }

  void emit_event(const char* type, const Event* stamped, bool shared, double seconds) {
    if (stamped != nullptr && shared) fields_.number("stamp", stamped->stamp);
    fields_.seconds("seconds", seconds);
    emit(type);
  }

  void dump_source(ByteView view) {
    for (uint64_t count = view.read_varint(); count > 0; --count) {
      fields_.string("file", view.read_string()).number("line", view.read_varint());
      fields_.string("text", view.read_string());
      emit("source");
    }
  }

  void dump_symbols(ByteView view) {
    StringPool pool;
    SymbolMap symbols;
    MemoryBudget budget(impl_.source.size_bytes());
    symbols.add_payload(view, pool, budget);
    symbols.visit([&](uint64_t address, std::span<const SymbolFrame> frames) {
      for (const SymbolFrame& frame : frames) {
        fields_.hex("address", address).string("function", frame.function);
        fields_.string("linkage_name", frame.linkage_name).string("file", frame.file);
        fields_.number("line", frame.line).string("module", frame.module);
        emit("symbol");
      }
    });
    for (const auto& [module, text] : symbols.notes()) {
      fields_.string("module", module).string("text", text);
      emit("symbols_note");
    }
  }

  const Capture::Impl& impl_;
  const std::function<void(const DumpRecord&)>& visit_;
  PayloadLoader loader_;
  PayloadBuffer buffer_;
  EventDecoder decoder_;
  std::map<uint32_t, uint32_t> newest_nodes_;  // by process: the node of the last record
  DumpRecord record_;
  DumpFields fields_;
};

}  // namespace

void for_each_record(const Capture& capture, const std::function<void(const DumpRecord&)>& visit) {
  Dumper(capture.impl(), visit).run();
}

}  // namespace memlens::reader
