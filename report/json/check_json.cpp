#include "report/json/check_json.h"

#include <cmath>

#include "report/json/json_writer.h"

namespace memlens::report {
namespace {

const char* unit_name(CheckUnit unit) {
  switch (unit) {
    case CheckUnit::kBytes:
      return "bytes";
    case CheckUnit::kBytesPerSecond:
      return "bytes_per_second";
    case CheckUnit::kAllocations:
      break;
  }
  return "allocations";
}

// Whole but for rates.
void write_amount(JsonWriter& json, const char* name, CheckUnit unit, double amount) {
  if (unit == CheckUnit::kBytesPerSecond) return json.member(name, amount);
  json.member(name, static_cast<uint64_t>(std::llround(amount)));
}

void write_limit(JsonWriter& json, const CheckedLimit& limit) {
  json.begin_object();
  json.member("name", std::string_view(limit.name));
  json.member("ok", limit.holds());
  json.member("unit", unit_name(limit.unit));
  write_amount(json, "limit", limit.unit, limit.limit);
  write_amount(json, "value", limit.unit, limit.value);
  if (limit.error > 0) json.member("value_error", limit.error);
  if (limit.baseline) write_amount(json, "baseline", limit.unit, *limit.baseline);
  json.key("place");
  if (limit.place) {
    json.begin_compact_object();
    json.member("function", std::string_view(limit.place->function));
    json.member("file", std::string_view(limit.place->file));
    json.member("line", limit.place->line);
    json.member("bytes", limit.place->bytes);
    json.member("blocks", limit.place->blocks);
    if (limit.place_change) json.member("change", *limit.place_change);
    json.end_object();
  } else {
    json.null();
  }
  json.end_object();
}

}  // namespace

void write_check_json(std::ostream& out, const CheckResult& result) {
  JsonWriter json(out);
  json.begin_object();
  json.member("schema", "memlens.check/1");
  json.member("capture", std::string_view(result.capture));
  json.member("ok", result.holds());
  json.key("limits");
  json.begin_array();
  for (const CheckedLimit& limit : result.limits) write_limit(json, limit);
  json.end_array();
  reader::Tally suppressed;
  uint64_t stacks = 0;
  for (const Suppression& suppression : result.suppressions) {
    suppressed += suppression.tally;
    stacks += suppression.stacks;
  }
  json.member("suppressed_bytes", suppressed.bytes);
  json.member("suppressed_blocks", suppressed.blocks);
  json.member("suppressed_stacks", stacks);
  json.key("suppressions");
  json.begin_array();
  for (const Suppression& suppression : result.suppressions) {
    json.begin_compact_object();
    json.member("pattern", std::string_view(suppression.pattern));
    json.member("line", static_cast<uint64_t>(suppression.line));
    json.member("used", suppression.stacks > 0);
    json.member("stacks", static_cast<uint64_t>(suppression.stacks));
    json.member("bytes", suppression.tally.bytes);
    json.member("blocks", suppression.tally.blocks);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
