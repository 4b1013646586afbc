#include "interposer/recording/python_script.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace memlens::recording;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    char pattern[] = "/tmp/memlens-python-script-XXXXXX";
    path_ = mkdtemp(pattern);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string write(const std::string& name, const std::string& content, mode_t mode = 0644) {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    chmod(file.c_str(), mode);
    return file.string();
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

// A zip archive of one empty file, with `before` in front and `comment` behind.
std::string archive(const std::string& name, const std::string& before = "",
                    const std::string& comment = "") {
  const auto u16 = [](size_t value) {
    return std::string{static_cast<char>(value), static_cast<char>(value >> 8)};
  };
  const std::string local = "PK\x03\x04" + std::string(22, '\0') + u16(name.size()) + u16(0) + name;
  const std::string entry =
      "PK\x01\x02" + std::string(24, '\0') + u16(name.size()) + std::string(16, '\0') + name;
  return before + local + entry + "PK\x05\x06" + std::string(4, '\0') + u16(1) + u16(1) +
         u16(entry.size()) + u16(0) + u16(local.size()) + u16(0) + u16(comment.size()) + comment;
}

}  // namespace

TEST_CASE("what python would run and the system would not is meant for Python") {
  Folder folder;
  for (const char* name : {"a.py", "a.pyw", "a.pyz", "a.pyc", "-"}) {
    CHECK(is_meant_for_python(name, false));
  }
  CHECK(is_meant_for_python(folder.write("plain", "#!/usr/bin/env python3\nprint(1)\n"), false));
  CHECK(is_meant_for_python(folder.write("spaced", "#! /usr/bin/env -S python3.12 -u\n"), false));
  folder.write("package/__main__.py", "print(1)\n");
  CHECK(is_meant_for_python(folder.path("package"), false));
  CHECK(is_meant_for_python(folder.path("package/"), false));
  CHECK(is_meant_for_python(folder.write("app", archive("__main__.py")), false));
  CHECK(is_meant_for_python(folder.write("app2", archive("__main__.py"), 0755), false));
  const std::string comment(60000, 'x');
  CHECK(is_meant_for_python(folder.write("app3", archive("__main__.py", "junk", comment)), false));
}

TEST_CASE("programs and other files are not, unless a Python is asked for") {
  Folder folder;
  const std::string python_tool = folder.write("tool", "#!/usr/bin/python3\n", 0755);
  CHECK_FALSE(is_meant_for_python(python_tool, false));  // the system starts its own Python
  CHECK(is_meant_for_python(python_tool, true));
  const std::string text = folder.write("text", "print(1)\n");
  CHECK_FALSE(is_meant_for_python(text, false));
  CHECK(is_meant_for_python(text, true));
  CHECK_FALSE(is_meant_for_python(folder.write("shell", "#!/bin/sh\n", 0755), true));
  folder.write("other/__init__.py", "");
  CHECK_FALSE(is_meant_for_python(folder.path("other"), false));
  CHECK_FALSE(is_meant_for_python(folder.write("zip", archive("main.py")), false));
  CHECK_FALSE(
      is_meant_for_python(folder.write("cut", archive("__main__.py").substr(0, 60)), false));
  CHECK_FALSE(is_meant_for_python("/bin/true", true));
  CHECK_FALSE(is_meant_for_python("sh", true));
  CHECK_FALSE(is_meant_for_python(folder.path("missing"), true));
}

TEST_CASE("names lose Python's extensions") {
  CHECK(without_python_extension("app.py") == "app");
  CHECK(without_python_extension("app.pyz") == "app");
  CHECK(without_python_extension(".py") == ".py");
  CHECK(without_python_extension("app.txt") == "app.txt");
}
