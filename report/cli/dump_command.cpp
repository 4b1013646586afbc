// memlens dump
#include <iostream>
#include <memory>

#include "reader/capture/dump.h"
#include "report/cli/command.h"
#include "report/cli/report_options.h"

namespace memlens::report::cli {
namespace {

int dump(const std::string& path) {
  ReportOptions options;
  options.capture_path = path;
  const reader::Capture capture = open_capture(options);
  reader::for_each_record(capture, [](const reader::DumpRecord& record) {
    std::cout << record.frame_offset << ' ' << record.process << '/' << record.thread << ' '
              << record.type << ' ' << record.text << '\n';
  });
  return 0;
}

}  // namespace

void add_dump_command(CLI::App& app, Action& chosen) {
  auto path = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("dump", "Every record of the file, one line each");
  command->footer(
      "A line is: offset of the frame in the file, process/thread, type, fields. The format is\n"
      "described in interposer/format/FORMAT.md. For looking into captures, not for reports.\n\n"
      "Example:\n"
      "  memlens dump app.mlens | grep ' allocate ' | head");
  add_capture_argument(*command, *path);
  command->callback([path, &chosen] { chosen = [path] { return dump(*path); }; });
}

}  // namespace memlens::report::cli
