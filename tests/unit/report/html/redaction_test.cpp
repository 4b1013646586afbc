#include "report/html/redaction.h"

#include <doctest/doctest.h>

using memlens::report::html::redact_path;

TEST_CASE("paths below the project are shown relative to it") {
  CHECK(redact_path("/srv/user/shop/orders/book.py", "/srv/user/shop") == "orders/book.py");
  CHECK(redact_path("/srv/user/shop/book.py", "/srv/user/shop/") == "book.py");
}

TEST_CASE("a folder that only begins like the project is not in it") {
  CHECK(redact_path("/srv/user/shopping/list.py", "/srv/user/shop") == "list.py");
}

TEST_CASE("installed packages are shown from the package on") {
  CHECK(redact_path("/srv/user/.venv/lib/python3.11/site-packages/numpy/core/x.py", "/p") ==
        "numpy/core/x.py");
  CHECK(redact_path("/usr/lib/python3.11/json/decoder.py", "/p") == "json/decoder.py");
}

TEST_CASE("any other path loses its folders, and what is no path stays") {
  CHECK(redact_path("/srv/secret/tool.c", "/p") == "tool.c");
  CHECK(redact_path("<frozen site>", "/p") == "<frozen site>");
  CHECK(redact_path("src/relative.c", "/p") == "src/relative.c");
  CHECK(redact_path("", "/p").empty());
  CHECK(redact_path("/srv/secret/tool.c", "") == "tool.c");
}
