#include "report/exports/speedscope.h"

#include "report/json/json_writer.h"
#include "report/terminal/wording.h"

namespace memlens::report {
namespace {

void write_frames(JsonWriter& json, const FrameTree& tree) {
  json.key("frames");
  json.begin_array();
  for (const reader::Frame& frame : tree.frames()) {
    json.begin_compact_object();
    json.member("name", frame.function);
    const std::string_view file = frame.file.empty() ? frame.module : frame.file;
    if (!file.empty()) json.member("file", file);
    if (!frame.file.empty() && frame.line != 0) json.member("line", frame.line);
    json.end_object();
  }
  json.end_array();
}

// Outermost first.
void write_sample(JsonWriter& json, const FrameTree& tree, FrameTree::NodeId leaf,
                  std::vector<uint32_t>& frames) {
  frames.clear();
  for (FrameTree::NodeId node = leaf; node != FrameTree::kRoot; node = tree.parent(node)) {
    frames.push_back(tree.frame_id(node));
  }
  json.begin_compact_array();
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) json.value(*frame);
  json.end_array();
}

}  // namespace

void write_speedscope(std::ostream& out, const ExportSource& source, View view) {
  FrameTree tree;
  const StackList list(source.analysis.sites, view, Grouping::kByFrames, source.frames_of, tree);
  const std::string name = command_text(source.info.command) + ": " + view_title(view);
  JsonWriter json(out);
  json.begin_object();
  json.member("$schema", "https://www.speedscope.app/file-format-schema.json");
  json.member("exporter", "memlens " MEMLENS_VERSION);
  json.member("name", std::string_view(name));
  json.member("activeProfileIndex", uint64_t{0});
  json.key("shared");
  json.begin_object();
  write_frames(json, tree);
  json.end_object();
  json.key("profiles");
  json.begin_array();
  json.begin_object();
  json.member("type", "sampled");
  json.member("name", std::string_view(name));
  json.member("unit", "bytes");
  json.member("startValue", uint64_t{0});
  json.member("endValue", list.total().bytes);
  json.key("samples");
  json.begin_array();
  std::vector<uint32_t> frames;
  for (const Stack& stack : list.stacks()) write_sample(json, tree, stack.node, frames);
  json.end_array();
  json.key("weights");
  json.begin_compact_array();
  for (const Stack& stack : list.stacks()) json.value(stack.tally.bytes);
  json.end_array();
  json.end_object();
  json.end_array();
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
