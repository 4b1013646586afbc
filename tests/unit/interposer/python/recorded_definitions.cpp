#include "recorded_definitions.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "interposer/definitions/definitions.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace recorded {
namespace {

struct Node {
  uint32_t parent;
  std::string text;
};
std::vector<Code> all_codes;
std::vector<std::string> all_strings;
std::vector<Node> all_nodes;
std::map<std::pair<uint32_t, std::string>, uint32_t> known_nodes;

uint32_t intern(uint32_t parent, const std::string& text) {
  if (!recording) return 0;
  const auto [place, added] = known_nodes.try_emplace({parent, text}, all_nodes.size() + 1);
  if (added) all_nodes.push_back({parent, text});
  return place->second;
}

}  // namespace

bool recording = true;

std::vector<std::string> stack_of(uint32_t node) {
  std::vector<std::string> stack;
  for (; node != 0; node = all_nodes[node - 1].parent) stack.push_back(all_nodes[node - 1].text);
  std::reverse(stack.begin(), stack.end());
  return stack;
}
const Code& code(uint32_t id) { return all_codes.at(id - 1); }
size_t codes() { return all_codes.size(); }
void clear() {
  all_codes.clear();
  all_strings.clear();
  all_nodes.clear();
  known_nodes.clear();
  recording = true;
  session_state.store(SessionState::kRecording);
}

}  // namespace recorded

uint32_t define_code(const CodeDescription& code) {
  if (!recorded::recording) return 0;
  recorded::Code copy{{code.filename, code.filename_bytes},
                      {code.qualified_name, code.qualified_name_bytes},
                      code.first_line,
                      {code.line_table, code.line_table_bytes},
                      code.line_table_format};
  const auto known = std::find(recorded::all_codes.begin(), recorded::all_codes.end(), copy);
  if (known != recorded::all_codes.end()) {
    return static_cast<uint32_t>(known - recorded::all_codes.begin()) + 1;
  }
  recorded::all_codes.push_back(std::move(copy));
  return static_cast<uint32_t>(recorded::all_codes.size());
}

uint32_t intern_python_node(uint32_t parent, uint32_t code_id, uint32_t offset_plus_1) {
  return recorded::intern(parent, recorded::code(code_id).name + "+" +
                                      std::to_string(static_cast<int64_t>(offset_plus_1) - 1));
}

uint32_t define_string(const char* bytes, size_t size_bytes) {
  recorded::all_strings.emplace_back(bytes, size_bytes);
  return static_cast<uint32_t>(recorded::all_strings.size());
}

void define_diagnostic(format::DiagnosticCode, const char*) {}

uint32_t intern_task_node(uint32_t parent, uint32_t code_id, uint32_t name) {
  const std::string given = name == 0 ? "" : recorded::all_strings.at(name - 1) + ": ";
  return recorded::intern(parent, "[task " + given + recorded::code(code_id).name + "]");
}

uint32_t intern_label_node(uint32_t parent, const char* label) {
  return recorded::intern(parent, label);
}

}  // namespace memlens::interposer
