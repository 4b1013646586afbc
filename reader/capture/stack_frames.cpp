// From a node to the lines of its stack.

#include <algorithm>
#include <cstdio>

#include "reader/capture/capture.h"
#include "reader/capture/capture_impl.h"
#include "reader/capture/line_table.h"
#include "reader/text/base_name.h"

namespace memlens::reader {

namespace {

// Square brackets tell memlens's own labels from Python's <module> and <lambda>.
constexpr std::string_view kNativeCode = "[native code]";
constexpr std::string_view kNoStack = "[no stack]";
constexpr std::string_view kUnknownFunction = "[unknown function]";

Frame label_frame(std::string_view label) {
  Frame frame;
  frame.function = label.empty() ? kUnknownFunction : label;
  frame.origin = FrameOrigin::kLabel;
  return frame;
}

// The stack of one process's nodes, frame by frame.
class StackReader {
 public:
  StackReader(const Capture::Impl& impl, uint32_t process_index, const ProcessMetadata& process)
      : impl_(impl), process_index_(process_index), process_(process) {}

  std::vector<Frame> read(uint32_t node_id, bool native, TaskFrames tasks) const {
    const std::lock_guard<std::mutex> guard(impl_.frames_mutex);
    std::vector<Frame> frames;
    bool hid_native = false;
    // A parent's id is less than its child's (the node table sees to it), so this ends.
    while (node_id != format::kRootNode) {
      const Node node = process_.nodes.get(node_id);
      switch (node.kind) {
        case NodeKind::kPython:
          append_known_frames(node, frames);
          break;
        case NodeKind::kLabel:
          frames.push_back(label_frame(process_.nodes.label(node)));
          break;
        case NodeKind::kTask:
          if (tasks == TaskFrames::kHidden) break;
          append_known_frames(node, frames);
          if (tasks == TaskFrames::kOutermost) return frames;
          break;
        case NodeKind::kNative:
          if (native) {
            append_known_frames(node, frames);
          } else {
            hid_native = true;
          }
          break;
        case NodeKind::kMissing:  // its metadata was cut off
          frames.push_back(label_frame(kNoStack));
          break;
      }
      node_id = node.parent;
    }
    if (frames.empty()) {
      const bool was_native = hid_native || !impl_.info.native_stacks;
      frames.push_back(label_frame(was_native ? kNativeCode : kNoStack));
    }
    return frames;
  }

  std::optional<Frame> task_of(uint32_t node_id) const {
    const std::lock_guard<std::mutex> guard(impl_.frames_mutex);
    while (node_id != format::kRootNode) {
      const Node node = process_.nodes.get(node_id);
      if (node.kind == NodeKind::kTask) {
        std::vector<Frame> frames;
        append_known_frames(node, frames);
        return frames.front();
      }
      node_id = node.parent;
    }
    return std::nullopt;
  }

 private:
  void append_known_frames(const Node& node, std::vector<Frame>& frames) const {
    const auto [known, is_new] =
        impl_.frames_of_places.try_emplace({process_index_, node.kind, node.value});
    if (is_new) {
      known->second = node.kind == NodeKind::kPython ? std::vector{python_frame(node)}
                      : node.kind == NodeKind::kTask ? std::vector{task_frame(node)}
                                                     : native_frames(node.value);
    }
    frames.insert(frames.end(), known->second.begin(), known->second.end());
  }

  Frame python_frame(const Node& node) const {
    const Code code = process_.code(node.code());
    Frame frame;
    frame.origin = FrameOrigin::kPython;
    frame.function = process_.strings.get(code.qualified_name);
    if (frame.function.empty()) frame.function = kUnknownFunction;
    frame.file = process_.strings.get(code.filename);
    frame.line = line_of_instruction(code.line_table_format, process_.strings.get(code.line_table),
                                     code.first_line, node.instruction());
    frame.source = impl_.source_text.line(frame.file, frame.line);
    return frame;
  }

  // "[task fetch]", and with the name somebody gave it "[task crawler-1: fetch]".
  Frame task_frame(const Node& node) const {
    const Code code = process_.code(node.code());
    std::string_view function = process_.strings.get(code.qualified_name);
    if (function.empty()) function = kUnknownFunction;
    const std::string_view given = process_.strings.get(node.task_name());
    std::string name = "[task ";
    if (!given.empty()) name.append(given).append(": ");
    name.append(function).append("]");
    Frame frame;
    frame.origin = FrameOrigin::kTask;
    frame.function = impl_.unresolved_names.intern(name);
    frame.file = process_.strings.get(code.filename);
    frame.line = code.first_line;
    return frame;
  }

  std::vector<Frame> native_frames(uint64_t address) const {
    std::vector<Frame> frames;
    const Module* module = process_.modules.find(address);
    for (const SymbolFrame& symbol : process_.symbols.find(address)) {
      Frame frame;
      frame.origin = FrameOrigin::kNative;
      frame.function = symbol.function.empty() ? name_of_address(address, module) : symbol.function;
      frame.linkage_name = symbol.linkage_name;
      frame.file = symbol.file;
      frame.line = symbol.line;
      frame.module = symbol.module;
      if (frame.module.empty() && module != nullptr) frame.module = module->path;
      frame.source = impl_.source_text.line(frame.file, frame.line);
      frames.push_back(frame);
    }
    if (!frames.empty()) return frames;
    Frame frame;
    frame.origin = FrameOrigin::kNative;
    frame.function = name_of_address(address, module);
    if (module != nullptr) frame.module = module->path;
    return {frame};
  }

  // "libfoo.so+0x1234" (the address in the file, as addr2line takes it), or the bare address.
  std::string_view name_of_address(uint64_t address, const Module* module) const {
    char number[24];
    std::string name;
    if (module != nullptr && !module->path.empty()) {
      std::snprintf(number, sizeof number, "+0x%llx",
                    static_cast<unsigned long long>(address - module->load_bias));
      name = base_name(module->path);
    } else {
      std::snprintf(number, sizeof number, "0x%llx", static_cast<unsigned long long>(address));
    }
    name += number;
    return impl_.unresolved_names.intern(name);
  }

  const Capture::Impl& impl_;
  const uint32_t process_index_;
  const ProcessMetadata& process_;
};

}  // namespace

std::vector<Frame> Capture::frames(uint32_t process_index, uint32_t node, bool native,
                                   TaskFrames tasks) const {
  const auto process = impl_->metadata.find(process_index);
  if (process == impl_->metadata.end()) return {label_frame(kNoStack)};
  return StackReader(*impl_, process_index, process->second).read(node, native, tasks);
}

std::optional<Frame> Capture::task(uint32_t process_index, uint32_t node) const {
  const auto process = impl_->metadata.find(process_index);
  if (process == impl_->metadata.end()) return std::nullopt;
  return StackReader(*impl_, process_index, process->second).task_of(node);
}

bool Capture::has_tasks() const {
  return std::ranges::any_of(impl_->metadata,
                             [](const auto& process) { return process.second.nodes.has_tasks(); });
}

}  // namespace memlens::reader
