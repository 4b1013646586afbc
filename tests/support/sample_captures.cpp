#include "tests/support/sample_captures.h"

#include <xxhash.h>

#include <cstring>
#include <initializer_list>

#include "reader/capture/symbols_payload.h"
#include "tests/support/capture_bytes.h"
#include "tests/support/history.h"
#include "tests/support/random_history.h"

namespace memlens::testing {

using format::AllocationKind;
using format::FrameKind;

namespace {

constexpr uint64_t kStart = CaptureBytes::kStartTicks;

// Python and native frames, symbols, source, memory samples, marks, a long string, a shutdown.
std::string everything() {
  CaptureBytes capture;
  capture.add_session(
      R"({"command":["python3","app.py"],"cwd":"/srv","hostname":"box","memlens":"0.1.0",)"
      R"("options":{"native":true,"python_allocators":true,"follow":true},"page_bytes":4096})");
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart + 1000, "/usr/bin/python3",
                       {"python3", "app.py", ""});
  metadata.add_thread(1, 41, kStart + 1000, "main");
  metadata.add_python(12, "3.12.1 (main)");
  metadata.add_diagnostic(format::DiagnosticCode::kUntrackedChild, "/bin/busybox: static");
  metadata.add_module(0x400000, 0x401000, 0x500000, "/opt/lib/libthing.so");
  // 3.11 locations: one line for two units, then three lines on (no columns), one unit.
  const std::string locations("\x81\x00\xe8\x06", 4);
  const uint32_t module_code =
      metadata.add_code("app.py", "<module>", 1, "", format::LineTableFormat::kNone);
  const uint32_t code = metadata.add_code("app.py", "Cache.fill", 10, locations,
                                          format::LineTableFormat::kLocations311);
  const uint32_t mark = metadata.add_string(std::string(300, 'm'), 100);
  const uint32_t outer = metadata.add_python_node(0, module_code, 0);
  const uint32_t first = metadata.add_python_node(outer, code, 3);
  const uint32_t second = metadata.add_python_node(outer, code, 5);
  const uint32_t native = metadata.add_native_node(second, 0x401234);
  const uint32_t unresolved = metadata.add_native_node(native, 0x402000);
  const uint32_t label = metadata.add_label_node(first, "[stack table full]");
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1, .compress = true},
                    metadata.take());
  EventBytes events;
  events.allocate(AllocationKind::kMalloc, 0x1000, 100, first);
  events.allocate(AllocationKind::kPyObjectMalloc, 0x2000, 56, second);
  events.allocate(AllocationKind::kPyObjectMalloc, 0x2040, 56, second);
  events.free(0x2040);
  events.time(5000);
  events.mark(mark);
  events.allocate(AllocationKind::kCalloc, 0x3008, 7, native);
  events.map(AllocationKind::kMmap, 0x7f0000000000, 0x5000, unresolved);
  events.unmap(0x7f0000001000, 0x1000);
  events.free(0x1000);
  events.undo();
  events.epoch(9, false);
  events.allocate(AllocationKind::kMalloc, 0x40000, uint64_t{5} << 30, label);
  events.shutdown(true);
  events.free(0x3008);
  events.free(0x2000);
  events.free(0x9990);
  capture.add_frame({.kind = FrameKind::kEvents,
                     .process = 1,
                     .thread = 1,
                     .ticks = kStart + 2000,
                     .order_epoch = 3,
                     .lost_events = 2,
                     .compress = true},
                    events.payload());
  reader::SymbolsEncoder symbols;
  const reader::SymbolsEncoder::Frame frames[] = {{"inlined", "_Z7inlinedv", "thing.cc", 7},
                                                  {"thing", "", "thing.cc", 20}};
  symbols.add_address(0x401234, "/opt/lib/libthing.so", frames);
  symbols.add_note("/opt/lib/libthing.so", "no debug information");
  capture.add_frame({.kind = FrameKind::kSymbols, .process = 1}, symbols.finish());
  std::string source;
  append_varint(source, 1);
  append_string(source, "app.py");
  append_varint(source, 10);
  append_string(source, "    self.rows.append(row)\n");
  capture.add_frame({.kind = FrameKind::kSource}, source);
  std::string memory;
  append_varint(memory, kStart + 2000);
  append_varint(memory, 1);
  append_varint(memory, 1 << 20);
  capture.add_frame({.kind = FrameKind::kMemory}, memory);
  capture.add_frame({.kind = static_cast<FrameKind>(77), .process = 1}, "from the future");
  capture.add_clock(kStart + 20'000);
  capture.add_process_end(1, 41, kStart + 15'000, 3);
  capture.add_trailer(kStart + 20'000);
  return capture.bytes();
}

// One frame of events as given.
std::string events_only(std::string_view payload) {
  CaptureBytes capture;
  capture.add_frame({.kind = FrameKind::kEvents, .process = 1, .thread = 1, .ticks = kStart},
                    payload);
  capture.add_trailer(kStart + 1000);
  return capture.bytes();
}

// Blocks at both ends of every kind of class, allocated in a row, freed, and allocated again where
// allocators would, and where they would not.
std::string size_classes() {
  EventBytes events;
  uint64_t address = 0x7f0000000000;
  for (const AllocationKind kind : {AllocationKind::kPyObjectMalloc, AllocationKind::kPyMemRealloc,
                                    AllocationKind::kMalloc, AllocationKind::kMmap}) {
    for (const uint64_t size_bytes : {0, 1, 16, 17, 24, 25, 496, 512, 513, 984, 985, 100'000}) {
      const uint64_t first = address;
      const uint64_t second = first + size_bytes / 16 * 16 + 16;
      const uint64_t third = second + size_bytes / 16 * 16 + 16;
      address = third + 0x1000;
      events.allocate(kind, first, size_bytes, 1);
      events.allocate(kind, second, size_bytes, 2);
      events.free(first);
      events.allocate(kind, first, size_bytes, 1);
      events.free(second);
      events.allocate(kind, third, size_bytes, 2);
      events.free(first);
      events.free(third);
    }
  }
  return events_only(events.payload());
}

// Two functions that the program asked tables of, one of them in both processes.
std::string profiled_functions() {
  CaptureBytes capture;
  for (uint32_t process = 1; process <= 2; ++process) {
    MetadataBytes metadata;
    metadata.add_process(40 + process, 1, 0, format::ProcessOrigin::kStart, kStart + 10,
                         "/bin/python3", {"python3", "app.py"});
    metadata.add_thread(1, 40 + process, kStart + 20, "python3");
    std::string body;
    append_string(body, "/src/app.py");
    append_string(body, "Loader.load");
    append_varint(body, 12);
    append_varint(body, 300);
    metadata.add_record(20, body);
    if (process == 2) {
      std::string other;
      append_string(other, "/src/app.py");
      append_string(other, "main");
      append_varint(other, 4);
      append_varint(other, 2);
      metadata.add_record(20, other);
    }
    capture.add_frame({.kind = FrameKind::kMetadata, .process = process}, metadata.take());
  }
  capture.add_clock(kStart + 20'000);
  capture.add_trailer(kStart + 20'000);
  return capture.bytes();
}

// A moment that the program named, one named from outside, and one of the whole recording.
std::string named_marks() {
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart + 10, "/bin/app", {"app"});
  metadata.add_thread(1, 41, kStart + 20, "app");
  std::string body;
  append_varint(body, 1);
  append_varint(body, kStart + 2000);
  append_string(body, "loaded");
  metadata.add_record(15, body);
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  EventBytes events;
  events.allocate(AllocationKind::kMalloc, 0x1000, 100, 0);
  events.time(1500);
  events.allocate(AllocationKind::kMalloc, 0x2000, 200, 0);
  events.time(2000);
  events.free(0x1000);
  capture.add_frame({.kind = FrameKind::kEvents, .process = 1, .thread = 1, .ticks = kStart + 1000},
                    events.payload());
  std::string marks;
  append_varint(marks, kStart + 4000);
  append_varint(marks, 1);
  append_string(marks, "warm \"cache\"");
  append_varint(marks, kStart + 1000);
  append_varint(marks, 0);
  append_string(marks, "mark 1");
  capture.add_frame({.kind = FrameKind::kMarks, .ticks = kStart + 4000}, marks);
  capture.add_clock(kStart + 20'000);
  capture.add_trailer(kStart + 20'000);
  return capture.bytes();
}

// Read while two threads still fill chunks: of thread 1 the later, longer beginning counts, of
// thread 2 the chunk that was finished.
std::string unfinished_chunks() {
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(4711, 1, 0, format::ProcessOrigin::kStart, kStart, "/bin/busy", {"busy"});
  metadata.add_thread(1, 4711, kStart, "busy");
  metadata.add_thread(2, 4712, kStart, "worker");
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1, .ticks = kStart}, metadata.take());
  EventBytes first;
  first.allocate(AllocationKind::kMalloc, 0x1000, 100, 0);
  capture.add_frame(
      {.kind = FrameKind::kUnfinishedEvents, .process = 1, .thread = 1, .ticks = kStart},
      first.payload());
  EventBytes other;
  other.allocate(AllocationKind::kMalloc, 0x9000, 7, 0);
  capture.add_frame(
      {.kind = FrameKind::kUnfinishedEvents, .process = 1, .thread = 2, .ticks = kStart},
      other.payload());
  capture.add_frame({.kind = FrameKind::kSoFar, .ticks = kStart + 10}, "");
  other.free(0x9000);
  capture.add_frame({.kind = FrameKind::kEvents, .process = 1, .thread = 2, .ticks = kStart},
                    other.payload());
  first.allocate(AllocationKind::kMalloc, 0x2000, 20, 0);
  capture.add_frame(
      {.kind = FrameKind::kUnfinishedEvents, .process = 1, .thread = 1, .ticks = kStart},
      first.payload());
  capture.add_frame({.kind = FrameKind::kSoFar, .ticks = kStart + 20}, "");
  capture.add_clock(kStart + 20);
  return capture.bytes();
}

// Thread 1's chunk 3, which an earlier file begins.
FrameFields chunk_gone_on_with(FrameKind kind) {
  return {
      .kind = kind, .process = 1, .thread = 1, .sequence = 3, .ticks = kStart, .order_epoch = 5};
}

// Where the streams were that go on from an earlier file.
void add_carried_order(CaptureBytes& capture, std::initializer_list<uint64_t> numbers) {
  std::string order;
  for (const uint64_t number : numbers) append_varint(order, number);
  capture.add_frame({.kind = FrameKind::kCarriedOrder, .ticks = kStart}, order);
}

// Goes on from an earlier file, in which thread 1's chunk 3 had got as far as its first event.
std::string going_on() {
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(4711, 1, 0, format::ProcessOrigin::kStart, kStart, "/bin/busy", {"busy"});
  metadata.add_thread(1, 4711, kStart, "busy");
  metadata.add_thread(2, 4712, kStart, "worker");
  add_carried_order(capture, {1, 5, 0, 2, 1, 3, 1, 2, 7, 0});
  EventBytes blocks;
  blocks.allocate(AllocationKind::kMalloc, 0x1008, 100, 0);
  blocks.allocate(AllocationKind::kMalloc, 0x2008, 200, 0);
  capture.add_frame({.kind = FrameKind::kCarriedBlocks, .process = 1, .thread = 1, .ticks = kStart},
                    blocks.payload());
  EventBytes others;
  others.map(AllocationKind::kMmap, 0x70000, 8192, 0);
  capture.add_frame({.kind = FrameKind::kCarriedBlocks, .process = 1, .thread = 2, .ticks = kStart},
                    others.payload());
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1, .ticks = kStart}, metadata.take());
  EventBytes chunk;
  chunk.allocate(AllocationKind::kMalloc, 0x2008, 200, 0);  // counted
  chunk.allocate(AllocationKind::kMalloc, 0x3000, 200, 0);
  chunk.free(0x1008);
  capture.add_frame(chunk_gone_on_with(FrameKind::kEvents), chunk.payload());
  capture.add_clock(kStart + 20);
  capture.add_trailer(kStart + 20);
  return capture.bytes();
}

// Blocks of a pool from an earlier file: one is freed at once, and was not temporary.
std::string carried_pool() {
  constexpr auto kPool = static_cast<AllocationKind>(200);
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/opt/app", {"app"});
  metadata.add_thread(1, 41, kStart, "main");
  add_carried_order(capture, {1, 5, 0, 1, 1, 3, 0});
  EventBytes blocks;
  blocks.pool_allocate(7, kPool, 0x1008, 100, 0);
  blocks.pool_allocate(7, kPool, 0x2008, 200, 0);
  capture.add_frame({.kind = FrameKind::kCarriedBlocks, .process = 1, .thread = 1, .ticks = kStart},
                    blocks.payload());
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1, .ticks = kStart}, metadata.take());
  EventBytes chunk;
  chunk.pool_free(7, 0x2008);
  chunk.pool_allocate(7, kPool, 0x3008, 300, 0);
  chunk.pool_free(7, 0x3008);  // this one was
  capture.add_frame(chunk_gone_on_with(FrameKind::kEvents), chunk.payload());
  capture.add_trailer(kStart + 20);
  return capture.bytes();
}

