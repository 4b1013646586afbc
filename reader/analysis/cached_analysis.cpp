#include "reader/analysis/cached_analysis.h"

#include <chrono>
#include <optional>
#include <vector>

#include "reader/analysis/analysis_codec.h"
#include "reader/analysis/analysis_key.h"
#include "reader/cache/cache_folder.h"
#include "reader/capture/capture_impl.h"
#include "reader/file/byte_view.h"

namespace memlens::reader {

namespace {

// What is stored: the sums; then, where a report wanted them, growth, and the range matrix. One
// with more serves reports that want less. How fine a matrix was asked for is told before it.
constexpr size_t kSumsParts = 1;
constexpr size_t kGrowthParts = 3;
constexpr size_t kRangesParts = 5;

std::vector<std::string> encode(const Analysis& analysis, const Query& query) {
  std::vector<std::string> parts{encode_sums(analysis)};
  parts.push_back(std::to_string(query.growth_marks));
  parts.push_back(analysis.growth ? encode_growth(*analysis.growth) : std::string());
  if (analysis.ranges) {
    parts.push_back(std::to_string(query.range_buckets));
    parts.push_back(encode_ranges(*analysis.ranges));
  }
  return parts;
}

std::optional<Analysis> decode(const std::vector<std::string>& parts, const Query& query) {
  Analysis analysis;
  try {
    decode_sums(ByteView(parts[0]), analysis);
    if (query.growth_marks > 0) {
      if (parts[1] != std::to_string(query.growth_marks)) return {};
      decode_growth(ByteView(parts[2]), analysis.growth.emplace());
    }
    if (query.range_buckets > 0) {
      if (parts[3] != std::to_string(query.range_buckets)) return {};
      decode_ranges(ByteView(parts[4]), analysis.ranges.emplace());
    }
  } catch (const PayloadError&) {
    return {};
  }
  return analysis;
}

}  // namespace

CacheOptions default_cache_options() {
  CacheOptions options;
  options.folder = CacheFolder::default_path();
  return options;
}

Analysis analyze_cached(const Capture& capture, const Query& query, const CacheOptions& options) {
  if (options.folder.empty()) return analyze(capture, query);
  const CacheFolder folder(options.folder, options.max_bytes);
  const std::string key = analysis_key(capture.impl().source, query);
  const size_t wanted = query.range_buckets > 0  ? kRangesParts
                        : query.growth_marks > 0 ? kGrowthParts
                                                 : kSumsParts;
  if (const auto parts = folder.load(key, wanted)) {
    if (std::optional<Analysis> analysis = decode(*parts, query)) return std::move(*analysis);
  }
  const auto start = std::chrono::steady_clock::now();
  Analysis analysis = analyze(capture, query);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  // One that is still being written has more the next time.
  if (passed.count() >= options.worth_seconds && !capture.info().running)
    folder.store(key, encode(analysis, query));
  return analysis;
}

}  // namespace memlens::reader
