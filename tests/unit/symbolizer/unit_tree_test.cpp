#include "interposer/symbolizer/unit_tree.h"

#include <doctest/doctest.h>
#include <dwarf.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/unit/symbolizer/sample_program.h"

using namespace memlens::symbolizer;
using memlens::symbolizer::testing::SampleProgram;

namespace {

class DwarfFile {
 public:
  explicit DwarfFile(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY)) {
    REQUIRE(descriptor_ >= 0);
    dwarf_ = dwarf_begin(descriptor_, DWARF_C_READ);
    REQUIRE(dwarf_ != nullptr);
  }
  ~DwarfFile() {
    dwarf_end(dwarf_);
    close(descriptor_);
  }
  Dwarf* get() const { return dwarf_; }

  std::vector<Dwarf_Die> units() const {
    std::vector<Dwarf_Die> units;
    Dwarf_CU* cursor = nullptr;
    Dwarf_Die unit;
    while (dwarf_get_units(dwarf_, cursor, &cursor, nullptr, nullptr, &unit, nullptr) == 0) {
      units.push_back(unit);
    }
    return units;
  }

 private:
  int descriptor_;
  Dwarf* dwarf_;
};

bool may_hold_code(Dwarf_Die& die) {
  const int tag = dwarf_tag(&die);
  if (tag == DW_TAG_namespace || tag == DW_TAG_lexical_block) return true;
  return (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine) &&
         (dwarf_hasattr(&die, DW_AT_low_pc) || dwarf_hasattr(&die, DW_AT_ranges));
}

// Offsets of all entries below that may hold code, as libdw walks them.
void walk_by_libdw(Dwarf_Die parent, std::vector<Dwarf_Off>& offsets) {
  Dwarf_Die die;
  if (dwarf_child(&parent, &die) != 0) return;
  do {
    if (!may_hold_code(die)) continue;
    offsets.push_back(dwarf_dieoffset(&die));
    walk_by_libdw(die, offsets);
  } while (dwarf_siblingof(&die, &die) == 0);
}

void walk(const UnitTree& tree, const Dwarf_Die& parent, std::vector<Dwarf_Off>& offsets) {
  tree.for_each_child(parent, false, [&](Dwarf_Die& die) {
    if (!may_hold_code(die)) return true;
    offsets.push_back(dwarf_dieoffset(&die));
    walk(tree, die, offsets);
    return true;
  });
}

}  // namespace

TEST_CASE("entries that hold code are the ones libdw finds") {
  for (const char* flags : {"-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5", "-gz"}) {
    CAPTURE(flags);
    const SampleProgram program(std::string("-g ") + flags);
    const DwarfFile file(program.path());
    const DebugSections sections = debug_sections(file.get());
    std::vector<Dwarf_Off> expected;
    std::vector<Dwarf_Off> found;
    for (const Dwarf_Die& unit : file.units()) {
      const UnitTree tree(sections, unit);
      REQUIRE(tree.readable());
      walk_by_libdw(unit, expected);
      walk(tree, unit, found);
    }
    CHECK(found.size() > 5);
    CHECK(found == expected);
  }
}

TEST_CASE("a walk can be stopped") {
  const SampleProgram program("-g");
  const DwarfFile file(program.path());
  const Dwarf_Die unit = file.units().at(0);
  int visits = 0;
  UnitTree(debug_sections(file.get()), unit).for_each_child(unit, true, [&](Dwarf_Die&) {
    ++visits;
    return false;
  });
  CHECK(visits == 1);
}

TEST_CASE("a unit whose abbreviations are cut short is left to libdw") {
  const SampleProgram program("-g");
  const DwarfFile file(program.path());
  DebugSections sections = debug_sections(file.get());
  sections.abbreviations = sections.abbreviations.substr(0, sections.abbreviations.size() / 2);
  CHECK_FALSE(UnitTree(sections, file.units().at(0)).readable());
  sections.abbreviations = {};
  CHECK_FALSE(UnitTree(sections, file.units().at(0)).readable());
}

TEST_CASE("a unit of another file is left to libdw") {
  const SampleProgram program("-g");
  const DwarfFile file(program.path());
  const DwarfFile same(program.path());
  CHECK_FALSE(UnitTree(debug_sections(same.get()), file.units().at(0)).readable());
}
