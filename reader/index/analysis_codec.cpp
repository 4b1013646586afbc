#include "reader/index/analysis_codec.h"

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "interposer/format/primitives.h"

namespace memlens::reader {

namespace {

// Each structure is listed once, for writing and for reading: a member that is left out is missing
// both ways, and the tests see it.

class Writer {
 public:
  template <typename... Values>
  void operator()(const Values&... values) {
    (add(values), ...);
  }

  template <typename Item, typename Visit>
  void list(const std::vector<Item>& items, const Visit& visit) {
    add(items.size());
    for (const Item& item : items) visit(*this, item);
  }

  std::string take() { return std::move(bytes_); }

 private:
  template <std::unsigned_integral Value>
  void add(const Value& value) {
    uint8_t encoded[format::kMaxVarintBytes];
    const uint8_t* end = format::encode_varint(encoded, uint64_t{value});
    bytes_.append(reinterpret_cast<const char*>(encoded), static_cast<size_t>(end - encoded));
  }
  template <typename Value>
  requires std::is_enum_v<Value>
  void add(const Value& value) {
    add(static_cast<std::make_unsigned_t<std::underlying_type_t<Value>>>(value));
  }
  void add(const double& value) { add(__builtin_bswap64(std::bit_cast<uint64_t>(value))); }

  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}

  template <typename... Values>
  void operator()(Values&... values) {
    (read(values), ...);
  }

  template <typename Item, typename Visit>
  void list(std::vector<Item>& items, const Visit& visit) {
    uint64_t count = 0;
    read(count);
    // Every item takes a byte or more.
    if (count > bytes_.remaining_bytes()) throw PayloadError("a list is longer than its bytes");
    items.resize(count);
    for (Item& item : items) visit(*this, item);
  }

  void finish() const {
    if (!bytes_.empty()) throw PayloadError("there is more than there should be");
  }

 private:
  template <std::unsigned_integral Value>
  void read(Value& value) {
    value = static_cast<Value>(bytes_.read_varint());
  }
  template <typename Value>
  requires std::is_enum_v<Value>
  void read(Value& value) { value = static_cast<Value>(bytes_.read_varint()); }
  void read(double& value) {
    uint64_t bits = 0;
    read(bits);
    value = std::bit_cast<double>(__builtin_bswap64(bits));
  }

  ByteView bytes_;
};

template <typename Archive, typename Tally>
void pass_tally(Archive& archive, Tally& tally) {
  archive(tally.bytes, tally.blocks);
}

template <typename Archive, typename Variance>
void pass_variance(Archive& archive, Variance& variance) {
  archive(variance.bytes, variance.blocks);
}

template <typename Archive, typename Sums>
void pass_sums(Archive& archive, Sums& analysis) {
  auto& totals = analysis.totals;
  archive(totals.allocations, totals.frees, totals.allocated_bytes, totals.peak_bytes,
          totals.peak_blocks, totals.peak_seconds, totals.leaked_bytes, totals.leaked_blocks,
          totals.temporary_bytes, totals.temporary_blocks, totals.unmatched_frees,
          totals.replaced_blocks, totals.lost_events, totals.events, totals.peak_is_exact,
          totals.sample_bytes);
  // Of samples only, so that other analyses are not twice as large for zeros.
  const bool sampled = totals.sample_bytes != 0;
  if (sampled) {
    pass_variance(archive, totals.peak_variance);
    pass_variance(archive, totals.leaked_variance);
    pass_variance(archive, totals.temporary_variance);
    pass_variance(archive, totals.allocated_variance);
  }
  for (auto& allocator : totals.by_allocator) {
    archive(allocator.allocations, allocator.allocated_bytes, allocator.peak_bytes,
            allocator.leaked_bytes);
  }
  archive.list(analysis.sites, [sampled](Archive& each, auto& site) {
    each(site.process_index, site.thread_index, site.node, site.kind);
    pass_tally(each, site.peak);
    pass_tally(each, site.leaked);
    pass_tally(each, site.temporary);
    pass_tally(each, site.allocated);
    if (!sampled) return;
    pass_variance(each, site.peak.variance);
    pass_variance(each, site.leaked.variance);
    pass_variance(each, site.temporary.variance);
    pass_variance(each, site.allocated.variance);
  });
  archive.list(analysis.timeline, [](Archive& each, auto& point) {
    each(point.seconds, point.bytes, point.high_bytes);
  });
}

template <typename Archive, typename Matrix>
void pass_ranges(Archive& archive, Matrix& ranges) {
  archive(ranges.from_seconds, ranges.to_seconds);
  archive.list(ranges.buckets,
               [](Archive& each, auto& bucket) { each(bucket.high_bytes, bucket.high_seconds); });
  archive.list(ranges.sites, [](Archive& each, auto& site) {
    each.list(site.cells, [](Archive& inner, auto& cell) {
      inner(cell.allocated, cell.removed, cell.unfreed);
      pass_tally(inner, cell.tally);
    });
    each.list(site.sizes, [](Archive& inner, auto& size) { inner(size.size_class, size.blocks); });
  });
  archive.list(ranges.processes, [](Archive& each, auto& curve) {
    each(curve.process_index);
    each.list(curve.high_bytes, [](Archive& inner, auto& bytes) { inner(bytes); });
  });
}

}  // namespace

std::string encode_sums(const Analysis& analysis) {
  Writer writer;
  pass_sums(writer, analysis);
  return writer.take();
}

std::string encode_ranges(const RangeMatrix& ranges) {
  Writer writer;
  pass_ranges(writer, ranges);
  return writer.take();
}

void decode_sums(ByteView bytes, Analysis& analysis) {
  Reader reader(bytes);
  pass_sums(reader, analysis);
  reader.finish();
}

void decode_ranges(ByteView bytes, RangeMatrix& ranges) {
  Reader reader(bytes);
  pass_ranges(reader, ranges);
  reader.finish();
}

}  // namespace memlens::reader
