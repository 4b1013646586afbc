// The live view as lines of text: what is on the screen, without a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reader/capture/capture.h"
#include "report/live/live_places.h"
#include "report/terminal/terminal.h"

namespace memlens::report {

struct LiveScreen {
  const reader::CaptureInfo* info = nullptr;
  const LivePlaces* places = nullptr;
  std::optional<uint64_t> resident_bytes;
  LiveOrder order = LiveOrder::kHeld;
  std::string filter;
  size_t first_row = 0;  // of the list, that is shown
  bool paused = false;
  bool exact = true;
  bool help = false;
  // The last line: what was just done, or what is being typed; empty: the keys.
  std::string message;
};

// At most `rows` lines, each at most terminal.columns wide; 0: as many as there is to say, and no
// keys.
std::vector<std::string> draw_live(const LiveScreen& screen, const Terminal& terminal, size_t rows);

// How many places draw_live has room for.
size_t live_list_rows(size_t rows);

// The sum of what the living processes have resident, by their latest samples.
std::optional<uint64_t> resident_now(const reader::Capture& capture);

}  // namespace memlens::report
