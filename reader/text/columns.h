// Text measured in columns of a terminal.
#pragma once

#include <string>
#include <string_view>

namespace memlens {

// What a terminal may be given: valid UTF-8 on one line, without control characters, which could
// move the cursor, or change the direction of what follows.
std::string printable(std::string_view text);

// Columns that printable text takes: wide characters count two, combining ones none.
size_t column_count(std::string_view printable_text);

// At most `columns` wide; what is cut off is marked by an ellipsis at that end.
std::string cut_end(std::string_view printable_text, size_t columns, bool unicode);
std::string cut_start(std::string_view printable_text, size_t columns, bool unicode);

// The same of a path: whole folders go, where that leaves the file's name.
std::string cut_folders(std::string_view printable_path, size_t columns, bool unicode);

}  // namespace memlens
