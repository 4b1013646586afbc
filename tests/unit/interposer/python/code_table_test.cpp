#include "interposer/python/code_table.h"

#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "fake_interpreter.h"
#include "interposer/python/known_layouts.h"
#include "recorded_definitions.h"

using namespace memlens::interposer;
using namespace memlens::interposer::python;

namespace {

const void* executing = nullptr;
bool is_executing(const void* code) { return code == executing; }

struct Watched {
  explicit Watched(const Layout& layout) : python(layout) {
    forget_code_objects();
    recorded::clear();
    executing = nullptr;
    watch_code_objects(python.code_type, is_executing);
  }
  FakeInterpreter python;
};

}  // namespace

TEST_CASE("a code object is described once, with what its version has") {
  for (const Layout& layout : kLayouts) {
    Watched watched(layout);
    char* code = watched.python.code("file.py", "Class.method", 17, "table");
    const uint32_t id = code_id_of(code);
    CHECK(code_id_of(code) == id);
    CHECK(recorded::codes() == 1);
    CHECK(recorded::code(id) ==
          recorded::Code{"file.py", "Class.method", 17, "table", layout.line_table_format});
  }
}

TEST_CASE("an address used again is another code object") {
  Watched watched(*find_layout(10));
  char* first = watched.python.code("a.py", "first", 1);
  const uint32_t first_id = code_id_of(first);
  const uint32_t generation = code_generation.load();
  watched.python.free_code(first);
  CHECK(code_generation.load() != generation);
  CHECK(known_code_objects() == 0);
  char* second = watched.python.code("b.py", "second", 2);
  REQUIRE(second == first);
  const uint32_t second_id = code_id_of(second);
  CHECK(second_id != first_id);
  CHECK(recorded::code(second_id).name == "second");
}

TEST_CASE("code compiled for ever has one id and one place in the table") {
  Watched watched(*find_layout(12));
  uint32_t id = 0;
  for (int i = 0; i < 1000; ++i) {
    char* code = watched.python.code("<string>", "<module>", 1, "same");
    if (id == 0) id = code_id_of(code);
    REQUIRE(code_id_of(code) == id);
    watched.python.free_code(code);
  }
  CHECK(recorded::codes() == 1);
  CHECK(known_code_objects() == 0);
}

TEST_CASE("freeing code that was never seen changes nothing") {
  Watched watched(*find_layout(9));
  char* code = watched.python.code("a.py", "unseen", 1);
  const uint32_t generation = code_generation.load();
  watched.python.free_code(code);
  CHECK(code_generation.load() == generation);
  CHECK(recorded::codes() == 0);
}

TEST_CASE("code that is executing while it is freed is known before its names go") {
  Watched watched(*find_layout(11));
  char* code = watched.python.code("a.py", "dying", 1);
  executing = code;
  watched.python.free_code(code);
  CHECK(recorded::codes() == 1);
  CHECK(known_code_objects() == 0);
}

TEST_CASE("names that are missing, endless or no strings do not hurt") {
  Watched watched(*find_layout(8));
  char* unnamed = watched.python.code("", "", -5);
  const recorded::Code& unknown = recorded::code(code_id_of(unnamed));
  CHECK(unknown.filename.empty());
  CHECK(unknown.name.empty());
  CHECK(unknown.first_line == 0);

  char* odd = watched.python.code("a.py", "x", 1);
  watched.python.set_name(odd, watched.python.bytes("bytes"));
  CHECK(recorded::code(code_id_of(odd)).name.empty());

  char* endless = watched.python.code(std::string(100'000, 'f'), std::string(50'000, 'n'), 1);
  CHECK(recorded::code(code_id_of(endless)).filename.size() == 4096);
}

TEST_CASE("an empty line table is a line table") {
  Watched watched(*find_layout(8));
  char* code = watched.python.code("a.py", "<lambda>", 3, "");
  CHECK(recorded::code(code_id_of(code)).format == memlens::format::LineTableFormat::kLnotab);
}

TEST_CASE("the interpreter's check of what __init__ returns is hidden") {
  Watched watched(*find_layout(13));
  char* shared = watched.python.ascii("__init__");
  char* code = watched.python.code("", "", 0);
  watched.python.set_name(code, shared);
  std::memcpy(code + find_layout(13)->code_filename, &shared, sizeof shared);
  CHECK(code_id_of(code) == kHiddenCode);
  CHECK(recorded::codes() == 0);
  // A program's own __init__ is not.
  CHECK(code_id_of(watched.python.code("a.py", "__init__", 1)) != kHiddenCode);
}

TEST_CASE("nothing is remembered while recording is off") {
  Watched watched(*find_layout(12));
  char* code = watched.python.code("a.py", "f", 1);
  recorded::recording = false;
  CHECK(code_id_of(code) == 0);
  recorded::recording = true;
  CHECK(code_id_of(code) != 0);
}

TEST_CASE("the table stands thousands of code objects coming and going") {
  Watched watched(*find_layout(12));
  std::mt19937 random(7);
  std::vector<std::pair<char*, std::string>> alive;
  for (int step = 0; step < 30'000; ++step) {
    if (alive.empty() || random() % 5 != 0) {
      if (alive.size() < 8000) {
        const std::string name = "f" + std::to_string(random() % 50);
        alive.emplace_back(watched.python.code("a.py", name, 1), name);
        code_id_of(alive.back().first);
      }
    } else {
      const size_t chosen = random() % alive.size();
      watched.python.free_code(alive[chosen].first);
      alive[chosen] = alive.back();
      alive.pop_back();
    }
    if (!alive.empty()) {
      const auto& [code, name] = alive[random() % alive.size()];
      REQUIRE(recorded::code(code_id_of(code)).name == name);
    }
  }
  CHECK(known_code_objects() == alive.size());
}
