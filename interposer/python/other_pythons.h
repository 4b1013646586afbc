// Implementations of Python that are not CPython. Nothing of them is read: they are recorded as any
// program is, and the user is told what that shows.
#pragma once

namespace memlens::interposer::python {

// "PyPy", "GraalPy", or nullptr: none is loaded. Any thread.
const char* other_python();

}  // namespace memlens::interposer::python
