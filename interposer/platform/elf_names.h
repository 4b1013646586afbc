// What object files call this processor, and the relocations that leave an address in a slot.
#pragma once

#include <elf.h>

#include <cstdint>

namespace memlens::platform {

#if defined(__x86_64__)
inline constexpr uint16_t kMachine = EM_X86_64;
inline constexpr uint32_t kJumpSlot = R_X86_64_JUMP_SLOT;
inline constexpr uint32_t kGlobalData = R_X86_64_GLOB_DAT;
inline constexpr uint32_t kAddress = R_X86_64_64;
inline constexpr uint32_t kRelative = R_X86_64_RELATIVE;
#elif defined(__aarch64__)
inline constexpr uint16_t kMachine = EM_AARCH64;
inline constexpr uint32_t kJumpSlot = R_AARCH64_JUMP_SLOT;
inline constexpr uint32_t kGlobalData = R_AARCH64_GLOB_DAT;
inline constexpr uint32_t kAddress = R_AARCH64_ABS64;
inline constexpr uint32_t kRelative = R_AARCH64_RELATIVE;
#else
#error "relocations of this processor are not known"
#endif

}  // namespace memlens::platform
