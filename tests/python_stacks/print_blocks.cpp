// print_blocks CAPTURE LOW HIGH [native] [tasks]: the allocations of LOW to HIGH bytes in a
// capture, one JSON line each: {"process", "thread", "kind", "bytes", "frames": [[file, line,
// function], ...]}, in file order. The frames are Python's, innermost first, as the reader resolves
// them; "[label]" for others. With `native`, native frames too, as ["[native]", line, function];
// with `tasks`, stacks begin at their task, ["[task]", line, function].
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "reader/capture/capture.h"
#include "reader/capture/dump.h"

using memlens::reader::Capture;
using memlens::reader::DumpRecord;
using memlens::reader::Frame;
using memlens::reader::FrameOrigin;
using memlens::reader::TaskFrames;

namespace {

// The value of "name=value" in a record's text; empty when it is not there.
std::string_view field(std::string_view text, std::string_view name) {
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const size_t value = at + name.size();
    if ((at != 0 && text[at - 1] != ' ') || value >= text.size() || text[value] != '=') continue;
    const size_t end = text.find(' ', value);
    return text.substr(value + 1, end == std::string_view::npos ? end : end - value - 1);
  }
  return {};
}

uint64_t number(std::string_view text) {
  return std::strtoull(std::string(text).c_str(), nullptr, 10);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  bool native = false;
  auto tasks = TaskFrames::kHidden;
  for (int i = 4; i < argc; ++i) {
    native |= std::string_view(argv[i]) == "native";
    if (std::string_view(argv[i]) == "tasks") tasks = TaskFrames::kOutermost;
  }
  const uint64_t low = number(argv[2]);
  const uint64_t high = number(argv[3]);
  const Capture capture = Capture::open(argv[1]);
  memlens::reader::for_each_record(capture, [&](const DumpRecord& record) {
    if (record.type != "allocate") return;
    const uint64_t bytes = number(field(record.text, "bytes"));
    if (bytes < low || bytes > high) return;
    nlohmann::json frames = nlohmann::json::array();
    const auto node = static_cast<uint32_t>(number(field(record.text, "node")));
    for (const Frame& frame : capture.frames(record.process, node, native, tasks)) {
      if (frame.origin == FrameOrigin::kPython) {
        frames.push_back({std::string(frame.file), frame.line, std::string(frame.function)});
      } else if (frame.origin == FrameOrigin::kNative) {
        frames.push_back({"[native]", frame.line, std::string(frame.function)});
      } else if (frame.origin == FrameOrigin::kTask) {
        frames.push_back({"[task]", frame.line, std::string(frame.function)});
      } else {
        frames.push_back({"[label]", 0, std::string(frame.function)});
      }
    }
    const nlohmann::json line = {{"process", record.process},
                                 {"thread", record.thread},
                                 {"kind", std::string(field(record.text, "function"))},
                                 {"bytes", bytes},
                                 {"frames", frames}};
    std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  });
  return 0;
}
