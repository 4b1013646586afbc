// memlens check, as text: one line a limit.
#pragma once

#include <ostream>
#include <string>

#include "report/terminal/terminal.h"
#include "report/view/check.h"

namespace memlens::report {

// "17.1 MB", "3,940,497", "28.1 kB/s".
std::string check_amount(CheckUnit unit, double amount);

// "Index.add (index_words.py:37)".
std::string check_place_text(const CheckPlace& place);

// "limit 10.0 MB, value 17.1 MB, most at Index.add (index_words.py:37): 13.7 MB": what follows the
// limit's name. Plain text.
std::string check_sentence(const CheckedLimit& limit, bool unicode);

void print_check_report(std::ostream& out, const Terminal& terminal, const CheckResult& result);

}  // namespace memlens::report
