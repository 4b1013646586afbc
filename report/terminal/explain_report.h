// memlens explain, as text and as Markdown.
#pragma once

#include <ostream>
#include <vector>

#include "report/explain/finding.h"
#include "report/terminal/terminal.h"

namespace memlens::report {

void print_explain_report(std::ostream& out, const Terminal& terminal,
                          const reader::CaptureInfo& info, const std::vector<Finding>& findings);

// For a ticket, or a coding assistant.
void print_explain_markdown(std::ostream& out, const reader::CaptureInfo& info,
                            const std::vector<Finding>& findings);

// The two most important sentences, and an empty line; nothing where there are none.
void print_first_findings(std::ostream& out, const Terminal& terminal,
                          const std::vector<Finding>& findings);

}  // namespace memlens::report
