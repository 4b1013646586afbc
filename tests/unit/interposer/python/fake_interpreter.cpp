#include "fake_interpreter.h"

#include <pthread.h>

#include <cstring>

#include "interposer/python/runtime.h"

namespace memlens::interposer::python {
namespace {

FakeInterpreter* present = nullptr;

constexpr size_t kBlockBytes = 2048;
constexpr size_t kTaskCoroutine = 120;  // anywhere behind the head
constexpr size_t kTaskBytes = 168;
constexpr int64_t kCodeUnits = 100;

template <typename Field>
void write_field(char* object, size_t offset, Field value) {
  std::memcpy(object + offset, &value, sizeof value);
}

void* current_thread_state() { return present->current_thread_state; }
void* own_thread_state() { return present->own_thread_state; }
int is_initialized() { return present->initialized; }
int the_main_interpreter = 0;
int another_interpreter = 0;
void* main_interpreter() { return &the_main_interpreter; }
void* first_interpreter() {
  return present->interpreters > 1 ? &another_interpreter : &the_main_interpreter;
}
void dealloc(void*) {}

}  // namespace

FakeInterpreter::FakeInterpreter(const Layout& layout) : layout_(layout) {
  present = this;
  text_type_ = block(kBlockBytes);
  const auto flags = static_cast<size_t>(layout.objects.type_flags);
  write_field(text_type_, flags, kTypeFlagText);
  bytes_type_ = block(kBlockBytes);
  write_field(bytes_type_, flags, kTypeFlagBytes);
  code_type = block(kBlockBytes);
  write_field(code_type, static_cast<size_t>(layout.objects.type_dealloc), &dealloc);
  thread_state = block(kBlockBytes);
  write_field(thread_state, static_cast<size_t>(layout.thread_id),
              static_cast<uint64_t>(pthread_self()));
  if (layout.cframe_current != kAbsent) {
    cframe_ = block(kBlockBytes);
    write_field(thread_state, static_cast<size_t>(layout.thread_frame), cframe_);
  }
  this->current_thread_state = thread_state;
  this->own_thread_state = thread_state;

  runtime = Runtime{};
  runtime.is_initialized = is_initialized;
  runtime.current_thread_state = python::current_thread_state;
  runtime.own_thread_state = python::own_thread_state;
  runtime.first_interpreter = first_interpreter;
  runtime.main_interpreter = main_interpreter;
  runtime.code_type = code_type;
  runtime.minor = layout.minor;
  runtime.layout = layout;
  runtime.layout_known = true;
}

FakeInterpreter::~FakeInterpreter() {
  runtime = Runtime{};
  present = nullptr;
}

char* FakeInterpreter::block(size_t bytes) {
  return blocks_.emplace_back(bytes < kBlockBytes ? kBlockBytes : bytes).data();
}

char* FakeInterpreter::text(const std::u32string& characters, unsigned kind, bool ascii,
                            bool compact) {
  const auto header =
      static_cast<size_t>(ascii && compact ? layout_.text_ascii : layout_.text_compact);
  char* object = block(header + 64 + characters.size() * 4);
  set_type(object, text_type_);
  write_field(object, static_cast<size_t>(layout_.objects.text_length),
              static_cast<int64_t>(characters.size()));
  const uint32_t state = kind | (compact ? kTextCompact : 0u) | (ascii ? kTextAscii : 0u);
  write_field(object, static_cast<size_t>(layout_.objects.text_state),
              state << static_cast<unsigned>(layout_.objects.text_kind_shift));
  char* place = object + header;
  if (!compact) {
    char* elsewhere = block(characters.size() * 4 + 4);
    write_field(object, static_cast<size_t>(layout_.text_compact), elsewhere);
    place = elsewhere;
  }
  for (size_t i = 0; i < characters.size(); ++i) {
    std::memcpy(place + i * kind, &characters[i], kind);
  }
  return object;
}

char* FakeInterpreter::ascii(const std::string& characters) {
  return text(std::u32string(characters.begin(), characters.end()), 1, true);
}

char* FakeInterpreter::bytes(const std::string& contents) {
  const auto data = static_cast<size_t>(layout_.objects.bytes_data);
  char* object = block(data + contents.size() + 1);
  set_type(object, bytes_type_);
  write_field(object, static_cast<size_t>(layout_.objects.count),
              static_cast<int64_t>(contents.size()));
  std::memcpy(object + data, contents.data(), contents.size());
  return object;
}

char* FakeInterpreter::code(const std::string& filename, const std::string& name,
                            int32_t first_line, const std::string& line_table) {
  char* object = nullptr;
  if (free_codes_.empty()) {
    object = block(1024);
  } else {
    object = free_codes_.back();
    free_codes_.pop_back();
  }
  set_type(object, code_type);
  write_field(object, static_cast<size_t>(layout_.objects.count), kCodeUnits);
  if (layout_.code_thread_bytecode != kAbsent) {
    char* list = block(kBytecodeArrayEntries + 2 * sizeof(char*));
    write_field(list, 0, int64_t{2});
    write_field(list, kBytecodeArrayEntries, object + layout_.code_instructions);
    write_field(list, kBytecodeArrayEntries + sizeof(char*), block(kCodeUnits * kCodeUnitBytes));
    write_field(object, static_cast<size_t>(layout_.code_thread_bytecode), list);
  }
  write_field(object, static_cast<size_t>(layout_.code_filename), ascii(filename));
  write_field(object, static_cast<size_t>(layout_.code_line_table), bytes(line_table));
  write_field(object, static_cast<size_t>(layout_.code_first_line), first_line);
  set_name(object, ascii(name));
  return object;
}

void FakeInterpreter::set_type(char* object, char* type) const {
  write_field(object, static_cast<size_t>(layout_.objects.type), type);
}

void FakeInterpreter::set_name(char* code, char* text) {
  write_field(code, static_cast<size_t>(layout_.code_name), text);
  if (layout_.code_qualified_name != kAbsent) {
    write_field(code, static_cast<size_t>(layout_.code_qualified_name), text);
  }
}

void FakeInterpreter::free_code(char* code) {
  read_field<void (*)(void*)>(code_type, static_cast<size_t>(layout_.objects.type_dealloc))(code);
  free_codes_.push_back(code);
}

char* FakeInterpreter::loose_frame(char* code, int32_t offset) {
  char* frame = nullptr;
  if (free_frames_.empty()) {
    frame = block(kBlockBytes);
  } else {
    frame = free_frames_.back();
    free_frames_.pop_back();
    std::memset(frame, 0, kBlockBytes);
  }
  set_code(frame, code);
  set_instruction(frame, offset);
  return frame;
}

char* FakeInterpreter::push(char* code, int32_t offset) {
  char* frame = loose_frame(code, offset);
  link(frame, innermost());
  frames_.push_back(frame);
  set_innermost(frame);
  return frame;
}

char* FakeInterpreter::push_interpreters_own() {
  char* frame = push(code_type, 0);  // anything but code
  if (layout_.frame_owner != kAbsent) {
    write_field(frame, static_cast<size_t>(layout_.frame_owner), kFirstInterpreterOwner);
  }
  return frame;
}

void FakeInterpreter::pop() {
  free_frames_.push_back(frames_.back());
  frames_.pop_back();
  set_innermost(innermost());
}

void FakeInterpreter::set_code(char* frame, char* code) {
  auto value = reinterpret_cast<uintptr_t>(code);
  // A tagged reference where the version has them.
  if (layout_.code_mask != ~uintptr_t{0}) value |= 1;
  write_field(frame, static_cast<size_t>(layout_.frame_code), value);
}

void FakeInterpreter::set_instruction(char* frame, int32_t offset) {
  const auto place = static_cast<size_t>(layout_.frame_instruction);
  if (layout_.instruction_form == InstructionForm::kPointer ||
      layout_.instruction_form == InstructionForm::kThreadPointer) {
    const uintptr_t code =
        read_field<uintptr_t>(frame, static_cast<size_t>(layout_.frame_code)) & layout_.code_mask;
    uintptr_t instructions = code + static_cast<size_t>(layout_.code_instructions);
    if (bytecode_index != 0 && layout_.code_thread_bytecode != kAbsent) {
      write_field(frame, static_cast<size_t>(layout_.frame_bytecode_index), bytecode_index);
      const auto* list = read_field<const char*>(reinterpret_cast<const char*>(code),
                                                 static_cast<size_t>(layout_.code_thread_bytecode));
      instructions = read_field<uintptr_t>(list, kBytecodeArrayEntries + sizeof(char*));
    }
    write_field(frame, place, instructions + static_cast<uint64_t>(static_cast<int64_t>(offset)));
  } else if (layout_.instruction_form == InstructionForm::kUnitOffset) {
    write_field(frame, place, offset < 0 ? -1 : offset / 2);
  } else {
    write_field(frame, place, offset < 0 ? -1 : offset);
  }
}

void FakeInterpreter::link(char* frame, char* previous) {
  write_field(frame, static_cast<size_t>(layout_.frame_previous), previous);
}

char* FakeInterpreter::object_of(const char* type_name, size_t bytes) {
  char* type = block(kBlockBytes);
  write_field(type, static_cast<size_t>(layout_.objects.type_basic_size),
              static_cast<int64_t>(bytes));
  write_field(type, static_cast<size_t>(layout_.objects.count) + sizeof(char*), type_name);
  char* object = block(bytes);
  set_type(object, type);
  return object;
}

char* FakeInterpreter::coroutine_frame(char* code, int32_t offset) {
  char* frame = nullptr;
  if (layout_.tasks.frame_generator != kAbsent) {
    frame = loose_frame(code, offset);
    write_field(frame, static_cast<size_t>(layout_.tasks.frame_generator), block(kBlockBytes));
  } else {
    const auto head = static_cast<size_t>(layout_.tasks.generator_frame);
    frame = block(head + kBlockBytes) + head;
    set_code(frame, code);
    set_instruction(frame, offset);
    write_field(frame, static_cast<size_t>(layout_.frame_owner), uint8_t{1});
  }
  link(frame, innermost());
  frames_.push_back(frame);
  set_innermost(frame);
  return frame;
}

char* FakeInterpreter::task(char* coroutine_frame, const char* name) {
  char* task = object_of("_asyncio.Task", kTaskBytes);
  const char* coroutine =
      layout_.tasks.frame_generator != kAbsent
          ? read_field<const char*>(coroutine_frame,
                                    static_cast<size_t>(layout_.tasks.frame_generator))
          : coroutine_frame - layout_.tasks.generator_frame;
  write_field(task, kTaskCoroutine, coroutine);
  set_task_name(task, name);
  return task;
}

void FakeInterpreter::set_task_name(char* task, const char* name) {
  write_field(task, kTaskCoroutine + sizeof(char*),
              name == nullptr ? object_of("int", 32) : ascii(name));
}

void FakeInterpreter::run_task(char* handle_frame, char* task) {
  if (layout_.tasks.thread_task != kAbsent) {
    write_field(thread_state, static_cast<size_t>(layout_.tasks.thread_task), task);
    return;
  }
  const auto head = static_cast<size_t>(layout_.objects.count);
  char* callback = object_of("TaskStepMethWrapper", 64);
  write_field(callback, head, task);
  char* handle = object_of("Handle", 96);
  write_field(handle, head + sizeof(char*), callback);
  write_field(handle_frame, static_cast<size_t>(layout_.tasks.frame_locals), handle);
}

void FakeInterpreter::set_innermost(char* frame) {
  if (cframe_ != nullptr) {
    write_field(cframe_, static_cast<size_t>(layout_.cframe_current), frame);
  } else {
    write_field(thread_state, static_cast<size_t>(layout_.thread_frame), frame);
  }
}

}  // namespace memlens::interposer::python
