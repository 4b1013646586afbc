// Prints the rows of interposer/python/layout.h: one line a version, "minor 8 name=value ...".
#include <cstdio>

#include "interposer/python/layout.h"

using namespace memlens::interposer::python;

int main() {
  for (const Layout& row : kLayouts) {
    std::printf("minor %u", row.minor);
    const struct {
      const char* name;
      int value;
    } fields[] = {
        {"thread_id", row.thread_id},
        {"thread_frame", row.thread_frame},
        {"cframe_current", row.cframe_current},
        {"frame_previous", row.frame_previous},
        {"frame_code", row.frame_code},
        {"frame_instruction", row.frame_instruction},
        {"frame_owner", row.frame_owner},
        {"frame_is_entry", row.frame_is_entry},
        {"code_filename", row.code_filename},
        {"code_name", row.code_name},
        {"code_qualified_name", row.code_qualified_name},
        {"code_first_line", row.code_first_line},
        {"code_line_table", row.code_line_table},
        {"code_instructions", row.code_instructions},
        {"runtime_initialized", row.runtime_initialized},
        {"runtime_thread_state", row.runtime_thread_state},
        {"text_ascii", row.text_ascii},
        {"text_compact", row.text_compact},
        {"code_basic_size", row.code_basic_size},
        {"frame_basic_size", row.frame_basic_size},
        {"text_basic_size", row.text_basic_size},
        {"object_type", static_cast<int>(kObjectType)},
        {"var_object_size", static_cast<int>(kVarObjectSize)},
        {"type_basic_size", static_cast<int>(kTypeBasicSize)},
        {"type_dealloc", static_cast<int>(kTypeDealloc)},
        {"type_flags", static_cast<int>(kTypeFlags)},
        {"bytes_data", static_cast<int>(kBytesData)},
        {"text_length", static_cast<int>(kTextLength)},
        {"text_state", static_cast<int>(kTextState)},
        {"text_kind_mask", static_cast<int>(kTextKindMask << kTextKindShift)},
        {"text_compact_bit", static_cast<int>(kTextCompact)},
        {"text_ascii_bit", static_cast<int>(kTextAscii)},
    };
    for (const auto& field : fields) std::printf(" %s=%d", field.name, field.value);
    std::printf("\n");
  }
  return 0;
}
