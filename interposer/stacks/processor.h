// The unwinder's part that is the processor's: a folder each, of which this is the door. What is
// outside of such a folder names no register, no instruction and no offset of a calling convention.
//
// calls.h              where return addresses lie, what an instruction before one looks like
// unwind_registers.h   the registers of the calling thread, and a step with all of them
// unwind_rule.h        how to step out of a frame, in eight bytes; made of a row of .eh_frame
// unwind_step.h        the step
#pragma once

#if defined(__x86_64__)
#include "interposer/stacks/x86_64/calls.h"
#include "interposer/stacks/x86_64/unwind_registers.h"
#include "interposer/stacks/x86_64/unwind_rule.h"
#include "interposer/stacks/x86_64/unwind_step.h"
#else
#error "memlens: stacks cannot be unwound on this processor yet"
#endif
