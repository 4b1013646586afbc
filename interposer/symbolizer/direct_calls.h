// Calls that lead from one place of a file to another without a slot: they cannot be redirected
// without changing code, so what they call is not recorded.
#pragma once

#include <string>
#include <vector>

#include "interposer/symbolizer/symbolizer.h"

namespace memlens::symbolizer {

// How many places in the file's code, but for those functions' own, call one of these functions,
// which it exports. An instruction is looked for at every byte, so chance finds one in some
// gigabytes of code. 0 where the processor's instructions are not known.
size_t count_direct_calls(const ModuleImage& module, const std::vector<std::string>& functions,
                          const SymbolizerOptions& options);

}  // namespace memlens::symbolizer
