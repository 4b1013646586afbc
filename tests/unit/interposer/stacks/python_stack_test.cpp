#include "interposer/stacks/python_stack.h"

#include <doctest/doctest.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../python/fake_interpreter.h"
#include "../python/recorded_definitions.h"
#include "interposer/python/code_table.h"
#include "interposer/python/known_layouts.h"
#include "interposer/python/runtime.h"

using namespace memlens::interposer;
using namespace memlens::interposer::python;

namespace {

struct Walked {
  explicit Walked(const Layout& layout) : python(layout), state(new PythonStackState{}) {
    forget_code_objects();
    recorded::clear();
    start_python_stacks();
  }
  std::vector<std::string> stack() { return recorded::stack_of(capture_python_stack(*state)); }

  FakeInterpreter python;
  std::unique_ptr<PythonStackState> state;
};

using Stack = std::vector<std::string>;

}  // namespace

TEST_CASE("a stack is its frames, outermost first") {
  for (const Layout& layout : kLayouts) {
    CAPTURE(layout.minor);
    Walked walked(layout);
    CHECK(walked.stack().empty());
    char* outer = walked.python.code("a.py", "outer", 1);
    char* inner = walked.python.code("a.py", "inner", 9);
    walked.python.push(outer, 4);
    CHECK(walked.stack() == Stack{"outer+4"});
    char* frame = walked.python.push(inner, 0);
    CHECK(walked.stack() == Stack{"outer+4", "inner+0"});
    walked.python.set_instruction(frame, 12);
    CHECK(walked.stack() == Stack{"outer+4", "inner+12"});
    walked.python.pop();
    CHECK(walked.stack() == Stack{"outer+4"});
  }
}

TEST_CASE("a frame that has not begun to run says so") {
  for (const Layout& layout : kLayouts) {
    Walked walked(layout);
    walked.python.push(walked.python.code("a.py", "f", 1), -2);
    CHECK(walked.stack() == Stack{"f+-1"});
  }
}

TEST_CASE("a change further out is seen while the innermost frame stays") {
  // The same frame, code and instruction, called from another place: what stopping the walk at the
  // first known frame would get wrong.
  for (const Layout& layout : kLayouts) {
    Walked walked(layout);
    char* outer = walked.python.push(walked.python.code("a.py", "outer", 1), 2);
    walked.python.push(walked.python.code("a.py", "middle", 1), 6);
    walked.python.push(walked.python.code("a.py", "inner", 1), 8);
    CHECK(walked.stack() == Stack{"outer+2", "middle+6", "inner+8"});
    walked.python.set_instruction(outer, 10);
    CHECK(walked.stack() == Stack{"outer+10", "middle+6", "inner+8"});
    char* other = walked.python.code("a.py", "other", 1);
    walked.python.set_code(outer, other);
    walked.python.set_instruction(outer, 10);
    CHECK(walked.stack() == Stack{"other+10", "middle+6", "inner+8"});
  }
}

TEST_CASE("a generator resumed by another caller stands on that caller") {
  for (const Layout& layout : kLayouts) {
    Walked walked(layout);
    char* generator = walked.python.loose_frame(walked.python.code("a.py", "gen", 1), 6);
    char* module = walked.python.push(walked.python.code("a.py", "module", 1), 2);
    char* first = walked.python.push(walked.python.code("a.py", "first", 1), 4);
    walked.python.link(generator, first);
    walked.python.set_innermost(generator);
    CHECK(walked.stack() == Stack{"module+2", "first+4", "gen+6"});
    walked.python.link(generator, module);
    CHECK(walked.stack() == Stack{"module+2", "gen+6"});
    walked.python.link(generator, first);
    CHECK(walked.stack() == Stack{"module+2", "first+4", "gen+6"});
  }
}

