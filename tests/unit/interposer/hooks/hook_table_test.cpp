#include "interposer/hooks/hook_table.h"

#include <doctest/doctest.h>

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

TEST_CASE("each hook is defined in the file the table names") {
  for (const Hook& hook : kHooks) {
    if (hook.report == HookReport::kNothing) {
      CHECK_MESSAGE(std::string(hook.remark) != "", hook.name);
      continue;
    }
    const std::string text = content(kInterposer + "/hooks/" + hook.file);
    CHECK_MESSAGE(text.find(std::string(hook.name) + "(") != std::string::npos, hook.name);
  }
}
