/* Prints what an interpreter's own headers say, in the words of print_layouts.cpp. Compiled by
   layouts_test.py against each interpreter's headers. */
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#define NEEDS_PY_IDENTIFIER
#include <Python.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#if PY_VERSION_HEX < 0x03090000
#include <internal/pycore_pystate.h>
#else
#include <internal/pycore_runtime.h>
#endif
#if PY_VERSION_HEX < 0x030b0000
#include <frameobject.h>
#else
#include <internal/pycore_frame.h>
#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_genobject.h>
#include <internal/pycore_interpframe.h>
#include <internal/pycore_interpframe_structs.h>
#include <internal/pycore_tstate.h>
#endif
#endif

static void print(const char* name, long value) { printf(" %s=%ld", name, value); }

/* The word of PyASCIIObject.state that a bit field's assignment changes. */
#define STATE_BITS(name, field, bits)                                          \
  do {                                                                         \
    union {                                                                    \
      PyASCIIObject object;                                                    \
      unsigned char bytes[sizeof(PyASCIIObject)];                              \
    } text;                                                                    \
    unsigned state;                                                            \
    memset(&text, 0, sizeof text);                                             \
    text.object.state.field = bits;                                            \
    memcpy(&state, text.bytes + offsetof(PyASCIIObject, state), sizeof state); \
    print(name, (long)state);                                                  \
  } while (0)

int print_layout(void) {
#ifdef Py_GIL_DISABLED
  printf("minor %dt", PY_MINOR_VERSION);
#else
  printf("minor %d", PY_MINOR_VERSION);
#endif
  print("thread_id", offsetof(PyThreadState, thread_id));
#if PY_VERSION_HEX < 0x030b0000
  print("thread_frame", offsetof(PyThreadState, frame));
  print("cframe_current", -1);
  print("frame_previous", offsetof(PyFrameObject, f_back));
  print("frame_code", offsetof(PyFrameObject, f_code));
  print("frame_instruction", offsetof(PyFrameObject, f_lasti));
  print("frame_owner", -1);
#else
#if PY_VERSION_HEX < 0x030d0000
  print("thread_frame", offsetof(PyThreadState, cframe));
  print("cframe_current", offsetof(_PyCFrame, current_frame));
  print("frame_code", offsetof(_PyInterpreterFrame, f_code));
  print("frame_instruction", offsetof(_PyInterpreterFrame, prev_instr));
#else
  print("thread_frame", offsetof(PyThreadState, current_frame));
  print("cframe_current", -1);
  print("frame_code", offsetof(_PyInterpreterFrame, f_executable));
  print("frame_instruction", offsetof(_PyInterpreterFrame, instr_ptr));
#endif
  print("frame_previous", offsetof(_PyInterpreterFrame, previous));
  print("frame_owner", offsetof(_PyInterpreterFrame, owner));
#endif
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
  print("frame_is_entry", offsetof(_PyInterpreterFrame, is_entry));
#else
  print("frame_is_entry", -1);
#endif
  print("code_filename", offsetof(PyCodeObject, co_filename));
  print("code_name", offsetof(PyCodeObject, co_name));
  print("code_first_line", offsetof(PyCodeObject, co_firstlineno));
#if PY_VERSION_HEX < 0x030a0000
  print("code_line_table", offsetof(PyCodeObject, co_lnotab));
#else
  print("code_line_table", offsetof(PyCodeObject, co_linetable));
#endif
#if PY_VERSION_HEX < 0x030b0000
  print("code_qualified_name", -1);
  print("code_instructions", -1);
#else
  print("code_qualified_name", offsetof(PyCodeObject, co_qualname));
  print("code_instructions", offsetof(PyCodeObject, co_code_adaptive));
#endif
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030e0000
  print("frame_bytecode_index", offsetof(_PyInterpreterFrame, tlbc_index));
  print("code_thread_bytecode", offsetof(PyCodeObject, co_tlbc));
#else
  print("frame_bytecode_index", -1);
  print("code_thread_bytecode", -1);
#endif
  print("runtime_initialized", offsetof(_PyRuntimeState, initialized));
#if PY_VERSION_HEX < 0x030c0000
  print("runtime_thread_state", offsetof(_PyRuntimeState, gilstate.tstate_current));
#else
  print("runtime_thread_state", -1); /* thread-local */
#endif
  print("text_ascii", sizeof(PyASCIIObject));
  print("text_compact", sizeof(PyCompactUnicodeObject));
  print("code_basic_size", PyCode_Type.tp_basicsize);
  print("frame_basic_size", PyFrame_Type.tp_basicsize);
  print("text_basic_size", PyUnicode_Type.tp_basicsize);
#if PY_VERSION_HEX < 0x030b0000
  print("frame_locals", offsetof(PyFrameObject, f_localsplus));
  print("frame_generator", offsetof(PyFrameObject, f_gen));
  print("generator_frame", -1);
#else
  print("frame_locals", offsetof(_PyInterpreterFrame, localsplus));
  print("frame_generator", -1);
  print("generator_frame", offsetof(PyGenObject, gi_iframe));
#endif
#if PY_VERSION_HEX < 0x030e0000
  print("thread_bytes", -1);
  print("thread_task", -1);
#else
  print("thread_bytes", sizeof(PyThreadState));
  print("thread_task", offsetof(_PyThreadStateImpl, asyncio_running_task));
#endif
  print("object_type", offsetof(PyObject, ob_type));
  print("var_object_size", offsetof(PyVarObject, ob_size));
  print("type_basic_size", offsetof(PyTypeObject, tp_basicsize));
  print("type_dealloc", offsetof(PyTypeObject, tp_dealloc));
  print("type_flags", offsetof(PyTypeObject, tp_flags));
  print("type_base", offsetof(PyTypeObject, tp_base));
  print("bytes_data", offsetof(PyBytesObject, ob_sval));
  print("text_length", offsetof(PyASCIIObject, length));
  print("text_state", offsetof(PyASCIIObject, state));
  STATE_BITS("text_kind_mask", kind, 7);
  STATE_BITS("text_compact_bit", compact, 1);
  STATE_BITS("text_ascii_bit", ascii, 1);
  printf("\n");
  return fflush(stdout);
}
