#include "report/view/check.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "report/exports/check_formats.h"
#include "report/json/baseline_json.h"
#include "report/json/check_json.h"
#include "report/terminal/check_report.h"
#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;
using nlohmann::json;

namespace {

CheckFacts facts_of(const sample::Sample& sample) {
  FrameTree tree;
  const auto stacks = sum_stacks(sample.sites, Grouping::kByFrames, sample.frames(), tree);
  reader::Totals totals;
  for (const reader::Site& site : sample.sites) {
    totals.peak_bytes += site.peak.bytes;
    totals.allocations += site.allocated.blocks;
  }
  return find_check_facts(sample::capture_info(), totals, stacks, tree,
                          CodeOrigins(sample::capture_info()));
}

std::string text_of(const CheckResult& result) {
  std::ostringstream out;
  print_check_report(out, Terminal{}, result);
  return out.str();
}

}  // namespace

TEST_CASE("a limit holds up to and with its value") {
  sample::Sample sample;
  sample.add("main a", 600, 2).add("main b", 400, 5);
  CheckLimits limits;
  limits.max_peak = 1000;
  limits.max_leaked = 999;
  limits.max_allocations = 7;
  const auto checked = check_limits(limits, facts_of(sample), {});
  REQUIRE(checked.size() == 3);
  CHECK(checked[0].holds());
  CHECK(!checked[1].holds());
  CHECK(checked[2].holds());
  CHECK(checked[1].place->function == "a");
  CHECK(checked[1].place->file == "app.py");
  CHECK(checked[2].place->function == "b");  // most allocations
}

TEST_CASE("the text is a line a limit with its name, the limit, the value and the place") {
  sample::Sample sample;
  sample.add("main a", 17'100'000, 2);
  CheckLimits limits;
  limits.max_peak = 10'000'000;
  limits.max_allocations = 5;
  CheckResult result{"app.mlens", check_limits(limits, facts_of(sample), {}), {}, ""};
  CHECK(text_of(result) ==
        "FAIL  max-peak         limit 10.0 MB, value 17.1 MB, most: a (app.py:1) 17.1 MB\n"
        "ok    max-allocations  limit 5, value 2, most: a (app.py:1) 2\n");
  CHECK(!result.holds());
}

TEST_CASE("what is over by a byte is said to the byte") {
  sample::Sample sample;
  sample.add("main a", 10'000'001, 1);
  CheckLimits limits;
  limits.max_peak = 10'000'000;
  const CheckResult result{"app.mlens", check_limits(limits, facts_of(sample), {}), {}, ""};
  CHECK(text_of(result).find("value 10.0 MB (10,000,001 of 10,000,000 bytes)") !=
        std::string::npos);
}

