#include "report/exports/folded.h"

#include <vector>

#include "reader/text/columns.h"

namespace memlens::report {
namespace {

// A semicolon would be a frame more, a line end a stack more; "%" so that this can be undone.
std::string escaped(const std::string& label) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  for (const char c : label) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ';' || c == '%' || byte < 0x20 || byte == 0x7F) {
      text += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

void write_folded(std::ostream& out, const ExportSource& source, View view) {
  FrameTree tree;
  const StackList list(source.analysis.sites, view, Grouping::kByFrames, source.frames_of, tree);
  std::vector<std::string> labels;
  labels.reserve(tree.frames().size());
  for (const reader::Frame& frame : tree.frames()) {
    // Other bytes than UTF-8 are shown as what they are not: a name need not be text.
    labels.push_back(escaped(frame_label(frame, source.info.working_directory)));
  }
  std::vector<uint32_t> frames;
  for (const Stack& stack : list.stacks()) {
    frames.clear();
    for (FrameTree::NodeId node = stack.node; node != FrameTree::kRoot; node = tree.parent(node)) {
      frames.push_back(tree.frame_id(node));
    }
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
      out << (frame == frames.rbegin() ? "" : ";") << labels[*frame];
    }
    out << ' ' << stack.tally.bytes << '\n';
  }
}

}  // namespace memlens::report
