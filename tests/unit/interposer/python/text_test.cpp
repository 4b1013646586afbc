#include "interposer/python/text.h"

#include <doctest/doctest.h>

#include <string>

#include "fake_interpreter.h"
#include "interposer/python/known_layouts.h"

using namespace memlens::interposer::python;

namespace {

std::string read(const Layout& layout, const void* object, size_t buffer_bytes = 256) {
  char buffer[256];
  const Text text = read_text(layout, object, buffer, buffer_bytes);
  return {text.data, text.bytes};
}

}  // namespace

TEST_CASE("strings of every kind and version read as UTF-8") {
  for (const Layout& layout : kLayouts) {
    FakeInterpreter python(layout);
    CHECK(read(layout, python.ascii("plain.py")) == "plain.py");
    CHECK(read(layout, python.text(U"ex\u00e9cut\u00e9", 1, false)) == "ex\u00e9cut\u00e9");
    CHECK(read(layout, python.text(U"\u4e2d\u6587 a", 2, false)) == "\u4e2d\u6587 a");
    CHECK(read(layout, python.text(U"\U0001f600\u4e2d", 4, false)) == "\U0001f600\u4e2d");
    CHECK(read(layout, python.ascii("")).empty());
    CHECK(read(layout, python.ascii(std::string("a\0b", 3))) == std::string("a\0b", 3));
  }
}

TEST_CASE("instances of subclasses of str keep their text elsewhere") {
  const Layout& layout = *find_layout(12);
  FakeInterpreter python(layout);
  CHECK(read(layout, python.text(U"elsewhere", 1, true, false)) == "elsewhere");
  CHECK(read(layout, python.text(U"\u4e2d", 2, false, false)) == "\u4e2d");
}

TEST_CASE("a file name that the system's encoding could not decode is its bytes again") {
  const Layout& layout = *find_layout(11);
  FakeInterpreter python(layout);
  std::u32string name = U"caf?.py";
  name[3] = 0xdce9;
  CHECK(read(layout, python.text(name, 2, false)) == "caf\xe9.py");
  name[3] = 0xd800;
  CHECK(read(layout, python.text(name, 2, false)) == "caf\xef\xbf\xbd.py");
}

TEST_CASE("a string that does not fit is cut between two characters") {
  const Layout& layout = *find_layout(13);
  FakeInterpreter python(layout);
  const std::u32string many(100, U'\u00e9');
  const std::string text = read(layout, python.text(many, 1, false), 15);
  CHECK(text.size() <= 15);
  CHECK(text.size() % 2 == 0);
  CHECK(text.size() >= 10);
}

TEST_CASE("what is no string, or none that is ready, is empty") {
  const Layout& layout = *find_layout(8);
  FakeInterpreter python(layout);
  CHECK(read(layout, nullptr).empty());
  CHECK(read(layout, python.bytes("bytes")).empty());
  CHECK(read(layout, python.text(U"not ready", 0, false, true)).empty());
  CHECK(read(layout, python.text(U"", 0, false, false)).empty());
  CHECK(read_bytes(layout, python.bytes("bytes")).bytes == 5);
  CHECK(read_bytes(layout, python.ascii("text")).bytes == 0);
  CHECK(is_bytes(layout, python.bytes("")));
}
