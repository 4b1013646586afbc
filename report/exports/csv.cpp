#include "report/exports/csv.h"

#include "reader/text/columns.h"
#include "report/view/responsible.h"

namespace memlens::report {
namespace {

// Quoted always, on one line. Names come from programs nobody vouches for: a function called
// "=cmd|..." must not run in the spreadsheet of whoever looks for a leak.
std::string text_cell(std::string_view text) {
  std::string cell = "\"";
  if (!text.empty() && std::string_view("=+-@\t\r\n|").find(text[0]) != std::string_view::npos) {
    cell += '\'';
  }
  for (const char c : printable(text)) cell += c == '"' ? std::string("\"\"") : std::string(1, c);
  return cell + '"';
}

class CsvView {
 public:
  CsvView(std::ostream& out, const ExportSource& source, View view)
      : out_(out),
        source_(source),
        view_(view),
        list_(source.analysis.sites, view, Grouping::kByThread, source.frames_of, tree_) {}

  void write() {
    const ResponsibleNodes responsible(tree_, source_.origins);
    for (const Stack& stack : list_.stacks()) {
      const reader::Frame& frame = tree_.frame(responsible.of(stack.node));
      out_ << view_name(view_) << ',' << stack.tally.bytes << ',' << stack.tally.blocks << ','
           << pid_of(source_.info, stack.process_index) << ','
           << tid_of(source_.info, stack.process_index, stack.thread_index) << ','
           << text_cell(frame.function) << ',' << text_cell(frame.file) << ',';
      if (frame.line != 0) out_ << frame.line;
      out_ << ',' << text_cell(stack_text(stack.node)) << '\n';
    }
  }

 private:
  // "outer;inner;leaf".
  std::string stack_text(FrameTree::NodeId leaf) {
    frames_.clear();
    tree_.for_each_frame(leaf, [&](const reader::Frame& frame) { frames_.push_back(&frame); });
    std::string text;
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
      if (!text.empty()) text += ';';
      text += (*frame)->function;
    }
    return text;
  }

  std::ostream& out_;
  const ExportSource& source_;
  const View view_;
  FrameTree tree_;
  const StackList list_;
  std::vector<const reader::Frame*> frames_;
};

}  // namespace

void write_csv(std::ostream& out, const ExportSource& source, std::span<const View> views) {
  out << "view,bytes,blocks,pid,thread,function,file,line,stack\n";
  for (const View view : views) CsvView(out, source, view).write();
}

}  // namespace memlens::report
