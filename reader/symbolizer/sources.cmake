# Native addresses to functions, files and lines, when a recording ends.
target_sources(memlens_reader PRIVATE
  symbolizer/symbols_payload.cpp
)