// Of a chunk more events are said to be in an earlier file than it has, one an interval.
std::string more_counted_than_there_are() {
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/opt/app", {"app"});
  metadata.add_thread(1, 41, kStart, "main");
  add_carried_order(capture, {1, 5, 0, 1, 1, 3, 1000});
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1, .ticks = kStart}, metadata.take());
  EventBytes chunk;
  chunk.interval(4096);
  chunk.allocate(AllocationKind::kMalloc, 0x3000, 200, 0);
  capture.add_frame(chunk_gone_on_with(FrameKind::kSampledEvents), chunk.payload());
  capture.add_trailer(kStart + 20);
  return capture.bytes();
}

// Two processes whose heaps have other numbers, one heap with addresses of its own.
std::string registered_heaps() {
  constexpr auto kPool = static_cast<AllocationKind>(64);
  constexpr auto kDevice = static_cast<AllocationKind>(70);
  constexpr auto kNobodys = static_cast<AllocationKind>(99);
  CaptureBytes capture;
  for (const uint32_t process : {1u, 2u}) {
    MetadataBytes metadata;
    const uint32_t first_heap = 8 * process;
    metadata.add_heap(first_heap, format::HeapFamily::kMalloc, 0, "mimalloc in libthing.so");
    if (process == 1) metadata.add_heap_function(64, first_heap, "mi_malloc");
    if (process == 2) metadata.add_heap_function(64, first_heap, "mi_zalloc");
    if (process == 2) metadata.add_heap_function(65, first_heap, "mi_malloc");
    metadata.add_heap(first_heap + 1, format::HeapFamily::kDevice, 3, "device 0");
    metadata.add_heap_function(70, first_heap + 1, "device_malloc");
    const uint32_t node = metadata.add_label_node(0, "[somewhere]");
    capture.add_frame({.kind = FrameKind::kMetadata, .process = process}, metadata.take());
    EventBytes events;
    events.allocate(kPool, 0x1000, 100, node);
    events.allocate(AllocationKind::kMalloc, 0x2000, 10, node);
    const uint64_t device_address = format::address_in_space(3, 0x1000);
    events.allocate(kDevice, device_address, 1000, node);
    events.allocate(kNobodys, 0x3000, 1, node);
    events.free(process == 1 ? 0x1000 : device_address);
    capture.add_frame(
        {.kind = FrameKind::kEvents, .process = process, .thread = 1, .ticks = kStart},
        events.payload());
  }
  capture.add_clock(kStart + 1000);
  capture.add_trailer(kStart + 1000);
  return capture.bytes();
}

