#include "interposer/stacks/own_code.h"

namespace memlens::interposer {

uintptr_t own_code_start = 0;
uintptr_t own_code_bytes = 0;
bool own_code_known = false;

void find_own_code(unwind::ObjectCache& objects) {
  const auto here = reinterpret_cast<uintptr_t>(&find_own_code);
  const unwind::CodeObject* object = unwind::find_object(here, objects);
  if (object != nullptr && !object->is_program) {
    own_code_start = object->start;
    own_code_bytes = object->end - object->start;
  }
  own_code_known = true;
}

}  // namespace memlens::interposer
