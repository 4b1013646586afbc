// SIGUSR2 as a mark, where the recording asks for it (`--mark-on-usr2`).
#pragma once

namespace memlens::interposer {

// Takes SIGUSR2 where it would end the program: a handler of the program's own, or its wish to
// ignore the signal, stays, and one that it sets later replaces ours. Once taken it stays taken:
// a signal that comes after the recording is to do no harm. Precondition: joining a session.
void take_mark_signal();

}  // namespace memlens::interposer
