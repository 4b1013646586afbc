// "memlens.check/1": limits and whether they hold, for programs to read.
#pragma once

#include <ostream>

#include "report/view/check.h"

namespace memlens::report {

void write_check_json(std::ostream& out, const CheckResult& result);

}  // namespace memlens::report
