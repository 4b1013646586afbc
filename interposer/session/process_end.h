// What a process says of its end, and a parent of its child's, for the collector.
//
// The collector sees a death up to 10 ms late. Children that run strictly one after another would
// be alive together for so long, and their memory would be added up to a peak that never was. So a
// process leaves a time and a status in its slot as the last thing it does, and a parent does so
// for a child that it has waited for: it had ended before the parent went on, whatever killed it.
#pragma once

#include <cstdint>

namespace memlens::interposer {

// The real exit is next. Nothing happens in a child of vfork, whose memory is its parent's. Any
// context. `status`: as given to exit().
void say_last_word(int status);

// Registers say_last_word() as the exit handler that runs last. From the library's constructor.
void say_last_word_at_exit();

// wait has returned this child. `wait_status`: as of waitpid(). Any context; keeps errno.
void note_reaped(int32_t pid, int wait_status);

}  // namespace memlens::interposer