TEST_CASE("a frame that is kept and gone is not read") {
  constexpr size_t kPage = 4096;
  for (const Layout& layout : kLayouts) {
    CAPTURE(layout.minor);
    for (const int gone : {1, 2, 5}) {
      Walked walked(layout);
      std::vector<char*> frames;
      Stack before, after{"other+2"};
      for (int i = 0; i < 8; ++i) {
        const std::string name = "f" + std::to_string(i);
        frames.push_back(walked.python.push(walked.python.code("a.py", name, 1), 2 * i));
        before.push_back(name + "+" + std::to_string(2 * i));
        if (i > gone) after.push_back(before.back());
      }
      // As a generator's frame, in memory that is given back when it ends.
      void* const page =
          mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      REQUIRE(page != MAP_FAILED);
      auto* const generator = static_cast<char*>(page);
      walked.python.set_code(generator, walked.python.code("a.py", "gen", 1));
      walked.python.set_instruction(generator, 4);
      walked.python.link(generator, frames[static_cast<size_t>(gone) - 1]);
      walked.python.link(frames[static_cast<size_t>(gone) + 1], generator);
      before[static_cast<size_t>(gone)] = "gen+4";
      CHECK(walked.stack() == before);
      char* const other = walked.python.loose_frame(walked.python.code("a.py", "other", 1), 2);
      walked.python.link(other, nullptr);
      walked.python.link(frames[static_cast<size_t>(gone) + 1], other);
      REQUIRE(munmap(page, kPage) == 0);
      CHECK(walked.stack() == after);
    }
  }
}

TEST_CASE("a task stands below its coroutine's frame, by the name it has at the moment") {
  for (const Layout& layout : kLayouts) {
    CAPTURE(layout.minor);
    Walked walked(layout);
    char* loop = walked.python.code("/lib/asyncio/base_events.py", "run_once", 1);
    char* run = walked.python.code("/lib/asyncio/events.py", "Handle._run", 1);
    char* fetch = walked.python.code("a.py", "fetch", 1);
    walked.python.push(loop, 2);
    CHECK(walked.stack() == Stack{"run_once+2"});  // from here on, tasks are looked for
    char* handle_frame = walked.python.push(run, 4);
    CHECK(walked.stack() == Stack{"run_once+2", "Handle._run+4"});
    char* frame = walked.python.coroutine_frame(fetch, 6);
    char* task = walked.python.task(frame, nullptr);
    walked.python.run_task(handle_frame, task);
    CHECK(walked.stack() == Stack{"run_once+2", "Handle._run+4", "[task fetch]", "fetch+6"});
    walked.python.set_instruction(frame, 8);
    CHECK(walked.stack() == Stack{"run_once+2", "Handle._run+4", "[task fetch]", "fetch+8"});
    walked.python.set_task_name(task, "one");
    CHECK(walked.stack() == Stack{"run_once+2", "Handle._run+4", "[task one: fetch]", "fetch+8"});
    walked.python.set_task_name(task, "Task-12");
    walked.python.push(walked.python.code("a.py", "inner", 1), 2);
    CHECK(walked.stack() ==
          Stack{"run_once+2", "Handle._run+4", "[task fetch]", "fetch+8", "inner+2"});
    // Another task's coroutine in the same place.
    char* other = walked.python.task(frame, "other");
    walked.python.run_task(handle_frame, other);
    CHECK(walked.stack() ==
          Stack{"run_once+2", "Handle._run+4", "[task other: fetch]", "fetch+8", "inner+2"});
    walked.python.pop();
    walked.python.pop();
    CHECK(walked.stack() == Stack{"run_once+2", "Handle._run+4"});
    // One that runs no coroutine of a frame here says nothing of the stack.
    walked.python.push(fetch, 2);
    CHECK(walked.stack() == Stack{"run_once+2", "Handle._run+4", "fetch+2"});
  }
}

TEST_CASE("tasks' names are told apart up to a limit, and are one task beyond it") {
  Walked walked(kLayouts[3]);
  char* handle_frame =
      walked.python.push(walked.python.code("/lib/asyncio/events.py", "Handle._run", 1), 4);
  walked.stack();
  char* frame = walked.python.coroutine_frame(walked.python.code("a.py", "fetch", 1), 6);
  for (int i = 0; i < 1100; ++i) {
    const std::string name = "name " + std::to_string(i);
    walked.python.run_task(handle_frame, walked.python.task(frame, name.c_str()));
    const std::string task = i < 1000 ? "[task " + name + ": fetch]" : "[task fetch]";
    REQUIRE(walked.stack() == Stack{"Handle._run+4", task, "fetch+6"});
  }
}

