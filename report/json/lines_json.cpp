#include "report/json/lines_json.h"

#include "report/json/json_writer.h"

namespace memlens::report {
namespace {

void write_columns(JsonWriter& json, const reader::Tally& peak, const reader::Tally& leaked,
                   const reader::Tally& temporary, const reader::Tally& allocated) {
  json.member("peak_bytes", peak.bytes);
  json.member("peak_blocks", peak.blocks);
  json.member("leaked_bytes", leaked.bytes);
  json.member("leaked_blocks", leaked.blocks);
  json.member("temporary_bytes", temporary.bytes);
  json.member("temporary_blocks", temporary.blocks);
  json.member("allocated_bytes", allocated.bytes);
  json.member("blocks", allocated.blocks);
}

}  // namespace

void write_lines_json(std::ostream& out, const reader::CaptureInfo& info,
                      const reader::Totals& totals, std::span<const SourceLine> lines) {
  JsonWriter json(out);
  json.begin_object();
  json.member("schema", "memlens.lines/1");
  json.member("complete", info.is_whole());
  if (info.sample_bytes != 0) json.member("sample_bytes", info.sample_bytes);
  json.key("totals");
  json.begin_object();
  write_columns(json, total_of(totals, View::kPeak), total_of(totals, View::kLeaks),
                total_of(totals, View::kTemporary), total_of(totals, View::kAllocations));
  json.end_object();
  json.key("lines");
  json.begin_array();
  for (const SourceLine& line : lines) {
    json.begin_object();
    json.member("function", line.frame->function);
    json.member("file", line.frame->file);
    json.member("line", line.frame->line);
    if (!line.frame->source.empty()) json.member("source", line.frame->source);
    write_columns(json, line.of(View::kPeak), line.of(View::kLeaks), line.of(View::kTemporary),
                  line.of(View::kAllocations));
    json.end_object();
  }
  json.end_array();
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