TEST_CASE("a baseline allows its tolerance, and names the place that grew most") {
  sample::Sample before, after;
  before.add("main a", 900'000, 1).add("main b", 100'000, 1);
  after.add("main a", 900'000, 1).add("main b", 180'000, 1);
  CheckLimits limits;
  limits.baseline = facts_of(before);
  limits.tolerance = 0.05;
  auto checked = check_limits(limits, facts_of(after), {});
  REQUIRE(checked.size() == 3);
  CHECK(checked[0].name == "baseline-peak");
  CHECK(checked[0].limit == 1'050'000);
  CHECK(!checked[0].holds());
  CHECK(checked[0].place->function == "b");
  CHECK(checked[0].place_change == 80'000);
  CHECK(checked[2].holds());
  limits.tolerance = 0.10;
  checked = check_limits(limits, facts_of(after), {});
  CHECK(checked[0].holds());
}

TEST_CASE("small differences are no failure unless a tolerance is given") {
  sample::Sample before, after;
  before.add("main a", 1'000, 10);
  after.add("main a", 3'000, 60);
  CheckLimits limits;
  limits.baseline = facts_of(before);
  for (const CheckedLimit& limit : check_limits(limits, facts_of(after), {})) CHECK(limit.holds());
  limits.tolerance = 0;
  for (const CheckedLimit& limit : check_limits(limits, facts_of(after), {})) {
    CHECK(!limit.holds());
  }
}

TEST_CASE("a stored baseline reads back as what it was made from") {
  sample::Sample sample;
  sample.add("main a", 600, 2).add("main b !x", 400, 5);
  const CheckFacts facts = facts_of(sample);
  std::ostringstream out;
  write_baseline_json(out, sample::capture_info(), facts);
  const CheckFacts read = read_baseline_json(out.str(), "b.json");
  CHECK(read.peak_bytes == 1000);
  CHECK(read.leaked_bytes == 1000);
  CHECK(read.allocations == 7);
  REQUIRE(read.peak_places.size() == 2);
  CHECK(read.peak_places[0].function == "a");
  CHECK(read.peak_places[0].bytes == 600);
  CHECK(read.allocated_places[0].function == "b");
  CHECK(out.str().size() < 2000);
}

TEST_CASE("what is no baseline says so in a line") {
  CHECK_THROWS_WITH(read_baseline_json(R"({"schema": "memlens.diff/1"})", "b.json"),
                    "b.json: 'memlens.diff/1' is no baseline; 'memlens check --write-baseline' "
                    "makes one");
  CHECK_THROWS(read_baseline_json("{", "b.json"));
  CHECK_THROWS(read_baseline_json(R"({"schema": "memlens.baseline/1"})", "b.json"));
}

TEST_CASE("annotations stand at the place, with what would end them escaped") {
  CheckResult result{"app.mlens", {}, {}, "leaks,x.supp"};
  CheckedLimit limit{"max-peak", CheckUnit::kBytes, 1000, 2000, 0, {}, {}, {}};
  limit.place = CheckPlace{"f\n%", "a,b:c.py", 12, 2000, 1};
  result.limits = {limit, {"max-leaked", CheckUnit::kBytes, 1000, 10, 0, {}, {}, {}}};
  result.suppressions = {{"unused", 3}};
  std::ostringstream out;
  write_github_annotations(out, result);
  const std::string text = out.str();
  CHECK(text.starts_with("::error file=a%2Cb%3Ac.py,line=12,title=memlens max-peak::max-peak: "));
  CHECK(text.find("::warning file=leaks%2Cx.supp,line=3,") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  std::ostringstream summary;
  write_github_summary(summary, result);
  CHECK(summary.str().find("| max-peak | **fails** | 1.00 kB | 2.00 kB |") != std::string::npos);
}

TEST_CASE("JUnit has a test case a limit, and is XML whatever a name holds") {
  CheckResult result{"a&b.mlens", {}, {}, ""};
  CheckedLimit limit{"max-peak", CheckUnit::kBytes, 1000, 2000, 0, {}, {}, {}};
  limit.place = CheckPlace{"operator<<\x01\"", "a.cpp", 12, 2000, 1};
  result.limits = {limit, {"max-leaked", CheckUnit::kBytes, 1000, 10, 0, {}, {}, {}}};
  std::ostringstream out;
  write_junit_xml(out, result);
  const std::string text = out.str();
  CHECK(text.find("tests=\"2\" failures=\"1\"") != std::string::npos);
  CHECK(text.find("classname=\"memlens.a&amp;b.mlens\" name=\"max-peak\" file=\"a.cpp\"") !=
        std::string::npos);
  CHECK(text.find("operator&lt;&lt;") != std::string::npos);
  CHECK(text.find('\x01') == std::string::npos);
}

TEST_CASE("the JSON of a check has every limit and suppression") {
  CheckResult result{"app.mlens", {}, {{"cache", 1, 2, {50, 3}}, {"unused", 2}}, "s.supp"};
  CheckedLimit limit{"max-growth", CheckUnit::kBytesPerSecond, 10, 2.5, 0, {}, {}, {}};
  result.limits = {limit};
  std::ostringstream out;
  write_check_json(out, result);
  const json parsed = json::parse(out.str());
  CHECK(parsed["schema"] == "memlens.check/1");
  CHECK(parsed["ok"] == true);
  CHECK(parsed["limits"][0]["value"] == 2.5);
  CHECK(parsed["limits"][0]["place"].is_null());
  CHECK(parsed["suppressed_bytes"] == 50);
  CHECK(parsed["suppressions"][1]["used"] == false);
}

TEST_CASE("what a stored baseline does not list did not grow from nothing") {
  std::vector<std::string> names;  // the samples' frames refer to them
  for (int i = 0; i < 40; ++i) names.push_back("main f" + std::to_string(i));
  sample::Sample before, after;
  for (size_t i = 0; i < names.size(); ++i) {
    const uint64_t bytes = 10'000 - 100 * i;
    before.add(names[i], bytes, 1);
    after.add(names[i], i == 3 ? bytes + 500 : bytes, 1);
  }
  std::ostringstream stored;
  write_baseline_json(stored, sample::capture_info(), facts_of(before));
  CheckLimits limits;
  limits.baseline = read_baseline_json(stored.str(), "stored.json");
  const auto checked = check_limits(limits, facts_of(after), {});
  CHECK(checked[0].place->function == "f3");
  CHECK(checked[0].place_change == 500);
  CHECK(!checked[2].place_change);  // as many allocations as before, everywhere
}