// Two pools of one name, with blocks at the address of one of malloc's; two threads that take
// turns, and whose order only the stamps tell: thread 2 resets between two allocations of thread 1.
std::string pools() {
  constexpr auto kArena = static_cast<AllocationKind>(200);
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_heap(70, format::HeapFamily::kMalloc, 0, "pool arena");
  metadata.add_heap_function(200, 70, "memlens_pool_alloc");
  const uint32_t node = metadata.add_label_node(0, "[somewhere]");
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  EventBytes alone;
  alone.allocate(AllocationKind::kMalloc, 0x1000, 4096, node);
  alone.pool_allocate(1, kArena, 0x1000, 100, node);
  alone.pool_allocate(2, kArena, 0x1000, 20, node);
  alone.pool_allocate(2, kArena, 0x1014, 3, node);
  alone.pool_free(2, 0x1000);
  alone.pool_free(2, 0x1000);                       // twice
  alone.pool_free(3, 0x1000);                       // of one that has nothing
  alone.pool_allocate(2, kArena, 0x1014, 4, node);  // of a block that is there
  alone.pool_reset(4);
  alone.epoch(2, true);
  alone.pool_allocate(1, kArena, 0x1100, 1000, node, 0);
  alone.pool_allocate(1, kArena, 0x1200, 2000, node, 3);
  alone.pool_free(1, 0x1100, 4);  // gone by the reset
  capture.add_frame(
      {.kind = FrameKind::kEvents, .process = 1, .thread = 1, .ticks = kStart, .order_epoch = 1},
      alone.payload());
  EventBytes other(true);
  other.pool_reset(1, 1);
  other.free(0x1000, 2);  // of the same shard
  other.pool_allocate(1, kArena, 0x1000, 7, node, 5);
  capture.add_frame({.kind = FrameKind::kEvents,
                     .process = 1,
                     .thread = 2,
                     .ticks = kStart,
                     .order_epoch = 2,
                     .shared_order = true},
                    other.payload());
  capture.add_clock(kStart + 1000);
  capture.add_trailer(kStart + 1000);
  return capture.bytes();
}

