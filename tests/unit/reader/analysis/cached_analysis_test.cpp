// A result from the index is the result of the pass, to the last bit.
#include "reader/analysis/cached_analysis.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "reader/analysis/analysis_codec.h"
#include "reader/capture/capture_impl.h"
#include "tests/support/history.h"
#include "tests/support/random_history.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using memlens::reader::Analysis;
using memlens::reader::CacheOptions;
using memlens::reader::Capture;
using memlens::reader::Query;
using memlens::testing::TemporaryFile;
namespace fs = std::filesystem;

namespace {

struct Index {
  Index() {
    char name[] = "/tmp/memlens-index-XXXXXX";
    options.folder = ::mkdtemp(name);
    options.worth_seconds = 0;
  }
  ~Index() { fs::remove_all(options.folder); }
  size_t files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(options.folder), fs::directory_iterator()));
  }
  CacheOptions options;
};

std::string capture_bytes(uint64_t seed) {
  return testing::write_history(
      testing::random_history(
          {.processes = 3, .threads = 3, .shutdown = true, .process_ends = true}, seed),
      {});
}

std::vector<Query> queries() {
  std::vector<Query> all(7);
  all[1].pid = 1002;
  all[2].tid = 102;
  all[3].from_seconds = 0.0002;
  all[4].to_seconds = 0.0007;
  all[5].temporary_threshold = 9;
  all[6].until_exit = true;
  return all;
}

}  // namespace

TEST_CASE("the second time gives what the first gave, for every query") {
  Index index;
  const TemporaryFile file(capture_bytes(1));
  const Capture capture = Capture::open(file.path());
  for (const unsigned range_buckets : {0u, 16u}) {
    for (Query query : queries()) {
      query.range_buckets = range_buckets;
      const Analysis expected = reader::analyze(capture, query);
      CHECK(reader::analyze_cached(capture, query, index.options) == expected);
      CHECK(reader::analyze_cached(capture, query, index.options) == expected);
    }
    // With ranges takes the place of without.
    CHECK(index.files() == queries().size());
  }
  // One stored with ranges serves those who do not want them.
  for (const Query& query : queries()) {
    CHECK(reader::analyze_cached(capture, query, index.options) == reader::analyze(capture, query));
  }
  CHECK(index.files() == queries().size());
}

TEST_CASE("the second time does not read the events") {
  Index index;
  const std::string bytes = capture_bytes(2);
  const TemporaryFile file(bytes);
  const Capture capture = Capture::open(file.path());
  const Analysis expected = reader::analyze_cached(capture, {}, index.options);
  // In the middle, where no key looks, and with the time of before.
  const auto written = fs::last_write_time(file.path());
  std::string emptied = bytes;
  for (size_t i = bytes.size() / 2; i < bytes.size() / 2 + 1000; ++i) emptied[i] = 0;
  std::ofstream(file.path(), std::ios::binary) << emptied;
  fs::last_write_time(file.path(), written);
  CHECK(reader::analyze_cached(capture, {}, index.options) == expected);
}

TEST_CASE("a capture that was changed is read again") {
  Index index;
  const TemporaryFile file(capture_bytes(3));
  const Analysis first = reader::analyze_cached(Capture::open(file.path()), {}, index.options);
  std::ofstream(file.path(), std::ios::binary) << capture_bytes(4);
  const Capture changed = Capture::open(file.path());
  const Analysis second = reader::analyze_cached(changed, {}, index.options);
  CHECK(second != first);
  CHECK(second == reader::analyze(changed, {}));
}

TEST_CASE("what stands in the index but makes no sense is computed again") {
  Index index;
  const TemporaryFile file(capture_bytes(5));
  const Capture capture = Capture::open(file.path());
  const Analysis expected = reader::analyze_cached(capture, {}, index.options);
  for (const auto& entry : fs::directory_iterator(index.options.folder))
    std::ofstream(entry.path(), std::ios::binary) << "nonsense";
  CHECK(reader::analyze_cached(capture, {}, index.options) == expected);
  CHECK(reader::analyze_cached(capture, {}, index.options) == expected);
}

TEST_CASE("quick passes are not stored, and without a folder nothing is") {
  Index index;
  const TemporaryFile file(capture_bytes(6));
  const Capture capture = Capture::open(file.path());
  index.options.worth_seconds = 1000;
  reader::analyze_cached(capture, {}, index.options);
  CHECK(index.files() == 0);
  CHECK(reader::analyze_cached(capture, {}, CacheOptions{}) == reader::analyze(capture, {}));
}

TEST_CASE("bytes cut short or too long are no analysis") {
  const TemporaryFile file(capture_bytes(7));
  Query query;
  query.range_buckets = 8;
  Analysis analysis = reader::analyze(Capture::open(file.path()), query);
  analysis.marks = {{0.5, 1, "warm"}, {0.75, 2, ""}};
  analysis.totals.peak_is_exact = false;
  const std::string sums = reader::encode_sums(analysis);
  const std::string ranges = reader::encode_ranges(*analysis.ranges);
  const auto decode = [](const std::string& some_sums, const std::string& some_ranges) {
    Analysis decoded;
    reader::decode_sums(reader::ByteView(some_sums), decoded);
    reader::decode_ranges(reader::ByteView(some_ranges), decoded.ranges.emplace());
    return decoded;
  };
  CHECK(decode(sums, ranges) == analysis);
  for (size_t i = 0; i < sums.size(); i += 7)
    CHECK_THROWS_AS(decode(sums.substr(0, i), ranges), reader::PayloadError);
  for (size_t i = 0; i < ranges.size(); i += 7)
    CHECK_THROWS_AS(decode(sums, ranges.substr(0, i)), reader::PayloadError);
  CHECK_THROWS_AS(decode(sums + '\0', ranges), reader::PayloadError);
}

TEST_CASE("a capture opened from the index is the same, and its events are found when wanted") {
  Index index;
  index.options.worth_frames = 0;
  const TemporaryFile file(capture_bytes(8));
  const Capture plain = Capture::open(file.path());
  const Analysis expected = reader::analyze(plain, {});
  for (const size_t files : {0, 1}) {
    CHECK(index.files() == files);
    const Capture capture = Capture::open(file.path(), index.options);
    CHECK(capture.impl().index.lists_chunks == (files == 0));
    CHECK(capture.info().threads.size() == plain.info().threads.size());
    CHECK(capture.info().duration_seconds == plain.info().duration_seconds);
    CHECK(capture.info().complete);
    CHECK(reader::analyze(capture, {}) == expected);
  }
}

TEST_CASE("where the frames of an interrupted or small capture are is not stored") {
  Index index;
  const std::string bytes = capture_bytes(9);
  const TemporaryFile whole(bytes);
  CHECK(Capture::open(whole.path(), index.options).info().complete);
  index.options.worth_frames = 0;
  const TemporaryFile cut(bytes.substr(0, bytes.size() - 1));
  CHECK_FALSE(Capture::open(cut.path(), index.options).info().complete);
  CHECK(index.files() == 0);
}
