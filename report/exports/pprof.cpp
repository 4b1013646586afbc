#include "report/exports/pprof.h"

#include <array>
#include <map>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "reader/text/columns.h"
#include "report/exports/gzip_writer.h"
#include "report/terminal/wording.h"
#include "report/view/stack_sums.h"

namespace memlens::report {
namespace {

using protozero::pbf_writer;

// Field numbers of profile.proto.
enum ProfileField : uint32_t {
  kSampleType = 1,
  kSample = 2,
  kMapping = 3,
  kLocation = 4,
  kFunction = 5,
  kStringTable = 6,
  kTimeNanos = 9,
  kDurationNanos = 10,
  kPeriodType = 11,
  kPeriod = 12,
  kComment = 13,
  kDefaultSampleType = 14,
};
enum ValueTypeField : uint32_t { kType = 1, kUnit = 2 };
enum SampleField : uint32_t { kLocationId = 1, kValue = 2, kLabel = 3 };
enum LabelField : uint32_t { kKey = 1, kText = 2, kNumber = 3 };
enum MappingField : uint32_t {
  kMappingId = 1,
  kFileName = 5,
  kHasFunctions = 7,
  kHasFileNames = 8,
  kHasLineNumbers = 9,
  kHasInlineFrames = 10,
};
enum LocationField : uint32_t { kId = 1, kLocationMapping = 2, kLine = 4 };
enum LineField : uint32_t { kLineFunction = 1, kLineNumber = 2 };
enum FunctionField : uint32_t { kFunctionId = 1, kName = 2, kSystemName = 3, kFunctionFile = 4 };

// Enough that compressing is worth a call.
constexpr size_t kFlushBytes = 64 * 1024;

using Values = std::array<int64_t, 4>;

Values values_of(const StackSums& stack, std::optional<View> view) {
  const bool temporary = view == View::kTemporary;
  const reader::Tally allocated = stack.of(temporary ? View::kTemporary : View::kAllocations);
  const reader::Tally in_use = temporary             ? reader::Tally{}
                               : view == View::kPeak ? stack.of(View::kPeak)
                                                     : stack.of(View::kLeaks);
  return {static_cast<int64_t>(allocated.blocks), static_cast<int64_t>(allocated.bytes),
          static_cast<int64_t>(in_use.blocks), static_cast<int64_t>(in_use.bytes)};
}

// Messages refer to others by number, and these are written when they are first needed: nothing
// but the numbers is kept.
class PprofWriter {
 public:
  PprofWriter(std::ostream& out, const ExportSource& source, const FrameTree& tree)
      : gzip_(out), source_(source), tree_(tree) {
    string_id("");  // the table's first entry, by definition
  }

  void write(const std::vector<StackSums>& stacks, std::optional<View> view) {
    write_types(view);
    for (const StackSums& stack : stacks) {
      const Values values = values_of(stack, view);
      if (values != Values{}) write_sample(stack, values);
    }
    write_facts(view);
    flush();
    gzip_.finish();
  }

 private:
  int64_t string_id(std::string_view text) {
    const auto next = static_cast<int64_t>(strings_.size());
    const auto [place, added] = strings_.try_emplace(std::string(text), next);
    if (added) profile_.add_string(kStringTable, printable(text));
    return place->second;
  }

  void write_type(ProfileField field, std::string_view type, std::string_view unit) {
    const int64_t type_id = string_id(type);
    const int64_t unit_id = string_id(unit);
    pbf_writer value(profile_, field);
    value.add_int64(kType, type_id);
    value.add_int64(kUnit, unit_id);
  }

  void write_types(std::optional<View> view) {
    write_type(kSampleType, "alloc_objects", "count");
    write_type(kSampleType, "alloc_space", "bytes");
    write_type(kSampleType, "inuse_objects", "count");
    write_type(kSampleType, "inuse_space", "bytes");
    write_type(kPeriodType, "space", "bytes");
    const bool allocated = view == View::kAllocations || view == View::kTemporary;
    profile_.add_int64(kDefaultSampleType, string_id(allocated ? "alloc_space" : "inuse_space"));
  }

  void write_facts(std::optional<View> view) {
    const reader::CaptureInfo& info = source_.info;
    profile_.add_int64(kTimeNanos, static_cast<int64_t>(info.start_unix_ns));
    profile_.add_int64(kDurationNanos, static_cast<int64_t>(info.duration_seconds * 1e9));
    profile_.add_int64(kPeriod,
                       static_cast<int64_t>(info.sample_bytes == 0 ? 1 : info.sample_bytes));
    profile_.add_int64(kComment,
                       string_id("memlens " MEMLENS_VERSION ": " + command_text(info.command)));
    if (view) profile_.add_int64(kComment, string_id("view: " + std::string(view_name(*view))));
  }

