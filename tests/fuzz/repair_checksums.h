// Makes a mutated capture get past its checksums, so that what they guard is tested as well.
#pragma once

#include <string>

namespace memlens::testing {

// Rewrites the file header's checksum and, frame by frame as far as they follow each other, both of
// each frame's.
void repair_checksums(std::string& capture);

}  // namespace memlens::testing
