#include "interposer/stacks/unwind_cfi.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "interposer/stacks/processor.h"

using namespace memlens::interposer::unwind;

namespace {

constexpr uint8_t kFramePointer = 6, kStackPointer = 7, kProgramCounter = 16;

// One common entry, one function of 64 bytes, and the header's table, in one buffer:
// header (20 bytes), common entry, function entry. The code "is" at the buffer's start + kCode.
class Section {
 public:
  static constexpr int32_t kCode = 4096;

  explicit Section(const std::vector<uint8_t>& instructions) {
    bytes_ = {1, 0x1b, 0x03, 0x3b};  // version; pcrel sdata4, udata4, datarel sdata4
    add<int32_t>(0);
    add<uint32_t>(1);  // rows
    add<int32_t>(kCode);
    add<int32_t>(0);  // the function's entry, below
    const size_t cie = bytes_.size();
    // def_cfa rsp+8; return address at cfa-8
    entry({0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, kStackPointer, 8,
           0x80 | kProgramCounter, 1});
    const auto fde = static_cast<int32_t>(bytes_.size());
    std::memcpy(bytes_.data() + 16, &fde, sizeof fde);
    std::vector<uint8_t> body(13);
    const auto distance = static_cast<int32_t>(fde + 4 - static_cast<int32_t>(cie));
    const int32_t start = kCode - (fde + 8), length = 64;
    std::memcpy(body.data(), &distance, 4);
    std::memcpy(body.data() + 4, &start, 4);
    std::memcpy(body.data() + 8, &length, 4);
    body.insert(body.end(), instructions.begin(), instructions.end());
    entry(body);
  }

  std::vector<uint8_t>& bytes() { return bytes_; }
  uintptr_t code() const { return reinterpret_cast<uintptr_t>(bytes_.data()) + kCode; }

  CfiResult find(uintptr_t offset, UnwindRow& row) const {
    return find_in(bytes_.data(), bytes_.size(), offset, row);
  }

  static CfiResult find_in(const uint8_t* bytes, size_t size, uintptr_t offset, UnwindRow& row) {
    UnwindSection section{};
    section.header = bytes;
    ElfW(Phdr) segment{};
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R;
    segment.p_filesz = segment.p_memsz = size;
    section.segments = {reinterpret_cast<uintptr_t>(bytes), &segment, 1};
    CfiScratch scratch;
    bool signal_frame = false;
    return find_unwind_row(section, reinterpret_cast<uintptr_t>(bytes) + kCode + offset, scratch,
                           row, signal_frame);
  }

