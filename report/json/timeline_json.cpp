#include "report/json/timeline_json.h"

#include "report/json/json_writer.h"

namespace memlens::report {

void write_timeline_json(std::ostream& out, const TimelinePicture& picture) {
  JsonWriter json(out);
  json.begin_object();
  json.member("schema", "memlens.timeline/1");
  json.member("title", picture.title);
  json.member("peak_bytes", picture.peak_bytes);
  json.member("peak_seconds", picture.peak_seconds);
  json.key("points");
  json.begin_array();
  for (const MemoryPoint& point : picture.points) {
    json.begin_compact_object();
    json.member("seconds", point.seconds);
    json.member("bytes", point.bytes);
    json.key("resident_bytes");
    point.resident_bytes != 0 ? json.value(point.resident_bytes) : json.null();
    json.end_object();
  }
  json.end_array();
  json.key("marks");
  json.begin_array();
  for (const reader::Mark& mark : picture.marks) {
    json.begin_compact_object();
    json.member("name", mark.name);
    json.member("seconds", mark.seconds);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