// Two tasks of one coroutine function, one of them named, under the event loop; and a task that
// runs where another made it.
std::string tasks() {
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/usr/bin/python3",
                       {"app.py"});
  const auto code = [&](std::string_view name, uint32_t line) {
    return metadata.add_code("app.py", name, line, "", format::LineTableFormat::kNone);
  };
  const uint32_t run_code = code("run", 1);
  const uint32_t fetch_code = code("fetch", 10);
  const uint32_t run = metadata.add_python_node(0, run_code, 1);
  const uint32_t unnamed =
      metadata.add_python_node(metadata.add_task_node(run, fetch_code, 0), fetch_code, 1);
  const uint32_t name = metadata.add_string("crawler 1");
  const uint32_t named_task = metadata.add_task_node(run, fetch_code, name);
  const uint32_t named = metadata.add_python_node(named_task, fetch_code, 1);
  const uint32_t inner =
      metadata.add_python_node(metadata.add_task_node(named, run_code, 0), run_code, 1);
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  EventBytes events;
  events.allocate(AllocationKind::kPyObjectMalloc, 0x1000, 1, run);
  events.allocate(AllocationKind::kPyObjectMalloc, 0x2000, 10, unnamed);
  events.allocate(AllocationKind::kPyObjectMalloc, 0x3000, 100, named);
  events.allocate(AllocationKind::kPyObjectMalloc, 0x4000, 1000, inner);
  capture.add_frame({.kind = FrameKind::kEvents, .process = 1, .thread = 1, .ticks = kStart},
                    events.payload());
  capture.add_clock(kStart + 1000);
  capture.add_trailer(kStart + 1000);
  return capture.bytes();
}

