// The malloc family's hooks as the rest of the interposer knows them.
#pragma once

namespace memlens::interposer {

// `attention` (process.h) has changed: while samples are all that is asked for, what is none passes
// the hottest of the hooks before anything else.
void attention_has_changed();

}  // namespace memlens::interposer
