// Prints the rows of interposer/python/layout.h: one line a version, "minor 8 name=value ...".
#include <cstdio>

#include "interposer/python/known_layouts.h"

using namespace memlens::interposer::python;

int main() {
  for (const Layout& row : kLayouts) {
    std::printf("minor %u%s", row.minor, row.free_threaded ? "t" : "");
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
        {"frame_bytecode_index", row.frame_bytecode_index},
        {"code_thread_bytecode", row.code_thread_bytecode},
        {"runtime_initialized", row.runtime_initialized},
        {"runtime_thread_state", row.runtime_thread_state},
        {"text_ascii", row.text_ascii},
        {"text_compact", row.text_compact},
        {"code_basic_size", row.code_basic_size},
        {"frame_basic_size", row.frame_basic_size},
        {"text_basic_size", row.text_basic_size},
        {"frame_locals", row.tasks.frame_locals},
        {"frame_generator", row.tasks.frame_generator},
        {"generator_frame", row.tasks.generator_frame},
        {"thread_bytes", row.tasks.thread_bytes},
        {"thread_task", row.tasks.thread_task},
        {"object_type", row.objects.type},
        {"var_object_size", row.objects.count},
        {"type_basic_size", row.objects.type_basic_size},
        {"type_dealloc", row.objects.type_dealloc},
        {"type_flags", row.objects.type_flags},
        {"type_base", row.objects.type_base},
        {"bytes_data", row.objects.bytes_data},
        {"text_length", row.objects.text_length},
        {"text_state", row.objects.text_state},
        {"text_kind_mask", static_cast<int>(kTextKindMask << row.objects.text_kind_shift)},
        {"text_compact_bit", static_cast<int>(kTextCompact << row.objects.text_kind_shift)},
        {"text_ascii_bit", static_cast<int>(kTextAscii << row.objects.text_kind_shift)},
    };
    for (const auto& field : fields) std::printf(" %s=%d", field.name, field.value);
    std::printf("\n");
  }
  return 0;
}
