#include "report/exports/perfetto.h"

#include <algorithm>
#include <map>
#include <protozero/pbf_writer.hpp>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "reader/text/columns.h"
#include "report/text/short_path.h"
#include "report/view/stack_sums.h"

namespace memlens::report {
namespace {

using protozero::pbf_writer;

// Field numbers of trace_packet.proto, profile_packet.proto and profile_common.proto.
constexpr uint32_t kTracePacket = 1;
enum PacketField : uint32_t { kTimestamp = 8, kSequenceId = 10, kProfilePacket = 37 };
enum ProfileField : uint32_t {
  kStrings = 1,
  kFrames = 2,
  kCallstacks = 3,
  kMappings = 4,
  kProcessDumps = 5,
  kContinued = 6,
  kIndex = 7,
};
enum StringField : uint32_t { kStringId = 1, kStringText = 2 };
enum MappingField : uint32_t { kMappingId = 1, kBuildId = 2, kPathStringIds = 7 };
enum FrameField : uint32_t { kFrameId = 1, kFunctionName = 2, kFrameMapping = 3, kRelativePc = 4 };
enum CallstackField : uint32_t { kCallstackId = 1, kFrameIds = 2 };
enum DumpField : uint32_t {
  kPid = 1,
  kSamples = 2,
  kFromStartup = 3,
  kDumpTimestamp = 9,
  kHeapName = 11,
  kSamplingInterval = 12,
};
enum SampleField : uint32_t {
  kSampleCallstack = 1,
  kSelfAllocated = 2,
  kSelfFreed = 3,
  kSampleTimestamp = 4,
  kAllocCount = 5,
  kFreeCount = 6,
  kSelfMax = 8,
  kSelfMaxCount = 9,
};

// A packet is held in memory whole, here and by who reads it.
constexpr size_t kStacksPerPacket = 4096;
constexpr uint64_t kSequence = 1;

class PerfettoWriter {
 public:
  PerfettoWriter(std::ostream& out, const ExportSource& source, const FrameTree& tree, bool peak)
      : out_(out), source_(source), tree_(tree), peak_(peak) {}

  void write(std::vector<StackSums> stacks) {
    std::erase_if(stacks, [this](const StackSums& stack) { return is_empty(stack); });
    std::ranges::stable_sort(stacks, {}, &StackSums::process_index);
    write_frames(stacks.empty());
    for (size_t begin = 0; begin < stacks.size();) {
      size_t end = begin;
      while (end < stacks.size() && end - begin < kStacksPerPacket &&
             stacks[end].process_index == stacks[begin].process_index) {
        ++end;
      }
      write_stacks(std::span(stacks).subspan(begin, end - begin), end == stacks.size());
      begin = end;
    }
  }

 private:
  bool is_empty(const StackSums& stack) const {
    return stack.of(peak_ ? View::kPeak : View::kAllocations).blocks == 0;
  }

  uint64_t nanoseconds(double seconds) const {
    return source_.info.start_unix_ns + static_cast<uint64_t>(seconds * 1e9);
  }
  uint64_t end_time() const {
    return nanoseconds(peak_ ? source_.analysis.totals.peak_seconds
                             : source_.info.duration_seconds);
  }

  // `last`: the profile is complete with it.
  void write_packet(std::string& profile, bool last) {
    pbf_writer writer(profile);
    writer.add_bool(kContinued, !last);
    writer.add_uint64(kIndex, packets_++);
    std::string packet;
    pbf_writer fields(packet);
    fields.add_uint64(kTimestamp, end_time());
    fields.add_uint32(kSequenceId, kSequence);
    fields.add_message(kProfilePacket, profile);
    std::string trace;
    pbf_writer(trace).add_message(kTracePacket, packet);
    out_ << trace;
  }

  uint64_t string_id(std::string_view text) {
    const auto [place, added] = strings_.try_emplace(std::string(text), strings_.size() + 1);
    if (added) {
      pbf_writer string(string_messages_, kStrings);
      string.add_uint64(kStringId, place->second);
      string.add_string(kStringText, printable(text));
    }
    return place->second;
  }

