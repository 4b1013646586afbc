// Reading Python's str and bytes objects without Python: nothing here calls into the interpreter.
#pragma once

#include <cstddef>

#include "interposer/python/layout.h"

namespace memlens::interposer::python {

struct Text {
  const char* data;
  size_t bytes;
};

// A str as UTF-8. ASCII text is returned in place, other text is encoded into `buffer` and cut at a
// character's end when it does not fit. Surrogates of the "surrogateescape" kind become the byte
// they stand for, so that a file name is again what the system calls the file; other lone
// surrogates become U+FFFD. What is no str, or one not made ready (to 3.11), is empty.
// The caller sees to it that the object stays alive.
Text read_text(const Layout& layout, const void* object, char* buffer, size_t buffer_bytes);

// A bytes object's contents, in place; empty when it is no bytes object.
Text read_bytes(const Layout& layout, const void* object);
bool is_bytes(const Layout& layout, const void* object);

}  // namespace memlens::interposer::python
