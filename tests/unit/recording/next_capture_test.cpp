// A recording that goes on in another file, and in another one after that: what is live in the end
// is what one file would have said.
#include "interposer/recording/next_capture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"
#include "tests/support/growing_file.h"
#include "tests/support/history.h"
#include "tests/support/history_oracle.h"
#include "tests/support/random_history.h"

namespace memlens::recording {
namespace {

using testing::HistoryEvent;
using testing::WritingOptions;

constexpr uint64_t kAll = UINT64_MAX;
const std::atomic<bool> never{false};

// A mapping that was unmapped in part is as many blocks as it has pieces.
void check_live(const reader::Analysis& last, const reader::Analysis& whole, bool mappings) {
  CHECK(last.totals.leaked_bytes == whole.totals.leaked_bytes);
  if (mappings) return;
  CHECK(last.totals.leaked_blocks == whole.totals.leaked_blocks);
  CHECK(last.totals.allocations - last.totals.frees == last.totals.leaked_blocks);
  const auto own = testing::sites_by_name(last);
  for (const auto& [name, site] : testing::sites_by_name(whole)) {
    if (site.leaked == reader::Tally{}) continue;
    const auto found = own.find(name);
    REQUIRE(found != own.end());
    CHECK(found->second.leaked == site.leaked);
  }
}

// Goes on in another file at each of some moments, of which the next is not known.
void go_on(const std::vector<HistoryEvent>& history, WritingOptions options, uint64_t seed,
           size_t files, bool mappings = false) {
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < files; ++i) {
    size_t look = random() % history.size();
    // Not between a free and its undo, nor within a mremap.
    while (look > 0 && history[look].action != testing::Action::kAllocate) --look;
    options.looks.push_back(look);
  }
  std::ranges::sort(options.looks);
  const auto twice = std::ranges::unique(options.looks);
  options.looks.erase(twice.begin(), twice.end());
  const std::string bytes = testing::write_history(history, options);
  const testing::TemporaryFile whole_file(bytes);
  const std::vector<size_t> ends = testing::ends_of(bytes, format::FrameKind::kSoFar);
  CAPTURE(seed);

  testing::GrowingFile first;
  size_t written = 0;
  std::vector<std::unique_ptr<testing::TemporaryFile>> paths;
  std::vector<std::unique_ptr<NextCapture>> chain;
  const auto write_until = [&](size_t end) {
    first.append(std::string_view(bytes).substr(written, end - written));
    written = end;
    for (const auto& next : chain) REQUIRE(next->catch_up(kAll));
  };
  for (const size_t end : ends) {
    write_until(end);
    const std::string from = paths.empty() ? first.path() : paths.back()->path();
    paths.push_back(std::make_unique<testing::TemporaryFile>(""));
    chain.push_back(std::make_unique<NextCapture>(from, paths.back()->path()));
    REQUIRE(chain.back()->begin(never) == NextCapture::Begun::kYes);
  }
  write_until(bytes.size());
  const reader::Capture whole = reader::Capture::open(whole_file.path());
  const reader::Analysis wanted = reader::analyze(whole, reader::Query{});
  for (const auto& path : paths) {
    const reader::Capture last = reader::Capture::open(path->path());
    const reader::Analysis found = reader::analyze(last, reader::Query{});
    check_live(found, wanted, mappings);
    CHECK(found.totals.replaced_blocks <= wanted.totals.replaced_blocks);
  }
}

TEST_CASE("one thread goes on in other files") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    go_on(testing::random_history({.events = 1000, .mappings = false}, seed),
          {.events_per_chunk = 37, .compress = seed % 2 == 0}, seed, 3);
  }
}

TEST_CASE("threads in owner epochs go on in other files") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    go_on(testing::random_history({.events = 2000, .threads = 5, .mappings = false}, seed),
          {.events_per_chunk = 50}, seed, 3);
  }
}

TEST_CASE("threads in shared epochs go on in other files") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    go_on(testing::random_history(
              {.events = 2000, .threads = 4, .mappings = false, .thread_run = 2}, seed),
          {.shared_epochs = true,
           .events_per_epoch = seed % 2 == 0 ? size_t{300} : size_t{100'000},
           .events_per_chunk = 40},
          seed, 3);
  }
}

TEST_CASE("processes with mappings go on in other files") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    go_on(testing::random_history({.events = 1500, .processes = 3, .threads = 3, .thread_run = 2},
                                  seed),
          {.shared_epochs = seed % 3 != 0, .events_per_epoch = 400, .events_per_chunk = 30}, seed,
          3,
          /*mappings=*/true);
  }
}

}  // namespace
}  // namespace memlens::recording
