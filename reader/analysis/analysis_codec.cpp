#include "reader/analysis/analysis_codec.h"

#include "reader/cache/archive.h"
#include "reader/cache/archive_left_out.h"

namespace memlens::reader {

namespace {

template <typename Archive, typename Tally>
void pass_tally(Archive& archive, Tally& tally) {
  archive(tally.bytes, tally.blocks);
}

template <typename Archive, typename Variance>
void pass_variance(Archive& archive, Variance& variance) {
  archive(variance.bytes, variance.blocks);
}

// As one more than the value, 0: none.
void pass_optional(ArchiveWriter& archive, const std::optional<uint64_t>& value) {
  archive(value ? *value + 1 : uint64_t{0});
}
void pass_optional(ArchiveReader& archive, std::optional<uint64_t>& value) {
  uint64_t stored = 0;
  archive(stored);
  value = stored == 0 ? std::nullopt : std::optional(stored - 1);
}

template <typename Archive, typename Sums>
void pass_sums(Archive& archive, Sums& analysis) {
  auto& totals = analysis.totals;
  archive(totals.allocations, totals.frees, totals.allocated_bytes, totals.peak_bytes,
          totals.peak_blocks, totals.peak_seconds, totals.leaked_bytes, totals.leaked_blocks,
          totals.temporary_bytes, totals.temporary_blocks, totals.unmatched_frees,
          totals.inherited_frees, totals.replaced_blocks, totals.lost_events, totals.events,
          totals.peak_is_exact, totals.sample_bytes);
  // Of samples only, so that other analyses are not twice as large for zeros.
  const bool sampled = totals.sample_bytes != 0;
  if (sampled) {
    pass_variance(archive, totals.peak_variance);
    pass_variance(archive, totals.leaked_variance);
    pass_variance(archive, totals.temporary_variance);
    pass_variance(archive, totals.allocated_variance);
  }
  archive.list(totals.by_allocator, [](Archive& each, auto& allocator) {
    each(allocator.allocations, allocator.allocated_bytes, allocator.peak_bytes,
         allocator.leaked_bytes);
  });
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
  pass_optional(archive, totals.untouched_at_peak_bytes);
  archive.list(analysis.untouched, [](Archive& each, auto& mapping) {
    each(mapping.site, mapping.bytes, mapping.at_peak);
  });
  archive.list(analysis.timeline, [](Archive& each, auto& point) {
    each(point.seconds, point.bytes, point.high_bytes);
  });
  archive.list(analysis.shutdowns, [](Archive& each, auto& shutdown) {
    each(shutdown.seconds, shutdown.process_index);
  });
  archive.list(analysis.marks, [](Archive& each, auto& mark) {
    each(mark.seconds, mark.process_index, mark.name);
  });
  pass_left_out(archive, analysis.left_out);
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
    each.list(site.temporary, [](Archive& inner, auto& temporary) {
      inner(temporary.bucket);
      pass_tally(inner, temporary.tally);
    });
    each.list(site.sizes, [](Archive& inner, auto& size) { inner(size.size_class, size.blocks); });
  });
  archive.list(ranges.processes, [](Archive& each, auto& curve) {
    each(curve.process_index);
    each.list(curve.high_bytes, [](Archive& inner, auto& bytes) { inner(bytes); });
  });
}

template <typename Archive, typename Growth>
void pass_growth(Archive& archive, Growth& growth) {
  archive.list(growth.seconds, [](Archive& each, auto& seconds) { each(seconds); });
  archive.list(growth.sites, [](Archive& each, auto& site) {
    each.list(site, [](Archive& inner, auto& point) {
      inner(point.bytes, point.blocks, point.variance, point.freed_variance);
    });
  });
  archive(growth.freed_at_exit_bytes);
  archive.list(growth.left_bytes, [](Archive& each, auto& bytes) { each(bytes); });
}

}  // namespace

std::string encode_sums(const Analysis& analysis) {
  ArchiveWriter writer;
  pass_sums(writer, analysis);
  return writer.take();
}

std::string encode_growth(const Growth& growth) {
  ArchiveWriter writer;
  pass_growth(writer, growth);
  return writer.take();
}

std::string encode_ranges(const RangeMatrix& ranges) {
  ArchiveWriter writer;
  pass_ranges(writer, ranges);
  return writer.take();
}

void decode_sums(ByteView bytes, Analysis& analysis) {
  ArchiveReader reader(bytes);
  pass_sums(reader, analysis);
  reader.finish();
}

void decode_growth(ByteView bytes, Growth& growth) {
  ArchiveReader reader(bytes);
  pass_growth(reader, growth);
  reader.finish();
}

void decode_ranges(ByteView bytes, RangeMatrix& ranges) {
  ArchiveReader reader(bytes);
  pass_ranges(reader, ranges);
  reader.finish();
}

}  // namespace memlens::reader
