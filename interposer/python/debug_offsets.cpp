#include "interposer/python/debug_offsets.h"

#include <cstring>

#include "interposer/python/known_layouts.h"

namespace memlens::interposer::python {
namespace {

// Big enough for any struct described, small enough for Layout's fields.
constexpr uint64_t kMaxOffset = 0x7fff;
bool inside(uint64_t offset, uint64_t size) { return offset < size && size <= kMaxOffset; }

// The versions' tables differ in fields this does not touch.
template <typename Offsets>
bool fill(const Offsets& offsets, Layout& layout) {
  const auto& thread = offsets.thread;
  const auto& frame = offsets.frame;
  const auto& code = offsets.code;
  const bool plausible =
      inside(thread.current_frame, thread.size) && inside(thread.thread_id, thread.size) &&
      inside(frame.previous, frame.size) && inside(frame.executable, frame.size) &&
      inside(frame.instruction, frame.size) && inside(frame.owner, frame.size) &&
      inside(code.filename, code.size) && inside(code.name, code.size) &&
      inside(code.qualified_name, code.size) && inside(code.line_table, code.size) &&
      inside(code.first_line, code.size) && inside(code.instructions, code.size);
  const ObjectLayout& objects = layout.objects;
  const auto is = [](uint64_t stated, int16_t known) {
    return stated == static_cast<uint64_t>(known);
  };
  // These the walker takes for granted.
  const bool objects_as_ever =
      is(offsets.object.type, objects.type) && is(offsets.type.flags, objects.type_flags) &&
      is(offsets.bytes.count, objects.count) && is(offsets.bytes.data, objects.bytes_data) &&
      is(offsets.text.length, objects.text_length) && is(offsets.text.state, objects.text_state) &&
      offsets.text.size <= kMaxOffset && offsets.text.ascii_size < offsets.text.size;
  if (!plausible || !objects_as_ever) return false;
  if constexpr (requires { code.thread_bytecode; }) {
    if (layout.instruction_form == InstructionForm::kThreadPointer) {
      if (!inside(code.thread_bytecode, code.size) || !inside(frame.bytecode_index, frame.size)) {
        return false;
      }
      layout.code_thread_bytecode = static_cast<int16_t>(code.thread_bytecode);
      layout.frame_bytecode_index = static_cast<int16_t>(frame.bytecode_index);
    }
  }

  // Another build's, in what is not stated: tasks are found by their handles.
  if (!is(thread.size, layout.tasks.thread_bytes)) layout.tasks.thread_task = kAbsent;

  layout.thread_id = static_cast<int16_t>(thread.thread_id);
  layout.thread_frame = static_cast<int16_t>(thread.current_frame);
  layout.frame_previous = static_cast<int16_t>(frame.previous);
  layout.frame_code = static_cast<int16_t>(frame.executable);
  layout.frame_instruction = static_cast<int16_t>(frame.instruction);
  layout.frame_owner = static_cast<int16_t>(frame.owner);
  layout.code_filename = static_cast<int16_t>(code.filename);
  layout.code_name = static_cast<int16_t>(code.name);
  layout.code_qualified_name = static_cast<int16_t>(code.qualified_name);
  layout.code_first_line = static_cast<int16_t>(code.first_line);
  layout.code_line_table = static_cast<int16_t>(code.line_table);
  layout.code_instructions = static_cast<int16_t>(code.instructions);
  // The instructions are the code object's variable part, so they begin where its basic size ends.
  layout.code_basic_size = static_cast<int16_t>(code.instructions);
  layout.text_ascii = static_cast<int16_t>(offsets.text.ascii_size);
  // PyUnicodeObject is the compact header and one pointer more.
  layout.text_compact = static_cast<int16_t>(offsets.text.size - sizeof(void*));
  layout.text_basic_size = static_cast<int16_t>(offsets.text.size);
  return true;
}

}  // namespace

bool is_pre_release(uint32_t hexversion) {
  constexpr unsigned kReleaseCandidate = 0xc;
  return (hexversion >> 4 & 0xf) < kReleaseCandidate;
}

bool is_free_threaded(const void* runtime) {
  DebugOffsetsHead head;
  std::memcpy(&head, runtime, sizeof head);
  return std::memcmp(head.cookie, kDebugOffsetsCookie, sizeof head.cookie) == 0 &&
         head.free_threaded != 0;
}

bool read_debug_offsets(const void* runtime, uint32_t hexversion, Layout& layout) {
  DebugOffsetsHead head;
  std::memcpy(&head, runtime, sizeof head);
  if (std::memcmp(head.cookie, kDebugOffsetsCookie, sizeof head.cookie) != 0) return false;
  if (head.hexversion != hexversion) return false;

  if (is_pre_release(hexversion)) return false;

  const unsigned minor = hexversion >> 16 & 0xff;
  const Layout* row = find_layout(minor, head.free_threaded != 0);
  if (row == nullptr || hexversion >> 24 != 3) return false;
  layout = *row;
  if (minor == 13) {
    DebugOffsets313 offsets;
    std::memcpy(&offsets, runtime, sizeof offsets);
    return fill(offsets, layout);
  }
  if (minor == 14) {
    DebugOffsets314 offsets;
    std::memcpy(&offsets, runtime, sizeof offsets);
    return fill(offsets, layout);
  }
  if (minor == 15) {
    DebugOffsets315 offsets;
    std::memcpy(&offsets, runtime, sizeof offsets);
    return fill(offsets, layout);
  }
  return false;
}

}  // namespace memlens::interposer::python