// A reserve that is hardly touched, and a mapping of the same address before it that was unmapped.
std::string untouched_mapping() {
  constexpr uint64_t kAddress = 0x7f0000000000;
  constexpr uint64_t kMegabyte = 1 << 20;
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/opt/app", {"app"});
  metadata.add_thread(1, 41, kStart, "main");
  const uint32_t node = metadata.add_label_node(0, "[reserve]");
  metadata.add_resident_memory(kStart + 9000, 12 * kMegabyte, 20 * kMegabyte,
                               {{kAddress, 1000 * kMegabyte, 10 * kMegabyte}});
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  EventBytes events;
  events.map(AllocationKind::kMmap, kAddress, 500 * kMegabyte, node);
  events.time(1000);
  events.unmap(kAddress, 500 * kMegabyte);
  events.map(AllocationKind::kMmap, kAddress, 1000 * kMegabyte, node);
  events.time(1000);
  events.allocate(AllocationKind::kMalloc, 0x1000, 3 * kMegabyte, node);
  capture.add_frame({.kind = FrameKind::kEvents, .process = 1, .thread = 1, .ticks = kStart},
                    events.payload());
  capture.add_trailer(kStart + 9000);
  return capture.bytes();
}

// Of a process whose mappings were looked at, of one that was only counted, and by a writer that
// knows a number more.
std::string resident_parts() {
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/opt/app", {"app"});
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  std::string parts;
  const auto add = [&](uint64_t ticks, uint32_t process, std::initializer_list<uint64_t> numbers) {
    append_varint(parts, ticks);
    append_varint(parts, process);
    append_varint(parts, numbers.size());
    for (const uint64_t number : numbers) append_varint(parts, number);
  };
  add(kStart + 3000, 1, {300, 0, 0, 200, 90, 10, 0, 0, 5});
  add(kStart + 1000, 1, {100, 80, 60, 50, 30, 10, 6, 4, 0, 2, 40, 77});
  capture.add_frame({.kind = FrameKind::kResidentParts, .ticks = kStart + 1000}, parts);
  capture.add_frame({.kind = FrameKind::kResidentParts, .ticks = kStart + 4000},
                    std::string("\x01\x01\xff\xff\x03\x01", 6));
  capture.add_trailer(kStart + 9000);
  return capture.bytes();
}