 private:
  template <typename Integer>
  void add(Integer value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  void entry(const std::vector<uint8_t>& body) {
    add<uint32_t>(static_cast<uint32_t>(body.size()));
    bytes_.insert(bytes_.end(), body.begin(), body.end());
  }

  std::vector<uint8_t> bytes_;
};

// push rbp at 1; mov rbp, rsp at 4; remember; pop at 40; restore, at 41
const std::vector<uint8_t> kUsualFunction{
    0x41, 0x0e, 16,   0x80 | kFramePointer, 2, 0x43, 0x0d, kFramePointer,
    0x64, 0x0a, 0x0c, kStackPointer,        8, 0xc6, 0x41, 0x0b};

}  // namespace

TEST_CASE("a row is what the instructions up to the address say") {
  const Section section(kUsualFunction);
  UnwindRow row;
  REQUIRE(section.find(0, row) == CfiResult::kFound);
  CHECK(row.cfa_register == kStackPointer);
  CHECK(row.cfa_offset == 8);
  CHECK(row.kinds[kFramePointer] == RegisterKind::kSame);
  REQUIRE(section.find(2, row) == CfiResult::kFound);
  CHECK(row.cfa_offset == 16);
  CHECK(row.kinds[kFramePointer] == RegisterKind::kAtCfa);
  CHECK(row.values[kFramePointer].offset == -16);
  REQUIRE(section.find(39, row) == CfiResult::kFound);
  CHECK(row.cfa_register == kFramePointer);
  REQUIRE(section.find(40, row) == CfiResult::kFound);
  CHECK(row.cfa_register == kStackPointer);
  CHECK(row.kinds[kFramePointer] == RegisterKind::kSame);
  REQUIRE(section.find(50, row) == CfiResult::kFound);
  CHECK(row.cfa_register == kFramePointer);
  CHECK(row.kinds[kFramePointer] == RegisterKind::kAtCfa);
  CHECK(section.find(64, row) == CfiResult::kNoInformation);
  CHECK(section.find(static_cast<uintptr_t>(-1), row) == CfiResult::kNoInformation);
}

TEST_CASE("unwind information cut anywhere is never read beyond its end") {
  // The end of the data is the end of readable memory.
  Section whole(kUsualFunction);
  const size_t size = whole.bytes().size();
  auto* pages = static_cast<uint8_t*>(
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  mprotect(pages + 4096, 4096, PROT_NONE);
  int found = 0;
  for (size_t kept = 0; kept <= size; ++kept) {
    uint8_t* start = pages + 4096 - kept;
    std::memcpy(start, whole.bytes().data(), kept);
    UnwindRow row;
    found += Section::find_in(start, kept, 50, row) == CfiResult::kFound;
  }
  CHECK(found == 1);
  munmap(pages, 8192);
}

TEST_CASE("unwind information with any byte changed is survived") {
  for (size_t at = 0; at < Section(kUsualFunction).bytes().size(); ++at) {
    for (unsigned value = 0; value < 256; value += 5) {
      Section section(kUsualFunction);
      section.bytes()[at] = static_cast<uint8_t>(value);
      UnwindRow row;
      const CfiResult result = section.find(50, row);
      if (result == CfiResult::kFound) compile_rule(row, false);
    }
  }
  CHECK(true);
}

TEST_CASE("rules: from the stack, from the frame, and beyond what they can say") {
  UnwindRow row;
  const Section usual(kUsualFunction);
  REQUIRE(usual.find(0, row) == CfiResult::kFound);
  UnwindRule rule = compile_rule(row, false);
  CHECK(rule.kind() == RuleKind::kCfaFromStack);
  CHECK(int64_t{rule.cfa_offset} == 8);
  CHECK(rule.saved_frame() == SavedFrame::kSame);
  REQUIRE(usual.find(10, row) == CfiResult::kFound);
  rule = compile_rule(row, false);
  CHECK(rule.kind() == RuleKind::kCfaFromFrame);
  CHECK(rule.saved_frame() == SavedFrame::kAtCfa);
  CHECK(int64_t{rule.frame_offset} == -16);
  CHECK(UnwindRule::from_bits(rule.bits()).bits() == rule.bits());

  // def_cfa rbx+16
  const Section by_rbx({0x0c, 3, 16});
  REQUIRE(by_rbx.find(5, row) == CfiResult::kFound);
  CHECK(compile_rule(row, false).kind() == RuleKind::kNeedsRegisters);

  // def_cfa_expression: breg6 -8, deref (a realigned frame)
  const Section realigned({0x0f, 3, 0x76, 0x78, 0x06});
  REQUIRE(realigned.find(5, row) == CfiResult::kFound);
  rule = compile_rule(row, false);
  CHECK(rule.kind() == RuleKind::kCfaAtFrame);
  CHECK(int64_t{rule.cfa_offset} == -8);

  // the linker's .plt
  const Section plt({0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22});
  REQUIRE(plt.find(5, row) == CfiResult::kFound);
  rule = compile_rule(row, false);
  CHECK(rule.kind() == RuleKind::kPltStub);
  CHECK(int64_t{rule.cfa_offset} == 11);

  // undefined return address
  const Section outermost({0x07, kProgramCounter});
  REQUIRE(outermost.find(5, row) == CfiResult::kFound);
  CHECK(compile_rule(row, false).kind() == RuleKind::kOutermost);
}
