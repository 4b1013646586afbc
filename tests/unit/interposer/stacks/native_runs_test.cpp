#include "interposer/stacks/native_runs.h"

#include <doctest/doctest.h>

#include <memory>

namespace {

using namespace memlens::interposer;
using unwind::Position;

// Three frames of four words each, on a stack of the test's own: the middle one saves the frame
// pointer, which the outermost uses to find its caller.
struct Stack {
  uintptr_t words[16] = {};
  NativeFrame frames[3] = {};  // outermost first

  uintptr_t at(int word) const { return reinterpret_cast<uintptr_t>(&words[word]); }

  Stack() {
    for (NativeFrame& frame : frames) frame.by_rule = 1;
    frames[2].pc = 100;
    frames[2].stack_pointer = at(0);
    frames[1].pc = 200;
    frames[1].stack_pointer = at(4);
    frames[1].frame_slot = at(6);
    frames[1].flags = NativeFrame::kRestoresFrame;
    frames[0].pc = 300;
    frames[0].stack_pointer = at(8);
    frames[0].frame_pointer = at(10);
    frames[0].flags = NativeFrame::kUsesFrame;
    words[3] = 200;
    words[6] = at(10);
    words[7] = 300;
    words[11] = 400;
  }
};

struct Climb {
  Stack stack;
  std::unique_ptr<FrameRuns> runs{new FrameRuns{}};
  unwind::StackMemory memory{};
  Position position{100, stack.at(0), 0, false};

  Climb() {
    REQUIRE(memory.enter(stack.at(0)));
    for (int i = 0; i < 8; ++i) runs->remember(stack.frames, 3, stack.at(12), 1);
  }
  bool follows(uint32_t generation = 1) {
    return runs->follow(memory, position, generation) != nullptr;
  }
};

}  // namespace

TEST_CASE("a run that is as it was leads to its caller, whoever that is") {
  Climb climb;
  climb.stack.words[11] = 401;
  REQUIRE(climb.follows());
  CHECK(climb.position.pc == 401);
  CHECK(climb.position.stack_pointer == climb.stack.at(12));
}

TEST_CASE("a run is not followed when a return address in it is another") {
  Climb climb;
  climb.stack.words[7] = 301;
  CHECK_FALSE(climb.follows());
  CHECK(climb.position.pc == 100);
}

TEST_CASE("a run is not followed when a saved frame pointer that matters is another") {
  Climb climb;
  climb.stack.words[6] = climb.stack.at(9);
  CHECK_FALSE(climb.follows());
}

TEST_CASE("a run is not followed under other rules, or from another place") {
  Climb climb;
  CHECK_FALSE(climb.follows(2));
  climb.position.stack_pointer += 8;
  CHECK_FALSE(climb.follows());
}
