#include "report/html/module_name.h"

#include <doctest/doctest.h>

using namespace memlens::report::html;

TEST_CASE("a Python file belongs to its package") {
  CHECK(python_module_name("/usr/lib/python3/dist-packages/numpy/core/x.py", "") == "numpy");
  CHECK(python_module_name("/v/lib/python3.11/site-packages/six.py", "") == "six");
  CHECK(python_module_name("/usr/lib/python3.11/json/decoder.py", "") == "json");
  CHECK(python_module_name("/usr/lib/python3.11/threading.py", "") == "threading");
  CHECK(python_module_name("<frozen importlib._bootstrap>", "") == "importlib");
  CHECK(python_module_name("<frozen site>", "") == "site");
  CHECK(python_module_name("<string>", "") == "<string>");
}

TEST_CASE("a file of the project belongs to the project's first folder, or is its own module") {
  CHECK(python_module_name("/srv/shop/orders/book.py", "/srv/shop") == "orders");
  CHECK(python_module_name("/srv/shop/main.py", "/srv/shop") == "main");
  CHECK(python_module_name("/elsewhere/tool.py", "/srv/shop") == "tool");
}

TEST_CASE("the import system is known by its files, not by its name within others") {
  CHECK(is_import_system("<frozen importlib._bootstrap_external>"));
  CHECK(is_import_system("/usr/lib/python3.8/importlib/_bootstrap.py"));
  CHECK_FALSE(is_import_system("/usr/lib/python3.11/importlib/metadata/__init__.py"));
  CHECK_FALSE(is_import_system("/srv/importlib_tools.py"));
}

TEST_CASE("the interpreter is libpython or a python executable, not an extension of it") {
  CHECK(is_interpreter("/usr/bin/python3.11"));
  CHECK(is_interpreter("/usr/lib/libpython3.13t.so.1.0"));
  CHECK(is_interpreter("/usr/bin/python3"));
  CHECK_FALSE(is_interpreter("/usr/lib/python3.11/lib-dynload/_json.cpython-311.so"));
  CHECK_FALSE(is_interpreter("/opt/pythonium"));
  CHECK_FALSE(is_interpreter("/usr/lib/libc.so.6"));
}
