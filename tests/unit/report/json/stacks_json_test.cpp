#include "report/json/stacks_json.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "report/json/json_writer.h"
#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;
using nlohmann::json;

TEST_CASE("what is written parses, whatever the bytes of a name") {
  std::ostringstream out;
  JsonWriter writer(out);
  writer.begin_object();
  writer.member("a\"\\\n\x01", std::string_view("\xFF\0z", 3));
  writer.key("list");
  writer.begin_array();
  writer.value(uint64_t{18446744073709551615u});
  writer.value(0.25);
  writer.value(false);
  writer.null();
  writer.begin_compact_object();
  writer.end_object();
  writer.end_array();
  writer.end_object();
  const json parsed = json::parse(out.str());
  CHECK(parsed["a\"\\\n\x01"] == std::string("\uFFFD\0z", 5));
  CHECK(parsed["list"] == json::parse("[18446744073709551615, 0.25, false, null, {}]"));
}

TEST_CASE("stacks are written innermost first with their totals") {
  sample::Sample sample;
  sample.add("main load !fopen", 600, 2, 2).add("main a", 300, 1);
  FrameTree tree;
  const StackList list(sample.sites, View::kLeaks, Grouping::kByThread, sample.frames(), tree);
  std::ostringstream out;
  write_stacks_json(out, sample::capture_info(), {}, View::kLeaks, list, tree, 1);
  const json parsed = json::parse(out.str());
  CHECK(parsed["schema"] == "memlens.stacks/1");
  CHECK(parsed["view"] == "leaks");
  CHECK(parsed["total_bytes"] == 900);
  CHECK(parsed["total_blocks"] == 3);
  CHECK(parsed["stack_count"] == 2);
  REQUIRE(parsed["stacks"].size() == 1);
  const json& stack = parsed["stacks"][0];
  CHECK(stack["bytes"] == 600);
  CHECK(stack["pid"] == 4711);
  CHECK(stack["thread"] == 4712);
  CHECK(stack["allocated_by"]["malloc"]["blocks"] == 2);
  CHECK(stack["frames"][0]["function"] == "fopen");
  CHECK(stack["frames"][0]["kind"] == "native");
  CHECK(stack["frames"][0]["file"] == "");
  CHECK(stack["frames"][2] ==
        json::parse(R"({"function": "main", "file": "/src/app.py", "line": 4, "kind": "python"})"));
}