TEST_CASE("code freed and made anew at its address does not lend its name") {
  for (const Layout& layout : kLayouts) {
    Walked walked(layout);
    for (int i = 0; i < 20; ++i) {
      const std::string name = "evaluated" + std::to_string(i % 3);
      char* code = walked.python.code("<string>", name, 1);
      walked.python.push(code, 4);
      CHECK(walked.stack() == Stack{name + "+4"});
      walked.python.pop();
      walked.python.free_code(code);
    }
    CHECK(recorded::codes() == 3);
  }
}

TEST_CASE("nor does it when so many have been freed since that their count has come round") {
  for (const Layout& layout : kLayouts) {
    CAPTURE(layout.minor);
    Walked walked(layout);
    char* code = walked.python.code("<string>", "before", 1);
    walked.python.push(code, 4);
    CHECK(walked.stack() == Stack{"before+4"});
    walked.python.pop();
    walked.python.free_code(code);
    code_generation.fetch_add((1u << 16) - 1);  // so many others
    char* other = walked.python.code("<string>", "after", 1);
    CHECK(other == code);
    walked.python.push(other, 4);
    CHECK(walked.stack() == Stack{"after+4"});
  }
}

TEST_CASE("the interpreter's own frames are no part of a stack") {
  for (const Layout& layout : kLayouts) {
    if (layout.frame_owner == kAbsent) continue;
    Walked walked(layout);
    walked.python.push_interpreters_own();
    walked.python.push(walked.python.code("a.py", "f", 1), 2);
    walked.python.push(walked.python.code("a.py", "g", 1), 2);
    walked.python.push_interpreters_own();
    walked.python.push(walked.python.code("a.py", "h", 1), 2);
    CHECK(walked.stack() == Stack{"f+2", "g+2", "h+2"});
    CHECK(walked.stack() == Stack{"f+2", "g+2", "h+2"});
    if (layout.minor >= 12) {
      std::vector<bool> entries;
      for (uint32_t i = 0; i < walked.state->depth; ++i) {
        entries.push_back(is_entry_frame(*walked.state, i));
      }
      CHECK(entries == std::vector<bool>{false, true, false, false, true});
    }
  }
}

TEST_CASE("recursion too deep to keep shows its innermost frames under a label") {
  Walked walked(*find_layout(12));
  char* code = walked.python.code("a.py", "f", 1);
  for (uint32_t i = 0; i < kMaxPythonFrames; ++i) walked.python.push(code, 2);
  CHECK(walked.stack().size() == kMaxPythonFrames);
  walked.python.push(code, 4);
  for (int round = 0; round < 2; ++round) {
    const Stack stack = walked.stack();
    REQUIRE(stack.size() == kInnermostFramesOfDeepStack + 1);
    CHECK(stack.front() == kDeepStackLabel);
    CHECK(stack[1] == "f+2");
    CHECK(stack.back() == "f+4");
  }
  walked.python.pop();
  CHECK(walked.stack().size() == kMaxPythonFrames);
}

TEST_CASE("a thread without a state, or with the GIL held by another, has no stack of that other") {
  for (const Layout& layout : kLayouts) {
    CAPTURE(layout.minor);
    Walked walked(layout);
    walked.python.push(walked.python.code("a.py", "f", 1), 2);
    // The GIL released by this thread: its frames stand still.
    walked.python.current_thread_state = nullptr;
    CHECK(walked.stack() == Stack{"f+2"});
    // Released, and the interpreter shutting down: the state may be gone.
    walked.python.initialized = 0;
    CHECK(walked.stack().empty());
    // Held, while it shuts down: stacks go on.
    walked.python.current_thread_state = walked.python.thread_state;
    CHECK(walked.stack() == Stack{"f+2"});
    walked.python.initialized = 1;
    walked.python.current_thread_state = nullptr;
    walked.python.own_thread_state = nullptr;
    CHECK(walked.stack().empty());
  }
}

