// A small analysis made by hand: stacks of one letter a frame.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "report/view/stack_list.h"

namespace memlens::report::sample {

// "main load parse": outermost first, each a Python function of app.py, its line its length;
// "!name" is a native frame of libc.
inline std::vector<reader::Frame> frames_of(std::string_view calls) {
  std::vector<reader::Frame> frames;
  while (!calls.empty()) {
    const size_t blank = calls.find(' ');
    std::string_view name = calls.substr(0, blank);
    calls = blank == std::string_view::npos ? std::string_view() : calls.substr(blank + 1);
    reader::Frame frame;
    if (name.starts_with('!')) {
      frame.function = name.substr(1);
      frame.module = "/usr/lib/libc.so.6";
      frame.origin = reader::FrameOrigin::kNative;
    } else {
      frame.function = name;
      frame.file = "/src/app.py";
      frame.line = static_cast<uint32_t>(name.size());
      frame.origin = reader::FrameOrigin::kPython;
    }
    frames.insert(frames.begin(), frame);
  }
  return frames;
}

class Sample {
 public:
  // A site whose tally is the same in every view.
  Sample& add(std::string_view calls, uint64_t bytes, uint64_t blocks, uint32_t thread = 1,
              format::AllocationKind kind = format::AllocationKind::kMalloc) {
    const auto [node, added] = nodes_.try_emplace(calls, static_cast<uint32_t>(nodes_.size() + 1));
    if (added) stacks_.push_back(calls);
    const reader::Tally tally{bytes, blocks};
    sites.push_back({1, thread, node->second, kind, tally, tally, tally, tally});
    return *this;
  }

  FramesOf frames(bool native = true) const {
    return [this, native](uint32_t, uint32_t node) {
      std::vector<reader::Frame> frames = frames_of(stacks_[node - 1]);
      if (!native) {
        std::erase_if(frames,
                      [](const auto& f) { return f.origin == reader::FrameOrigin::kNative; });
      }
      return frames;
    };
  }

  std::vector<reader::Site> sites;

 private:
  std::map<std::string_view, uint32_t> nodes_;
  std::vector<std::string_view> stacks_;
};

// "main load parse" of a node, outermost first.
inline std::string calls_of(const FrameTree& tree, FrameTree::NodeId leaf) {
  std::string calls;
  tree.for_each_frame(leaf, [&](const reader::Frame& frame) {
    calls = std::string(frame.function) + (calls.empty() ? "" : " ") + calls;
  });
  return calls;
}

inline reader::CaptureInfo capture_info() {
  reader::CaptureInfo info;
  info.path = "app.mlens";
  info.complete = true;
  info.command = {"python3", "app.py"};
  info.working_directory = "/src";
  info.python = "3.11.2";
  info.duration_seconds = 2;
  reader::ProcessInfo process;
  process.index = 1;
  process.pid = 4711;
  info.processes.push_back(process);
  for (uint32_t index : {1u, 2u}) {
    reader::ThreadInfo thread;
    thread.process_index = 1;
    thread.index = index;
    thread.tid = 4710 + static_cast<int32_t>(index);
    info.threads.push_back(thread);
  }
  return info;
}

}  // namespace memlens::report::sample
