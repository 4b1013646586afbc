// A terminal taken over for a while: every key as it is typed, lines drawn in place, everything as
// it was in the end, whatever ends it.
#pragma once

#include <termios.h>

#include <string>
#include <vector>

namespace memlens::report::cli {

class LiveKeyboard {
 public:
  // Standard input and output are a terminal.
  LiveKeyboard();
  ~LiveKeyboard();
  LiveKeyboard(const LiveKeyboard&) = delete;
  LiveKeyboard& operator=(const LiveKeyboard&) = delete;

  enum Key : int {
    kNone = 0,
    kEscape = 27,
    kEnter = '\n',
    kBackspace = 127,
    kUp = 1000,
    kDown,
    kPageUp,
    kPageDown,
    kHome,
    kEnd,
    kGone,    // the terminal is
    kRedraw,  // its size has changed, or it comes back from a stop
  };
  // The next key, after at most `milliseconds`; kNone: there was none.
  int key(int milliseconds);

  // Lines from the top on; what was there is overwritten, without a moment of nothing in between.
  void draw(const std::vector<std::string>& lines);

  struct Size {
    size_t columns = 80;
    size_t rows = 24;
  };
  static Size size();

 private:
  int read_byte(int milliseconds);

  termios before_{};
};

}  // namespace memlens::report::cli
