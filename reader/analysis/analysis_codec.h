// An analysis as bytes, for the cache: exactly what analyze() returned, to the last bit.
//
// In parts, since most reports want only the first: `sums` is everything but growth and the range
// matrix, which can be many times as large.
#pragma once

#include <string>

#include "reader/analysis/analysis.h"
#include "reader/file/byte_view.h"

namespace memlens::reader {

std::string encode_sums(const Analysis& analysis);
std::string encode_growth(const Growth& growth);
std::string encode_ranges(const RangeMatrix& ranges);

// Throw PayloadError when the bytes are none of the above's.
void decode_sums(ByteView bytes, Analysis& analysis);
void decode_growth(ByteView bytes, Growth& growth);
void decode_ranges(ByteView bytes, RangeMatrix& ranges);

}  // namespace memlens::reader
