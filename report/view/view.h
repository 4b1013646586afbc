// The four ways to look at a capture.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "reader/analysis/analysis.h"

namespace memlens::report {

enum class View : uint8_t { kPeak, kLeaks, kTemporary, kAllocations };

inline constexpr std::array kViews = {View::kPeak, View::kLeaks, View::kTemporary,
                                      View::kAllocations};

// As users type it: "peak", "leaks", "temporary", "allocations".
constexpr std::string_view view_name(View view) {
  constexpr std::string_view kNames[] = {"peak", "leaks", "temporary", "allocations"};
  return kNames[static_cast<unsigned>(view)];
}

constexpr std::optional<View> view_from_name(std::string_view name) {
  for (View view : kViews) {
    if (view_name(view) == name) return view;
  }
  return std::nullopt;
}

constexpr const reader::Tally& tally_of(const reader::Site& site, View view) {
  switch (view) {
    case View::kPeak:
      return site.peak;
    case View::kLeaks:
      return site.leaked;
    case View::kTemporary:
      return site.temporary;
    case View::kAllocations:
      break;
  }
  return site.allocated;
}

constexpr reader::Tally total_of(const reader::Totals& totals, View view) {
  switch (view) {
    case View::kPeak:
      return {totals.peak_bytes, totals.peak_blocks, totals.peak_variance};
    case View::kLeaks:
      return {totals.leaked_bytes, totals.leaked_blocks, totals.leaked_variance};
    case View::kTemporary:
      return {totals.temporary_bytes, totals.temporary_blocks, totals.temporary_variance};
    case View::kAllocations:
      break;
  }
  return {totals.allocated_bytes, totals.allocations, totals.allocated_variance};
}

// What the view's stacks are sorted by. Temporary blocks cost time, not space: there the number of
// blocks says more than their size.
constexpr uint64_t weight_of(const reader::Tally& tally, View view) {
  return view == View::kTemporary ? tally.blocks : tally.bytes;
}

}  // namespace memlens::report
