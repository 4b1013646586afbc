// What was never touched of the mappings that live until their process exits, or are unmapped by
// the libraries that it puts away at the end.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "reader/analysis/mappings.h"
#include "reader/capture/process_metadata.h"

namespace memlens::reader {

// By the number of the mapping in its process.
using UntouchedBytes = std::unordered_map<uint32_t, uint64_t>;
using UntouchedOfProcesses = std::map<uint32_t, UntouchedBytes>;

// `mappings` are those left when the kernel was asked, `ranges` what the kernel said of its own
// ranges, which join neighbours: what of a range is no recorded mapping may be all of what is
// untouched there, so only the rest is beyond doubt. Mappings in one range have it in proportion to
// their sizes.
UntouchedBytes find_untouched(const Mappings& mappings, const std::vector<ResidentRange>& ranges);

}  // namespace memlens::reader
