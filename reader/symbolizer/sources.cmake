# Native addresses to functions, files and lines, when a recording ends.
target_sources(memlens_reader PRIVATE
  symbolizer/bounded_demangle.cpp
  symbolizer/built_in_allocator.cpp
  symbolizer/capture_symbols.cpp
  symbolizer/debug_files.cpp
  symbolizer/debug_sections.cpp
  symbolizer/die_names.cpp
  symbolizer/direct_calls.cpp
  symbolizer/early_inflation.cpp
  symbolizer/function_name.cpp
  symbolizer/function_symbols.cpp
  symbolizer/inflated_file.cpp
  symbolizer/inflated_files.cpp
  symbolizer/inline_scopes.cpp
  symbolizer/line_program.cpp
  symbolizer/line_table.cpp
  symbolizer/mapped_files.cpp
  symbolizer/module_file.cpp
  symbolizer/plt_stubs.cpp
  symbolizer/resolve_files.cpp
  symbolizer/rust_names.cpp
  symbolizer/shorten_name.cpp
  symbolizer/source_lines.cpp
  symbolizer/symbolizer.cpp
  symbolizer/unit_index.cpp
  symbolizer/unit_tree.cpp
)
