#include "reader/capture/inlined_frames.h"

#include <functional>
#include <span>

#include "reader/capture/capture_impl.h"
#include "reader/capture/symbol_map.h"

namespace memlens::reader {

size_t InlinedFrames::KeyHash::operator()(const Key& key) const {
  const std::hash<std::string_view> hash;
  return (hash(key.function) * 31 + hash(key.file)) * 0x9E3779B97F4A7C15u + key.line;
}

InlinedFrames::InlinedFrames(const Capture& capture) {
  for (const auto& [index, process] : capture.impl().metadata) {
    process.symbols.visit([this](uint64_t, std::span<const SymbolFrame> frames) {
      // Innermost first: the last is the function the machine code belongs to.
      for (size_t i = 0; i + 1 < frames.size(); ++i) {
        keys_.insert({frames[i].function, frames[i].file, frames[i].line});
      }
    });
  }
}

bool InlinedFrames::contains(const Frame& frame) const {
  return frame.origin == FrameOrigin::kNative &&
         keys_.contains({frame.function, frame.file, frame.line});
}

}  // namespace memlens::reader
