// What the place a report is printed to can show.
#pragma once

#include <string>
#include <string_view>

namespace memlens::report {

enum class Paint : unsigned char { kPlain, kBold, kDim, kHot, kWarm };

struct Terminal {
  size_t columns = 100;
  bool unicode = true;  // lines and ellipses may be drawn
  bool color = false;

  std::string paint(Paint paint, std::string_view text) const;
};

// Width: COLUMNS, else the terminal's own, else 100 (a file or a pipe). Unicode: the locale's
// encoding is UTF-8 (call setlocale first). Colour: only on a terminal that is not "dumb", and not
// with NO_COLOR set.
Terminal detect_terminal(int descriptor);

}  // namespace memlens::report
