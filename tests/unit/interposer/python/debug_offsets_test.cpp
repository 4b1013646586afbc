#include "interposer/python/debug_offsets.h"

#include <doctest/doctest.h>

#include <cstring>

#include "interposer/python/known_layouts.h"

using namespace memlens::interposer::python;

namespace {

constexpr uint32_t k313 = 0x030d00f0;
constexpr uint32_t k314 = 0x030e0af0;
constexpr uint32_t k315 = 0x030f02f0;

// As the interpreter fills it in, from the row of its version.
template <typename Offsets>
Offsets offsets_of(uint32_t hexversion, bool free_threaded = false) {
  const Layout& row = *find_layout(hexversion >> 16 & 0xff, free_threaded);
  Offsets offsets{};
  std::memcpy(offsets.head.cookie, kDebugOffsetsCookie, 8);
  offsets.head.hexversion = hexversion;
  offsets.head.free_threaded = free_threaded ? 1 : 0;
  offsets.thread.size =
      row.tasks.thread_bytes == kAbsent ? 400 : static_cast<uint64_t>(row.tasks.thread_bytes);
  offsets.thread.current_frame = static_cast<uint64_t>(row.thread_frame);
  offsets.thread.thread_id = static_cast<uint64_t>(row.thread_id);
  offsets.frame.size = 88;
  offsets.frame.previous = static_cast<uint64_t>(row.frame_previous);
  offsets.frame.executable = static_cast<uint64_t>(row.frame_code);
  offsets.frame.instruction = static_cast<uint64_t>(row.frame_instruction);
  offsets.frame.owner = static_cast<uint64_t>(row.frame_owner);
  offsets.code.size = static_cast<uint64_t>(row.code_instructions) + 8;
  offsets.code.filename = static_cast<uint64_t>(row.code_filename);
  offsets.code.name = static_cast<uint64_t>(row.code_name);
  offsets.code.qualified_name = static_cast<uint64_t>(row.code_qualified_name);
  offsets.code.line_table = static_cast<uint64_t>(row.code_line_table);
  offsets.code.first_line = static_cast<uint64_t>(row.code_first_line);
  offsets.code.instructions = static_cast<uint64_t>(row.code_instructions);
  if constexpr (requires { offsets.code.thread_bytecode; }) {
    if (free_threaded) {
      offsets.code.thread_bytecode = static_cast<uint64_t>(row.code_thread_bytecode);
      offsets.frame.bytecode_index = static_cast<uint64_t>(row.frame_bytecode_index);
    }
  }
  offsets.object.type = static_cast<uint64_t>(row.objects.type);
  offsets.type.flags = static_cast<uint64_t>(row.objects.type_flags);
  offsets.bytes.count = static_cast<uint64_t>(row.objects.count);
  offsets.bytes.data = static_cast<uint64_t>(row.objects.bytes_data);
  offsets.text.size = static_cast<uint64_t>(row.text_basic_size);
  offsets.text.length = static_cast<uint64_t>(row.objects.text_length);
  offsets.text.state = static_cast<uint64_t>(row.objects.text_state);
  offsets.text.ascii_size = static_cast<uint64_t>(row.text_ascii);
  return offsets;
}

}  // namespace

// Where CPython's own headers put them; tests/python_stacks/layouts_test.py asks the headers.
static_assert(offsetof(DebugOffsets313, thread) == 8 * (3 + 3 + 13));
static_assert(offsetof(DebugOffsets313, frame) == 8 * (3 + 3 + 13 + 9));
static_assert(offsetof(DebugOffsets313, code) == 8 * (3 + 3 + 13 + 9 + 6));
static_assert(offsetof(DebugOffsets314, thread) == 8 * (3 + 3 + 16));
static_assert(offsetof(DebugOffsets314, frame) == 8 * (3 + 3 + 16 + 9));
static_assert(offsetof(DebugOffsets314, code) == 8 * (3 + 3 + 16 + 9 + 8));
static_assert(offsetof(DebugOffsets313, text) == 536);
static_assert(offsetof(DebugOffsets314, text) == 616);
static_assert(offsetof(DebugOffsets315, thread) == 176);
static_assert(offsetof(DebugOffsets315, frame) == 312);
static_assert(offsetof(DebugOffsets315, code) == 376);
static_assert(offsetof(DebugOffsets315, text) == 712);

