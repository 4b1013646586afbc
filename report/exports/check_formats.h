// memlens check for the programs that run it: GitHub's workflow commands, JUnit's XML.
#pragma once

#include <ostream>
#include <string>

#include "report/view/check.h"

namespace memlens::report {

// A line a limit that does not hold, at its place: "::error file=app.py,line=37,title=...::...".
// Unused suppressions are warnings.
void write_github_annotations(std::ostream& out, const CheckResult& result);

// The table that a job's page shows, in Markdown.
void write_github_summary(std::ostream& out, const CheckResult& result);

// A test case a limit.
void write_junit_xml(std::ostream& out, const CheckResult& result);

}  // namespace memlens::report
