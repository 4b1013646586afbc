#include "interposer/program/hook_table.h"

#include <doctest/doctest.h>

#include <cctype>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

using namespace memlens::interposer;

namespace {

const std::string kInterposer = MEMLENS_INTERPOSER_DIRECTORY;

std::string content(const std::string& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The names between "global:" and "local:", comments aside.
std::set<std::string> exported_names() {
  std::istringstream lines(content(kInterposer + "/exports.map"));
  std::set<std::string> names;
  bool global = false;
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(0, line.find('#'));
    if (line.find("global:") != std::string::npos) {
      global = true;
    } else if (line.find("local:") != std::string::npos) {
      global = false;
    } else if (global) {
      std::istringstream words(line);
      for (std::string word; words >> word;) {
        CHECK(word.back() == ';');
        CHECK_MESSAGE(names.insert(word.substr(0, word.size() - 1)).second, word);
      }
    }
  }
  return names;
}

std::set<std::string> hooked_names() {
  std::set<std::string> names;
  for (const Hook& hook : kHooks) {
    if (hook.report != HookReport::kNothing) CHECK(names.insert(hook.name).second);
  }
  return names;
}

}  // namespace

TEST_CASE("exactly the hooks are exported") {
  std::set<std::string> exported = exported_names();
  // In-process control is no hook.
  std::erase_if(exported, [](const std::string& name) { return name.starts_with("memlens_"); });
  CHECK(exported == hooked_names());
}

namespace {

bool is_name_part(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Whether a hook of this very name is defined: its own word, before the arguments, in a declaration
// marked as a hook. (`next_malloc(` and a call of `malloc(` define nothing.)
bool defines(const std::string& text, const std::string& name) {
  for (size_t at = text.find("MEMLENS_HOOK "); at != std::string::npos;
       at = text.find("MEMLENS_HOOK ", at + 1)) {
    const std::string declaration = text.substr(at, text.find_first_of("{;", at) - at);
    for (size_t i = declaration.find(name); i != std::string::npos;
         i = declaration.find(name, i + 1)) {
      if (!is_name_part(declaration[i - 1]) && declaration[i + name.size()] == '(') return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("a definition is told from calls and longer names") {
  CHECK(defines("MEMLENS_HOOK void* malloc(size_t bytes) {", "malloc"));
  CHECK(defines("MEMLENS_HOOK __attribute__((x)) void* dlopen(const char* file,", "dlopen"));
  CHECK_FALSE(defines("MEMLENS_HOOK void* next_malloc(size_t bytes) {", "malloc"));
  CHECK_FALSE(defines("MEMLENS_HOOK void f() { malloc(1); }", "malloc"));
  CHECK_FALSE(defines("void* malloc(size_t bytes) {", "malloc"));
}

TEST_CASE("each hook is defined in the file the table names") {
  for (const Hook& hook : kHooks) {
    if (hook.report == HookReport::kNothing) {
      CHECK_MESSAGE(std::string(hook.remark) != "", hook.name);
      continue;
    }
    const std::string text = content(kInterposer + "/hooks/" + hook.file);
    CHECK_MESSAGE(defines(text, hook.name), hook.name);
  }
}
