#include "interposer/recording/message.h"

#include <unistd.h>

#include "reader/text/columns.h"

namespace memlens::recording {

void print_line(const std::string& text) {
  const std::string line = "memlens: " + printable(text) + "\n";
  // One write: the program's children may still write to the same terminal.
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace memlens::recording
