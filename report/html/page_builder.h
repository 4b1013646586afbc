// From a capture and its analysis to the page's model.
#pragma once

#include <vector>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"
#include "report/html/page_answers.h"
#include "report/html/page_model.h"
#include "report/view/code_origin.h"
#include "report/view/view.h"

namespace memlens::report::html {

struct PageOptions {
  bool native = false;   // show native frames
  bool by_task = false;  // stacks begin at their task, until somebody looks otherwise
  bool redact = false;   // leave out what report/html/redaction.h names
  View first_view = View::kPeak;
  reader::Query query = {};  // what was asked for
  OwnCodeOptions own_code;
  std::vector<PageSentence> sentences = {};  // a redacted page leaves them out
};

// `analysis` holds ranges (Query::range_buckets), and growth where the page shall say what grows.
PageModel build_page(const reader::Capture& capture, const reader::Analysis& analysis,
                     const PageOptions& options);

}  // namespace memlens::report::html
