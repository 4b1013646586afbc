// The malloc family's hooks as the sampler knows them.
#pragma once

namespace memlens::interposer {

// From now on blocks that are not sampled pass the hottest of the hooks before anything else.
void let_unsampled_blocks_pass();

}  // namespace memlens::interposer