TEST_CASE("to 3.11 the current state is another thread's while that holds the GIL") {
  for (const unsigned minor : {8u, 9u, 10u, 11u}) {
    const Layout& layout = *find_layout(minor);
    Walked walked(layout);
    walked.python.push(walked.python.code("a.py", "f", 1), 2);
    std::vector<char> others(1024);
    std::memcpy(others.data(), walked.python.thread_state, 512);
    const uint64_t other_thread = static_cast<uint64_t>(pthread_self()) + 4096;
    std::memcpy(others.data() + layout.thread_id, &other_thread, sizeof other_thread);
    walked.python.current_thread_state = others.data();
    // Ours is frozen and right.
    CHECK(walked.stack() == Stack{"f+2"});
    // A thread Python does not know.
    walked.python.own_thread_state = nullptr;
    CHECK(walked.stack().empty());
    // A second state of this thread, in another interpreter.
    walked.python.current_thread_state = walked.python.thread_state;
    walked.python.interpreters = 2;
    CHECK(walked.stack() == Stack{"f+2"});
  }
}

TEST_CASE("any sequence of calls, returns and steps gives what a plain walk gives") {
  for (const Layout& layout : kLayouts) {
    CAPTURE(layout.minor);
    Walked walked(layout);
    std::mt19937 random(layout.minor);
    std::vector<char*> codes;
    std::vector<std::string> names;
    for (int i = 0; i < 12; ++i) {
      names.push_back("f" + std::to_string(i));
      codes.push_back(walked.python.code("a.py", names.back(), i));
    }
    struct Call {
      char* frame;
      size_t code;
      int32_t offset;
    };
    std::vector<Call> calls;
    std::vector<Call> suspended;  // generators
    for (int step = 0; step < 20'000; ++step) {
      const unsigned choice = random() % 100;
      if (choice < 30 && calls.size() < 60) {
        const size_t code = random() % codes.size();
        const auto offset = static_cast<int32_t>(random() % 20 * 2);
        calls.push_back({walked.python.push(codes[code], offset), code, offset});
      } else if (choice < 55 && !calls.empty()) {
        walked.python.pop();
        calls.pop_back();
      } else if (choice < 75 && !calls.empty()) {
        Call& call = calls[random() % calls.size()];
        call.offset = static_cast<int32_t>(random() % 20 * 2);
        walked.python.set_instruction(call.frame, call.offset);
      } else if (choice < 80 && !calls.empty()) {
        Call& call = calls[random() % calls.size()];
        call.code = random() % codes.size();
        walked.python.set_code(call.frame, codes[call.code]);
        walked.python.set_instruction(call.frame, call.offset);
      } else if (choice < 82) {
        // A code object dies and another is born, perhaps at its address; none that is running.
        const size_t code = random() % codes.size();
        const bool running = std::any_of(calls.begin(), calls.end(),
                                         [&](const Call& call) { return call.code == code; });
        if (!running) {
          walked.python.free_code(codes[code]);
          names[code] = "f" + std::to_string(random() % 1000);
          codes[code] = walked.python.code("a.py", names[code], 1);
        }
      } else {
        Stack expected;
        for (const Call& call : calls) {
          expected.push_back(names[call.code] + "+" + std::to_string(call.offset));
        }
        REQUIRE(walked.stack() == expected);
      }
    }
  }
}

TEST_CASE("a state given to another thread starts with no stack but keeps what it has learned") {
  Walked walked(*find_layout(13));
  walked.python.push(walked.python.code("a.py", "f", 1), 2);
  CHECK(walked.stack() == Stack{"f+2"});
  walked.state->reset(0);
  CHECK(walked.state->depth == 0);
  CHECK(walked.stack() == Stack{"f+2"});
  CHECK(recorded::codes() == 1);
}
