#include "report/json/baseline_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>

#include "report/json/json_writer.h"
#include "report/text/short_path.h"

namespace memlens::report {
namespace {

// Enough to name what grew, few enough to be reviewed.
constexpr size_t kStoredPlaces = 20;

void write_places(JsonWriter& json, const char* name, const std::vector<CheckPlace>& places) {
  json.key(name);
  json.begin_array();
  for (const CheckPlace& place : std::span(places).first(std::min(places.size(), kStoredPlaces))) {
    json.begin_compact_object();
    json.member("function", std::string_view(place.function));
    json.member("file", std::string_view(place.file));
    json.member("line", place.line);
    json.member("bytes", place.bytes);
    json.member("blocks", place.blocks);
    json.end_object();
  }
  json.end_array();
}

std::vector<CheckPlace> read_places(const nlohmann::json& document, const char* name) {
  std::vector<CheckPlace> places;
  if (!document.contains("top_locations")) return places;
  for (const nlohmann::json& place :
       document["top_locations"].value(name, nlohmann::json::array())) {
    // A summary has whole paths.
    const std::string file = place.at("file");
    places.push_back({place.at("function"), std::string(short_path(file, "")), place.at("line"),
                      place.at("bytes"), place.at("blocks")});
  }
  return places;
}

// Of the listed places' total `listed` of `whole` is accounted for; the lists are heaviest first.
uint64_t unlisted_at_most(const std::vector<CheckPlace>& places, uint64_t CheckPlace::*weight,
                          uint64_t whole) {
  uint64_t listed = 0;
  uint64_t least = whole;
  for (const CheckPlace& place : places) {
    listed += place.*weight;
    least = std::min(least, place.*weight);
  }
  return std::min(least, whole - std::min(whole, listed));
}

}  // namespace

void write_baseline_json(std::ostream& out, const reader::CaptureInfo& info,
                         const CheckFacts& facts) {
  JsonWriter json(out);
  json.begin_object();
  json.member("schema", "memlens.baseline/1");
  json.key("command");
  json.begin_compact_array();
  for (const std::string& argument : info.command) json.value(std::string_view(argument));
  json.end_array();
  json.member("recorded_by", std::string_view(info.recorded_by));
  json.member("peak_bytes", facts.peak_bytes);
  json.member("leaked_bytes", facts.leaked_bytes);
  json.member("allocations", facts.allocations);
  json.key("top_locations");
  json.begin_object();
  write_places(json, "peak", facts.peak_places);
  write_places(json, "leaks", facts.leaked_places);
  write_places(json, "allocations", facts.allocated_places);
  json.end_object();
  json.end_object();
  json.finish();
}

CheckFacts read_baseline_json(const std::string& text, const std::string& name) {
  try {
    const nlohmann::json document = nlohmann::json::parse(text);
    const std::string schema = document.at("schema");
    if (schema != "memlens.baseline/1" && schema != "memlens.summary/1") {
      throw std::runtime_error(name + ": '" + schema +
                               "' is no baseline; 'memlens check --write-baseline' makes one");
    }
    CheckFacts facts;
    facts.peak_bytes = document.at("peak_bytes");
    facts.leaked_bytes = document.at("leaked_bytes");
    facts.allocations = document.at("allocations");
    facts.peak_places = read_places(document, "peak");
    facts.leaked_places = read_places(document, "leaks");
    facts.allocated_places = read_places(document, "allocations");
    facts.peak_unlisted = unlisted_at_most(facts.peak_places, &CheckPlace::bytes, facts.peak_bytes);
    facts.leaked_unlisted =
        unlisted_at_most(facts.leaked_places, &CheckPlace::bytes, facts.leaked_bytes);
    facts.allocated_unlisted =
        unlisted_at_most(facts.allocated_places, &CheckPlace::blocks, facts.allocations);
    return facts;
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(name + ": is neither a capture nor a baseline: " + error.what());
  }
}

}  // namespace memlens::report
