// Signals that reach memlens while a program runs under it.
//
// The terminal sends its signals (Ctrl-C, Ctrl-\, Ctrl-Z) to the whole foreground group, the
// program included: memlens survives them and sends nothing on. What somebody sends to memlens
// alone, with kill(1) or as a service manager, is meant for the program and forwarded.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <vector>

namespace memlens::recording {

struct ReceivedSignal {
  int number = 0;
  bool from_terminal = false;  // by the kernel, to the group
  pid_t sender = 0;            // of the others
};

// Installs the handlers; call once, before the program is started. `wake` is called in the handler
// and must be safe there.
void catch_signals(void (*wake)());

// In the program's process, before exec: as this process found them.
void restore_original_signals();

// Whether memlens was started with this signal ignored: it is then for the program alone.
bool was_ignored(int number);

// Set by SIGINT and SIGTERM, for work that can be cut short.
std::atomic<bool>& end_wished();

// What has arrived since the last call, in order.
std::vector<ReceivedSignal> received_signals();

}  // namespace memlens::recording