// Out of order, by a writer that knows a number more, and of an allocator that is not known yet.
std::string allocator_statistics() {
  using format::StatisticsMoment;
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/opt/app", {"app"});
  metadata.add_allocator_statistics(kStart + 8000, StatisticsMoment::kEnd, 1,
                                    {300, 290, 280, 0, 1, 0, 0});
  metadata.add_allocator_statistics(kStart + 1000, StatisticsMoment::kRunning, 1,
                                    {500, 200, 100, 50, 3, 80, 70, 0, 99});
  metadata.add_allocator_statistics(kStart + 1000, StatisticsMoment::kRunning, 4, {1 << 20});
  metadata.add_allocator_statistics(kStart + 2000, StatisticsMoment::kMark, 77, {7, 6, 5});
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  capture.add_trailer(kStart + 9000);
  return capture.bytes();
}

std::string metadata_only(MetadataBytes& metadata) {
  CaptureBytes capture;
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  capture.add_trailer(kStart + 1000);
  return capture.bytes();
}

std::string two_frames_of_one_number() {
  CaptureBytes capture;
  const FrameFields fields{.kind = FrameKind::kEvents, .process = 1, .thread = 1};
  capture.add_frame(fields, "");
  capture.add_frame(fields, "");
  return capture.bytes();
}

// Three threads of which one wrote over its events: its middle block is nonsense.
std::string thread_with_nonsense() {
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/bin/p", {"p"});
  for (int i = 1; i <= 3; ++i) metadata.add_thread(static_cast<uint32_t>(i), 40 + i, kStart, "t");
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  for (uint32_t thread = 1; thread <= 3; ++thread) {
    for (uint32_t sequence = 0; sequence < 3; ++sequence) {
      EventBytes events;
      events.allocate(AllocationKind::kMalloc, 0x10000 * thread + 0x100 * sequence, thread * 10, 1);
      const bool harmed = thread == 2 && sequence == 1;
      capture.add_frame({.kind = FrameKind::kEvents,
                         .process = 1,
                         .thread = thread,
                         .sequence = sequence,
                         .ticks = kStart + 100 * sequence,
                         .order_epoch = 3 * sequence + thread},
                        events.payload() + (harmed ? "\x02" : ""));
    }
  }
  capture.add_trailer(kStart + 1000);
  return capture.bytes();
}

std::string cut_by_a_full_disk() {
  CaptureBytes capture;
  EventBytes events;
  events.allocate(AllocationKind::kMalloc, 0x1000, 100, 1);
  capture.add_frame({.kind = FrameKind::kEvents, .process = 1, .thread = 1, .ticks = kStart},
                    events.payload());
  capture.add_frame(
      {.kind = FrameKind::kTrailer, .ticks = kStart + 5000},
      "{\"end_ticks\":" + std::to_string(kStart + 5'000'000) +
          ",\"end_monotonic_ns\":" + std::to_string(CaptureBytes::kStartNs + 5'000'000) +
          ",\"reason\":\"write_failed\",\"failure\":\"No space left on device\","
          "\"failed_ticks\":" +
          std::to_string(kStart + 2'000'000) + ",\"lost_processes\":0}");
  return capture.bytes();
}

std::string newer_version() {
  std::string bytes = CaptureBytes().bytes();
  bytes[8] = 7;
  const uint32_t checksum = XXH32(bytes.data(), 60, 0);
  std::memcpy(bytes.data() + 60, &checksum, sizeof checksum);
  return bytes;
}

}  // namespace

