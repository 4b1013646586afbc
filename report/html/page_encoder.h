// The page's data as one compressed string of columns.
//
//     u32 length of the directory | directory (JSON) | columns
//
// compressed with zlib. The directory is `about` plus "columns": [name, count, bytes] in order. A
// column is varints (unsigned LEB128), except "strings.text", which is UTF-8 as it came. Columns of
// equal meaning stand together because that is what a compressor likes; ids that count up are
// written as differences. page/decode.js is the other end.
#pragma once

#include <string>

#include "report/html/page_model.h"

namespace memlens::report::html {

// Reorders nothing in `page`; node ids in the data are those of a depth-first walk.
std::string encode_page_data(const PageModel& page);

}  // namespace memlens::report::html