  // Readers know a frame by its mapping and address. Functions are in their module, Python's in
  // their file; the addresses are the frames' numbers, so that no two are taken for one.
  uint64_t mapping_id(const reader::Frame& frame, pbf_writer& mappings) {
    const std::string_view path = frame.file.empty() ? frame.module : frame.file;
    const auto [place, added] = mapping_ids_.try_emplace(path, mapping_ids_.size() + 1);
    if (added) {
      const uint64_t empty = string_id("");
      const uint64_t name = string_id(short_path(path, source_.info.working_directory));
      pbf_writer mapping(mappings, kMappings);
      mapping.add_uint64(kMappingId, place->second);
      mapping.add_uint64(kBuildId, empty);
      mapping.add_uint64(kPathStringIds, name);
    }
    return place->second;
  }

  void write_frames(bool last) {
    std::string mapping_messages, frame_messages;
    pbf_writer mappings(mapping_messages);
    pbf_writer frames(frame_messages);
    for (size_t i = 0; i < tree_.frames().size(); ++i) {
      const reader::Frame& frame = tree_.frames()[i];
      const uint64_t mapping = mapping_id(frame, mappings);
      std::string name(frame.function);
      if (frame.line != 0) name += ":" + std::to_string(frame.line);
      const uint64_t function = string_id(name);
      pbf_writer message(frames, kFrames);
      message.add_uint64(kFrameId, i + 1);
      message.add_uint64(kFunctionName, function);
      message.add_uint64(kFrameMapping, mapping);
      message.add_uint64(kRelativePc, i + 1);
    }
    // In the order in which they refer to each other.
    std::string profile = string_bytes_ + mapping_messages + frame_messages;
    write_packet(profile, last);
  }

  void write_stacks(std::span<const StackSums> stacks, bool last) {
    std::string profile;
    pbf_writer writer(profile);
    std::vector<uint64_t> frames;
    for (const StackSums& stack : stacks) {
      if (!written_callstacks_.insert(stack.node).second) continue;
      frames.clear();
      for (FrameTree::NodeId node = stack.node; node != FrameTree::kRoot;
           node = tree_.parent(node)) {
        frames.push_back(tree_.frame_id(node) + 1);
      }
      pbf_writer callstack(writer, kCallstacks);
      callstack.add_uint64(kCallstackId, stack.node);
      for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
        callstack.add_uint64(kFrameIds, *frame);
      }
    }
    {
      pbf_writer dump(writer, kProcessDumps);
      dump.add_uint64(kPid,
                      static_cast<uint64_t>(pid_of(source_.info, stacks.front().process_index)));
      for (const StackSums& stack : stacks) write_sample(dump, stack);
      dump.add_bool(kFromStartup, true);
      dump.add_uint64(kDumpTimestamp, end_time());
      dump.add_string(kHeapName, "memlens");
      dump.add_uint64(kSamplingInterval,
                      source_.info.sample_bytes == 0 ? 1 : source_.info.sample_bytes);
    }
    write_packet(profile, last);
  }

  void write_sample(pbf_writer& dump, const StackSums& stack) {
    pbf_writer sample(dump, kSamples);
    sample.add_uint64(kSampleCallstack, stack.node);
    sample.add_uint64(kSampleTimestamp, end_time());
    if (peak_) {
      sample.add_uint64(kSelfMax, stack.of(View::kPeak).bytes);
      sample.add_uint64(kSelfMaxCount, stack.of(View::kPeak).blocks);
      return;
    }
    const reader::Tally& allocated = stack.of(View::kAllocations);
    const reader::Tally& left = stack.of(View::kLeaks);
    sample.add_uint64(kSelfAllocated, allocated.bytes);
    sample.add_uint64(kSelfFreed, allocated.bytes - std::min(left.bytes, allocated.bytes));
    sample.add_uint64(kAllocCount, allocated.blocks);
    sample.add_uint64(kFreeCount, allocated.blocks - std::min(left.blocks, allocated.blocks));
  }

  std::ostream& out_;
  const ExportSource& source_;
  const FrameTree& tree_;
  const bool peak_;
  uint64_t packets_ = 0;
  std::string string_bytes_;
  pbf_writer string_messages_{string_bytes_};
  std::unordered_map<std::string, uint64_t> strings_;
  std::map<std::string_view, uint64_t> mapping_ids_;
  std::unordered_set<FrameTree::NodeId> written_callstacks_;
};

}  // namespace

void write_perfetto(std::ostream& out, const ExportSource& source, bool peak) {
  FrameTree tree;
  std::vector<StackSums> stacks =
      sum_stacks(source.analysis.sites, Grouping::kByThread, source.frames_of, tree);
  PerfettoWriter(out, source, tree, peak).write(std::move(stacks));
}

}  // namespace memlens::report