std::map<std::string, std::string> sample_captures() {
  std::map<std::string, std::string> samples;
  const auto history = [](const RandomHistoryOptions& options) {
    return random_history(options, 7);
  };
  samples["everything"] = everything();
  samples["one_thread"] = write_history(history({.events = 200}), {.compress = true});
  samples["threads_owner_epochs"] =
      write_history(history({.events = 300, .threads = 4}), {.shuffle_seed = 3});
  samples["threads_shared_epochs"] =
      write_history(history({.events = 300, .threads = 4, .thread_run = 2}),
                    {.shared_epochs = true, .events_per_epoch = 120, .events_per_chunk = 40});
  samples["process_tree"] = write_history(
      history({.events = 300, .processes = 3, .threads = 2, .process_ends = true}), {});
  samples["python_shutdown"] =
      write_history(history({.events = 200, .shutdown = true}), {.events_per_chunk = 50});
  // The names above are of captures of version 1, which are kept.
  samples["everything_2_0"] = everything();
  samples["named_marks"] = named_marks();
  samples["profiled_functions"] = profiled_functions();
  samples["unfinished_chunks"] = unfinished_chunks();
  samples["going_on"] = going_on();
  samples["carried_pool"] = carried_pool();
  samples["size_classes"] = size_classes();
  samples["registered_heaps"] = registered_heaps();
  samples["tasks"] = tasks();
  samples["pools"] = pools();
  samples["untouched_mapping"] = untouched_mapping();
  samples["resident_parts"] = resident_parts();
  samples["allocator_statistics"] = allocator_statistics();
  samples["no_events"] = write_history({}, {});
  samples["cut_in_a_frame"] = everything().substr(0, 700);
  samples["cut_between_frames"] = CaptureBytes().bytes();

  samples["cut_by_full_disk"] = cut_by_a_full_disk();
  samples["damaged_carried_count"] = more_counted_than_there_are();
  samples["damaged_thread"] = thread_with_nonsense();

  samples["invalid_empty"] = "";
  samples["invalid_foreign"] =
      "\x7f"
      "ELF and so on, long enough to hold a whole file header, which this is not";
  samples["invalid_short_header"] = everything().substr(0, 30);
  samples["invalid_newer_version"] = newer_version();
  std::string flipped = everything();
  flipped[64 + 9] ^= 4;
  samples["invalid_frame_header"] = flipped;
  flipped = everything();
  flipped[64 + 64 + 5] ^= 4;
  samples["invalid_payload"] = flipped;
  samples["invalid_after_frame"] = everything() + std::string(100, 'x');
  samples["damaged_sequence"] = two_frames_of_one_number();
  samples["damaged_event_cut"] = events_only(std::string("\x01\x00\xff", 3));
  samples["damaged_event_operation"] = events_only("\x02");
  samples["damaged_event_dictionary"] = events_only(std::string("\x15\x05", 2));
  samples["damaged_event_reference"] = events_only("\x14");
  std::string too_far("\x01\x00\x10\x02", 4);
  append_varint(too_far, uint64_t{1} << 45);
  samples["damaged_event_address"] = events_only(too_far);
  MetadataBytes metadata;
  metadata.add_record(static_cast<uint8_t>(format::MetadataType::kNextPythonNode),
                      std::string("\x02\x01\x01", 3));
  samples["damaged_node_caller"] = metadata_only(metadata);
  metadata.add_record(static_cast<uint8_t>(format::MetadataType::kNativeNode),
                      std::string("\xff\xff\xff\xff\x0f\x00\x01", 7));
  samples["damaged_node_id"] = metadata_only(metadata);
  metadata.add_record(static_cast<uint8_t>(format::MetadataType::kNativeNode),
                      std::string("\x01\x01\x01", 3));
  samples["damaged_node_parent"] = metadata_only(metadata);
  metadata.add_heap_function(21, 8, "operator new");
  samples["damaged_heap_function"] = metadata_only(metadata);
  metadata.add_heap(8, format::HeapFamily::kDevice, 128, "too far");
  samples["damaged_heap_space"] = metadata_only(metadata);
  return samples;
}

}  // namespace memlens::testing
