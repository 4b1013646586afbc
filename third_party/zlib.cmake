# zlib1g-dev: compression of the HTML page's data, which a browser can undo by itself.
find_package(ZLIB REQUIRED)
add_library(memlens::zlib ALIAS ZLIB::ZLIB)