TEST_CASE("what an interpreter like those known states is the row of its version") {
  Layout layout;
  const auto offsets_313 = offsets_of<DebugOffsets313>(k313);
  REQUIRE(read_debug_offsets(&offsets_313, k313, layout));
  CHECK(layout == *find_layout(13));
  const auto offsets_314 = offsets_of<DebugOffsets314>(k314);
  REQUIRE(read_debug_offsets(&offsets_314, k314, layout));
  CHECK(layout == *find_layout(14));
  const auto offsets_315 = offsets_of<DebugOffsets315>(k315);
  REQUIRE(read_debug_offsets(&offsets_315, k315, layout));
  CHECK(layout == *find_layout(15));
}

TEST_CASE("a free-threaded build has a row of its own") {
  Layout layout;
  const auto offsets_313 = offsets_of<DebugOffsets313>(k313, true);
  REQUIRE(read_debug_offsets(&offsets_313, k313, layout));
  CHECK(layout == *find_layout(13, true));
  const auto offsets_314 = offsets_of<DebugOffsets314>(k314, true);
  REQUIRE(read_debug_offsets(&offsets_314, k314, layout));
  CHECK(layout == *find_layout(14, true));
  const auto offsets_315 = offsets_of<DebugOffsets315>(k315, true);
  REQUIRE(read_debug_offsets(&offsets_315, k315, layout));
  CHECK(layout == *find_layout(15, true));
  CHECK(is_free_threaded(&offsets_315));
  CHECK_FALSE(layout == *find_layout(15));

  auto offsets = offsets_314;
  offsets.code.thread_bytecode = offsets.code.size;
  CHECK_FALSE(read_debug_offsets(&offsets, k314, layout));
}

TEST_CASE("what an interpreter states wins over its version's row") {
  auto offsets = offsets_of<DebugOffsets314>(k314);
  offsets.frame.owner = 66;
  offsets.code.instructions = 200;
  Layout layout;
  REQUIRE(read_debug_offsets(&offsets, k314, layout));
  CHECK(layout.frame_owner == 66);
  CHECK(layout.code_instructions == 200);
  CHECK(layout.code_basic_size == 200);
}

TEST_CASE("a table that is not what it should be is not believed") {
  const auto good = offsets_of<DebugOffsets313>(k313);
  Layout layout;
  auto offsets = good;
  offsets.head.cookie[0] = 'y';
  CHECK_FALSE(read_debug_offsets(&offsets, k313, layout));
  offsets = good;
  offsets.head.free_threaded = 1;
  CHECK_FALSE(read_debug_offsets(&offsets, k313, layout));
  CHECK_FALSE(read_debug_offsets(&good, k314, layout));  // another version's
  offsets = good;
  offsets.frame.owner = offsets.frame.size;
  CHECK_FALSE(read_debug_offsets(&offsets, k313, layout));
  offsets = good;
  offsets.code.size = 1u << 20;
  CHECK_FALSE(read_debug_offsets(&offsets, k313, layout));
  offsets = good;
  offsets.text.state = 40;
  CHECK_FALSE(read_debug_offsets(&offsets, k313, layout));
  offsets = good;
  offsets.head.hexversion = 0x030d00a1;  // an alpha
  CHECK_FALSE(read_debug_offsets(&offsets, 0x030d00a1, layout));
  offsets = good;
  offsets.head.hexversion = 0x031000f0;  // a version to come
  CHECK_FALSE(read_debug_offsets(&offsets, 0x031000f0, layout));
}
