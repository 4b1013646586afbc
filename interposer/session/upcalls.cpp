#include "interposer/session/upcalls.h"

namespace memlens::interposer {
namespace {

void do_nothing() {}
bool refuse() { return false; }

}  // namespace

constinit Upcalls upcalls{do_nothing, refuse, refuse, do_nothing, refuse, do_nothing};

}  // namespace memlens::interposer
