#include "report/json/explain_json.h"

#include "report/json/json_writer.h"

namespace memlens::report {

void write_explain_json(std::ostream& out, const reader::CaptureInfo& info,
                        const std::vector<Finding>& findings) {
  JsonWriter json(out);
  json.begin_object();
  json.member("schema", "memlens.explain/1");
  json.member("complete", info.is_whole());
  json.key("command");
  json.begin_compact_array();
  for (const std::string& argument : info.command) json.value(argument);
  json.end_array();
  json.key("findings");
  json.begin_array();
  for (const Finding& finding : findings) {
    json.begin_object();
    json.member("kind", finding_kind_name(finding.kind));
    json.member("severity", severity_name(finding.severity));
    json.member("certainty", certainty_name(finding.certainty));
    json.member("text", finding.text);
    json.key("bytes");
    finding.bytes ? json.value(*finding.bytes) : json.null();
    json.key("place");
    if (finding.place != nullptr) {
      json.begin_compact_object();
      json.member("function", finding.place->function);
      json.member("file", finding.place->file);
      json.member("line", finding.place->line);
      json.end_object();
    } else {
      json.null();
    }
    json.end_object();
  }
  json.end_array();
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