  void write_sample(const StackSums& stack, const Values& values) {
    locations_of(stack.node);
    const int64_t pid_key = string_id("pid");
    const int64_t thread_key = string_id("thread");
    {
      pbf_writer sample(profile_, kSample);
      sample.add_packed_uint64(kLocationId, stack_.begin(), stack_.end());
      sample.add_packed_int64(kValue, values.begin(), values.end());
      write_label(sample, pid_key, pid_of(source_.info, stack.process_index));
      write_label(sample, thread_key,
                  tid_of(source_.info, stack.process_index, stack.thread_index));
    }
    if (buffer_.size() >= kFlushBytes) flush();
  }

  static void write_label(pbf_writer& sample, int64_t key, int64_t number) {
    pbf_writer label(sample, kLabel);
    label.add_int64(kKey, key);
    label.add_int64(kNumber, number);
  }

  // Into stack_, the leaf's first.
  void locations_of(FrameTree::NodeId leaf) {
    stack_.clear();
    std::vector<uint32_t> lines;
    for (FrameTree::NodeId node = leaf; node != FrameTree::kRoot; node = tree_.parent(node)) {
      lines.push_back(tree_.frame_id(node));
      const bool goes_on =
          source_.inlined.contains(tree_.frame(node)) && tree_.parent(node) != FrameTree::kRoot;
      if (goes_on) continue;
      stack_.push_back(location_id(lines));
      lines.clear();
    }
  }

  uint64_t location_id(const std::vector<uint32_t>& frames) {
    const auto [place, added] = locations_.try_emplace(frames, locations_.size() + 1);
    if (!added) return place->second;
    const uint64_t mapping = mapping_id(tree_.frames()[frames.back()]);
    std::vector<uint64_t> functions;
    functions.reserve(frames.size());
    for (const uint32_t frame : frames) functions.push_back(function_id(frame));
    pbf_writer location(profile_, kLocation);
    location.add_uint64(kId, place->second);
    location.add_uint64(kLocationMapping, mapping);
    for (size_t i = 0; i < frames.size(); ++i) {
      pbf_writer line(location, kLine);
      line.add_uint64(kLineFunction, functions[i]);
      line.add_int64(kLineNumber, tree_.frames()[frames[i]].line);
    }
    return place->second;
  }

  uint64_t function_id(uint32_t frame_id) {
    const reader::Frame& frame = tree_.frames()[frame_id];
    const int64_t name = string_id(frame.function);
    const int64_t system_name = frame.linkage_name.empty() ? name : string_id(frame.linkage_name);
    const int64_t file = string_id(frame.file);
    const auto [place, added] =
        function_ids_.try_emplace({name, system_name, file}, function_ids_.size() + 1);
    if (!added) return place->second;
    pbf_writer function(profile_, kFunction);
    function.add_uint64(kFunctionId, place->second);
    function.add_int64(kName, name);
    function.add_int64(kSystemName, system_name);
    function.add_int64(kFunctionFile, file);
    return place->second;
  }

  // Where a frame's code lies. Python's code lies in its files: the program stands for all of them.
  uint64_t mapping_id(const reader::Frame& frame) {
    const int64_t file = string_id(frame.module.empty() && !source_.info.command.empty()
                                       ? std::string_view(source_.info.command.front())
                                       : frame.module);
    const auto [place, added] = mappings_.try_emplace(file, mappings_.size() + 1);
    if (!added) return place->second;
    pbf_writer mapping(profile_, kMapping);
    mapping.add_uint64(kMappingId, place->second);
    mapping.add_int64(kFileName, file);
    mapping.add_bool(kHasFunctions, true);
    mapping.add_bool(kHasFileNames, true);
    mapping.add_bool(kHasLineNumbers, true);
    mapping.add_bool(kHasInlineFrames, true);
    return place->second;
  }

  void flush() {
    gzip_.write(buffer_);
    buffer_.clear();
  }

  struct FramesHash {
    size_t operator()(const std::vector<uint32_t>& frames) const {
      size_t hash = frames.size();
      for (const uint32_t frame : frames) hash = (hash ^ frame) * 0x9E3779B97F4A7C15u;
      return hash ^ hash >> 32;
    }
  };

  std::string buffer_;
  pbf_writer profile_{buffer_};
  GzipWriter gzip_;
  const ExportSource& source_;
  const FrameTree& tree_;
  std::unordered_map<std::string, int64_t> strings_;
  std::map<std::array<int64_t, 3>, uint64_t> function_ids_;
  std::map<int64_t, uint64_t> mappings_;
  std::unordered_map<std::vector<uint32_t>, uint64_t, FramesHash> locations_;
  std::vector<uint64_t> stack_;  // of the sample at hand
};

}  // namespace

void write_pprof(std::ostream& out, const ExportSource& source, std::optional<View> view) {
  FrameTree tree;
  const std::vector<StackSums> stacks =
      sum_stacks(source.analysis.sites, Grouping::kByThread, source.frames_of, tree);
  PprofWriter(out, source, tree).write(stacks, view);
}

}  // namespace memlens::report
