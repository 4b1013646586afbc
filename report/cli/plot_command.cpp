// memlens plot
#include <unistd.h>

#include <iostream>
#include <memory>

#include "report/cli/answer_commands.h"
#include "report/cli/report_file.h"
#include "report/cli/report_options.h"
#include "report/exports/timeline_svg.h"
#include "report/json/timeline_json.h"
#include "report/terminal/wording.h"

namespace memlens::report::cli {
namespace {

struct PlotOptions : ReportOptions {
  std::string output_path;
  std::string title;
  bool force = false;
  bool json = false;
};

std::string default_picture_path(std::string path) {
  if (path.ends_with(".mlens")) path.resize(path.size() - 6);
  return path + ".svg";
}

int plot_capture(PlotOptions& options) {
  std::string path = options.output_path;
  if (path.empty() && !options.json) {
    path = default_picture_path(options.capture_path);
    check_report_file(path, options.force);
  }
  const reader::Capture capture = open_capture(options);
  const reader::Analysis analysis = analyze(options, capture, options.query);
  const std::vector<MemoryPoint> points = memory_over_time(
      capture.info(), analysis.timeline, capture.resident_samples(), options.query);
  const TimelinePicture picture{
      options.title.empty() ? command_text(capture.info().command) : options.title, points,
      capture.info().marks, analysis.totals.peak_bytes, analysis.totals.peak_seconds};
  if (options.json) {
    write_timeline_json(std::cout, picture);
  } else if (path == "-") {
    write_timeline_svg(std::cout, picture);
  } else {
    write_report_file(path, [&](std::ostream& out) { write_timeline_svg(out, picture); });
    std::cout << path << "\n";
  }
  return 0;
}

}  // namespace

void add_plot_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<PlotOptions>();
  CLI::App* command = app.add_subcommand("plot", "Memory over time as a picture (SVG)");
  command->footer(
      "The recorded blocks, what was resident beside them, the peak and the marks. PNG and PDF "
      "are\n"
      "written by the Python package, where matplotlib is installed.\n\n"
      "Examples:\n"
      "  memlens plot app.mlens                     app.svg\n"
      "  memlens plot app.mlens --from 2 -o - > from-2s.svg\n"
      "  memlens plot app.mlens -o app.png");
  add_report_options(*command, *options);
  command->add_option("--title", options->title, "Above the picture (default: what was run)")
      ->option_text("TEXT");
  command
      ->add_option("-o,--output", options->output_path,
                   "Where to write, - for standard output (default: beside the capture)")
      ->option_text("FILE.svg");
  command->add_flag("-f,--force", options->force, "Overwrite the file beside the capture");
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return plot_capture(*options); }; });
}

}  // namespace memlens::report::cli
