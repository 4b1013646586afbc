// memlens export
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>

#include "report/cli/answer_commands.h"
#include "report/cli/report_file.h"
#include "report/cli/report_options.h"
#include "report/exports/csv.h"
#include "report/exports/dhat.h"
#include "report/exports/folded.h"
#include "report/exports/perfetto.h"
#include "report/exports/pprof.h"
#include "report/exports/speedscope.h"

namespace memlens::report::cli {
namespace {

struct ExportOptions : ReportOptions {
  std::string format;
  std::optional<View> view;
  std::string output_path;
  bool force = false;
};

struct ExportFormat {
  const char* name;
  const char* extension;
};

constexpr ExportFormat kFormats[] = {{"pprof", ".pb.gz"},       {"speedscope", ".speedscope.json"},
                                     {"folded", ".folded.txt"}, {"dhat", ".dhat.json"},
                                     {"csv", ".csv"},           {"perfetto", ".pftrace"},
                                     {"parquet", ".parquet"}};

std::string default_output_path(const ExportOptions& options) {
  std::string path = options.capture_path;
  if (path.ends_with(".mlens")) path.resize(path.size() - 6);
  for (const ExportFormat& format : kFormats) {
    if (options.format == format.name) path += format.extension;
  }
  return path;
}

// What a format cannot hold is said before the capture is read.
void check_format(const ExportOptions& options) {
  if (options.format == "parquet") {
    throw std::runtime_error(
        "parquet is written by the Python package, with pyarrow; --format csv has the same rows");
  }
  const bool whole = options.format == "dhat" || options.format == "perfetto";
  if (whole && options.view == View::kTemporary) {
    throw std::runtime_error("the " + options.format +
                             " format knows no temporary blocks; pprof, speedscope, folded and "
                             "csv have that view");
  }
}

void write_export(std::ostream& out, const ExportOptions& options, const ExportSource& source) {
  const View view = options.view.value_or(View::kPeak);
  if (options.format == "pprof") return write_pprof(out, source, options.view);
  if (options.format == "speedscope") return write_speedscope(out, source, view);
  if (options.format == "folded") return write_folded(out, source, view);
  if (options.format == "dhat") return write_dhat(out, source);
  if (options.format == "csv") return write_csv(out, source, std::span(&view, 1));
  write_perfetto(out, source, options.view == View::kPeak);
}

int export_capture(ExportOptions& options) {
  check_format(options);
  std::string path = options.output_path;
  if (path.empty()) {
    path = default_output_path(options);
    check_report_file(path, options.force);
  }
  std::error_code ignored;
  if (std::filesystem::equivalent(path, options.capture_path, ignored)) {
    throw std::runtime_error(path + ": is the capture itself");
  }
  const reader::Capture capture = open_capture(options);
  const reader::Analysis analysis = analyze(options, capture, options.query);
  const FramesOf frames_of = shown_frames(options, capture);
  const CodeOrigins origins = code_origins(options, capture);
  const reader::InlinedFrames inlined(capture);
  const ExportSource source{capture.info(), analysis, frames_of, origins, inlined};
  if (path == "-") {
    write_export(std::cout, options, source);
    return 0;
  }
  write_report_file(path, [&](std::ostream& out) { write_export(out, options, source); });
  std::cout << path << "\n";
  return 0;
}

}  // namespace

void add_export_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = app.add_subcommand("export", "Write a file that other profilers open");
  command->footer(
      "pprof       go tool pprof, Pyroscope, Parca: all allocated, and still allocated as "
      "\"inuse\";\n"
      "            with --view peak, \"inuse\" is what was alive at the peak\n"
      "speedscope  https://www.speedscope.app or npx speedscope\n"
      "folded      flamegraph.pl, inferno: a line a stack\n"
      "dhat        dh_view.html of valgrind, the Firefox Profiler: every view but temporary\n"
      "csv         spreadsheets, databases, data frames: a row a stack and thread\n"
      "perfetto    https://ui.perfetto.dev: allocated and unreleased; the peak with --view peak\n\n"
      "Examples:\n"
      "  memlens export app.mlens --format pprof -o app.pb.gz && go tool pprof -http : app.pb.gz\n"
      "  memlens export app.mlens --format speedscope --view leaks -o leaks.json\n"
      "  memlens export app.mlens --format folded -o - | flamegraph.pl > app.svg");
  add_report_options(*command, *options);
  add_threshold_option(*command, *options);
  std::vector<std::string> names;
  std::string text;
  for (const ExportFormat& format : kFormats) {
    names.emplace_back(format.name);
    text += (text.empty() ? "" : "|") + names.back();
  }
  command->add_option("--format", options->format, "What to write")
      ->required()
      ->check(CLI::IsMember(names))
      ->option_text(text);
  std::vector<std::string> views;
  views.reserve(std::size(kViews));
  for (const View view : kViews) views.emplace_back(view_name(view));
  command
      ->add_option_function<std::string>(
          "--view", [options](const std::string& name) { options->view = view_from_name(name); },
          "What is counted (default: peak, where a format has one view only)")
      ->check(CLI::IsMember(views))
      ->option_text("peak|leaks|temporary|allocations");
  command
      ->add_option("-o,--output", options->output_path,
                   "Where to write, - for standard output (default: beside the capture)")
      ->option_text("FILE");
  command->add_flag("-f,--force", options->force, "Overwrite the file beside the capture");
  command->callback(
      [options, &chosen] { chosen = [options] { return export_capture(*options); }; });
}

}  // namespace memlens::report::cli
