#include "report/view/folded_stack.h"

#include <doctest/doctest.h>

#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;

namespace {

// Innermost first, remarks in brackets.
std::string folded(const std::vector<reader::Frame>& frames, size_t max_lines = 0) {
  FrameTree tree;
  const auto leaf = tree.intern(frames);
  std::string text;
  size_t frame_count = 0;
  for (const StackLine& line :
       fold_stack(tree, leaf, CodeOrigins(sample::capture_info()), max_lines)) {
    if (!text.empty()) text += " ";
    text += line.frame != nullptr ? std::string(line.frame->function) : "[" + line.remark + "]";
    frame_count += line.frame_count;
  }
  CHECK(frame_count == frames.size());
  return text;
}

}  // namespace

TEST_CASE("a stack without repetition is shown whole, innermost first") {
  CHECK(folded(sample::frames_of("a b c")) == "c b a");
}

TEST_CASE("recursion is shown once") {
  CHECK(folded(sample::frames_of("main f f f f leaf")) == "leaf f [the same, 3 times more] main");
}

TEST_CASE("recursion through several functions is shown once") {
  CHECK(folded(sample::frames_of("main f gg f gg f gg f gg")) ==
        "gg f [these 2, 3 times more] main");
}

TEST_CASE("a frame that stands twice is not a recursion worth a remark") {
  CHECK(folded(sample::frames_of("main f f")) == "f f main");
}

TEST_CASE("frames of the import system are one line") {
  std::vector<reader::Frame> frames = sample::frames_of("main mod");
  reader::Frame import;
  import.function = "_load";
  import.file = "<frozen importlib._bootstrap>";
  import.origin = reader::FrameOrigin::kPython;
  for (uint32_t line : {1u, 2u, 3u, 4u}) {
    import.line = line;
    frames.insert(frames.begin() + 1, import);
  }
  CHECK(folded(frames) == "mod [4 import frames] main");
}

TEST_CASE("of the C++ library only what the program called is shown") {
  CHECK(folded(sample::frames_of("main !std::vector::insert !std::a !std::b !std::c")) ==
        "[3 library frames] std::vector::insert main");
}

TEST_CASE("frames without names are one line, unless nothing else is there") {
  CHECK(folded(sample::frames_of("main f !libc.so.6+0x1 !libc.so.6+0x2 !libc.so.6+0x3")) ==
        "[3 frames without names] f main");
  CHECK(folded(sample::frames_of("main f !libc.so.6+0x1 !libc.so.6+0x2")) ==
        "libc.so.6+0x2 libc.so.6+0x1 f main");
  CHECK(folded(sample::frames_of("!libc.so.6+0x1 !libc.so.6+0x2 !libc.so.6+0x3")) ==
        "libc.so.6+0x3 libc.so.6+0x2 libc.so.6+0x1");
}

TEST_CASE("a long stack keeps the frame that one looks for, and who called it") {
  CHECK(folded(sample::frames_of("!a !b !c !d main f !e !g !h !i !j !k !l !m"), 8) ==
        "m l [6 frames left out] f main [2 frames left out] b a");
  CHECK(folded(sample::frames_of("!a !b main f !e !g !h !i !j !k !l !m"), 8) ==
        "m l [6 frames left out] f main b a");
}

TEST_CASE("a long stack keeps both ends") {
  CHECK(folded(sample::frames_of("a b c d e f g h i j"), 7) == "j i h g [4 frames left out] b a");
  CHECK(folded(sample::frames_of("a b c d e f g"), 7) == "g f e d c b a");
}
