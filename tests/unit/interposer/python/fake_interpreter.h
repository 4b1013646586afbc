// An interpreter made of bare memory in the layout of any version: types, strings, code objects,
// frames and one thread state, for testing what reads them.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "interposer/python/layout.h"

namespace memlens::interposer::python {

class FakeInterpreter {
 public:
  // Points python::runtime at itself.
  explicit FakeInterpreter(const Layout& layout);
  ~FakeInterpreter();
  FakeInterpreter(const FakeInterpreter&) = delete;
  FakeInterpreter& operator=(const FakeInterpreter&) = delete;

  // Objects. `characters` of `kind` 1, 2 or 4 bytes each.
  char* text(const std::u32string& characters, unsigned kind, bool ascii, bool compact = true);
  char* ascii(const std::string& characters);
  char* bytes(const std::string& contents);
  char* code(const std::string& filename, const std::string& name, int32_t first_line,
             const std::string& line_table = "");
  void set_name(char* code, char* text);
  // As the interpreter frees it; its memory may be used for the next code object.
  void free_code(char* code);

  // Frames. A frame's memory is reused like the interpreter's: the innermost one's first.
  char* push(char* code, int32_t offset);
  char* push_interpreters_own();
  void pop();
  void set_instruction(char* frame, int32_t offset);
  void set_code(char* frame, char* code);
  void link(char* frame, char* previous);
  void set_innermost(char* frame);
  char* innermost() const { return frames_.empty() ? nullptr : frames_.back(); }
  size_t depth() const { return frames_.size(); }
  // A frame of its own memory, linked nowhere yet.
  char* loose_frame(char* code, int32_t offset);

  // asyncio. A task of a coroutine whose frame that is, with a name or (as a number) without one;
  // it runs: by the handle whose `run` is the frame, or by the thread's word, where the version has
  // it.
  char* coroutine_frame(char* code, int32_t offset);
  char* task(char* coroutine_frame, const char* name);
  void set_task_name(char* task, const char* name);
  void run_task(char* handle_frame, char* task);

  // Which of its code's copies a frame's instructions are set to lie in, where threads have them.
  int32_t bytecode_index = 0;

  // What the functions of python::runtime answer.
  void* current_thread_state = nullptr;
  void* own_thread_state = nullptr;
  int initialized = 1;
  int interpreters = 1;
  char* thread_state = nullptr;
  char* code_type = nullptr;

 private:
  void set_type(char* object, char* type) const;
  char* block(size_t bytes);
  char* object_of(const char* type_name, size_t bytes);

  const Layout layout_;
  std::deque<std::vector<char>> blocks_;
  std::vector<char*> frames_;
  std::vector<char*> free_frames_;
  std::vector<char*> free_codes_;
  char* text_type_ = nullptr;
  char* bytes_type_ = nullptr;
  char* cframe_ = nullptr;
};

}  // namespace memlens::interposer::python
