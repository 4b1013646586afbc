#include "interposer/symbolizer/line_program.h"

#include <dwarf.h>

#include <algorithm>
#include <array>

namespace memlens::symbolizer {
namespace {

constexpr uint32_t k64BitMark = 0xffffffff;

// Keeps of all rows the last one at or below each address, in the order of a table sorted by
// address: where one sequence ends and another begins at the same address, the other counts.
class RowFinder {
 public:
  using Row = LineProgram::Row;

  explicit RowFinder(std::span<const uint64_t> addresses)
      : addresses_(addresses), slots_(addresses.size() + 1) {}

  void add(uint64_t address, uint64_t file, int64_t line) {
    // Most rows lie between the same two addresses as the one before, which then is of no use.
    if (address < last_.row.address || address > slot_end_) go_to(address);
    last_.row.address = address;
    last_.row.file = file;
    last_.row.line = line;
  }

  void end_sequence(uint64_t address, uint64_t file, int64_t line) {
    const bool is_empty = slot_ != kNone && address == last_.row.address;  // then the row counts
    add(address, is_empty ? last_.row.file : file, is_empty ? last_.row.line : line);
    last_.ends_sequence = !is_empty;
    keep_last();
    last_ = {};
    slot_end_ = 0;
    slot_ = kNone;
  }

  std::vector<Row> finish() {
    keep_last();
    std::vector<Row> rows(addresses_.size());
    const Slot* last = nullptr;
    for (size_t i = 0; i < addresses_.size(); ++i) {
      if (slots_[i].row.is_known) last = &slots_[i];
      // Some compilers forget to end the last sequence.
      if (last == nullptr || last->ends_sequence || last->row.address == highest_) continue;
      rows[i] = last->row;
    }
    return rows;
  }

 private:
  struct Slot {
    Row row;
    bool ends_sequence = false;
  };
  static constexpr size_t kNone = SIZE_MAX;

  void go_to(uint64_t address) {
    keep_last();
    const auto at = std::lower_bound(addresses_.begin(), addresses_.end(), address);
    slot_ = static_cast<size_t>(at - addresses_.begin());
    slot_end_ = at == addresses_.end() ? UINT64_MAX : *at;
    last_.row.is_known = true;
  }

  void keep_last() {
    if (slot_ == kNone) return;
    highest_ = std::max(highest_, last_.row.address);
    Slot& slot = slots_[slot_];
    const bool is_later =
        !slot.row.is_known || last_.row.address > slot.row.address ||
        (last_.row.address == slot.row.address && (slot.ends_sequence || !last_.ends_sequence));
    if (is_later) slot = last_;
  }

  std::span<const uint64_t> addresses_;
  // The last row above the address before and not above this one; one more for what is above all.
  std::vector<Slot> slots_;
  Slot last_;              // of this sequence, not in slots_ yet
  size_t slot_ = kNone;    // which it belongs to; kNone: it is no row
  uint64_t slot_end_ = 0;  // the highest address that belongs there too
  uint64_t highest_ = 0;
};

}  // namespace

LineProgram::LineProgram(const LineSections& sections, uint64_t offset,
                         std::string_view compilation_directory)
    : sections_(sections), compilation_directory_(compilation_directory) {
  if (offset >= sections.lines.size()) return;
  ByteCursor section(sections.lines.substr(offset));
  uint64_t length = section.read<uint32_t>();
  is_64_bit_ = length == k64BitMark;
  if (is_64_bit_) length = section.read<uint64_t>();
  if (read_header(section.read_bytes(length))) return;
  files_.clear();
  program_ = {};
}

bool LineProgram::read_header(std::string_view unit) {
  ByteCursor header(unit);
  version_ = header.read<uint16_t>();
  if (version_ < 2 || version_ > 5) return false;
  if (version_ >= 5) header.read_bytes(2);  // sizes of addresses and segment selectors
  const uint64_t tables_length = header.read_offset(is_64_bit_);
  ByteCursor tables(header.read_bytes(tables_length));
  program_ = header.read_bytes(header.left());
  minimum_instruction_ = tables.read<uint8_t>();
  if (version_ >= 4) operations_ = tables.read<uint8_t>();
  tables.read<uint8_t>();  // whether rows begin statements
  line_base_ = tables.read<int8_t>();
  line_range_ = tables.read<uint8_t>();
  opcode_base_ = tables.read<uint8_t>();
  if (operations_ == 0 || line_range_ == 0 || opcode_base_ == 0) return false;
  opcode_lengths_ = tables.read_bytes(opcode_base_ - 1u);
  if (header.failed() || tables.failed()) return false;
  return version_ < 5 ? read_old_tables(tables) : read_tables(tables);
}

bool LineProgram::read_old_tables(ByteCursor tables) {
  directories_.push_back(compilation_directory_);
  for (std::string_view text; !(text = tables.read_text()).empty();) directories_.push_back(text);
  files_.push_back({});  // numbers begin at 1
  for (std::string_view name; !(name = tables.read_text()).empty();) {
    const uint64_t directory = tables.read_uleb();
    tables.read_uleb();  // time of change
    tables.read_uleb();  // size
    if (directory >= directories_.size()) return false;
    files_.push_back({name, directories_[directory]});
  }
  return !tables.failed();
}

bool LineProgram::read_tables(ByteCursor tables) {
  std::vector<File> directories;
  if (!read_entries(tables, directories, false)) return false;
  for (const File& directory : directories) directories_.push_back(directory.name);
  return read_entries(tables, files_, true) && !tables.failed();
}

bool LineProgram::read_entries(ByteCursor& tables, std::vector<File>& entries, bool are_files) {
  std::vector<Form> forms(tables.read<uint8_t>());
  for (Form& form : forms) form = {tables.read_uleb(), tables.read_uleb()};
  const uint64_t count = tables.read_uleb();
  // Each takes a byte at least: a count made up takes no memory.
  if (count > tables.left() || (forms.empty() && count != 0)) return false;
  for (uint64_t i = 0; i < count; ++i) {
    File entry;
    uint64_t directory = UINT64_MAX;
    for (const Form& form : forms) {
      uint64_t value = UINT64_MAX;
      const bool is_read = form.content == DW_LNCT_path ? read_text(tables, form.form, entry.name)
                                                        : pass_value(tables, form.form, value);
      if (!is_read || tables.failed()) return false;
      if (form.content == DW_LNCT_directory_index) directory = value;
    }
    if (are_files) {
      if (directory >= directories_.size()) return false;
      entry.directory = directories_[directory];
    }
    entries.push_back(entry);
  }
  return true;
}

bool LineProgram::read_text(ByteCursor& tables, uint64_t form, std::string_view& text) const {
  if (form == DW_FORM_string) {
    text = tables.read_text();
    return true;
  }
  if (form != DW_FORM_line_strp && form != DW_FORM_strp) return false;
  const std::string_view texts = form == DW_FORM_strp ? sections_.strings : sections_.line_strings;
  const uint64_t offset = tables.read_offset(is_64_bit_);
  if (offset >= texts.size()) return false;
  ByteCursor at(texts.substr(offset));
  text = at.read_text();
  return !at.failed();
}

// `value` stays what it was where the form is no small number.
bool LineProgram::pass_value(ByteCursor& tables, uint64_t form, uint64_t& value) const {
  switch (form) {
    case DW_FORM_udata:
      value = tables.read_uleb();
      return true;
    case DW_FORM_data1:
      value = tables.read<uint8_t>();
      return true;
    case DW_FORM_data2:
      value = tables.read<uint16_t>();
      return true;
    case DW_FORM_data4:
      value = tables.read<uint32_t>();
      return true;
    case DW_FORM_data8:
      value = tables.read<uint64_t>();
      return true;
    case DW_FORM_data16:
      tables.read_bytes(16);
      return true;
    case DW_FORM_block:
      tables.read_bytes(tables.read_uleb());
      return true;
    case DW_FORM_block1:
      tables.read_bytes(tables.read<uint8_t>());
      return true;
    case DW_FORM_string:
      tables.read_text();
      return true;
    case DW_FORM_strp:
    case DW_FORM_line_strp:
      tables.read_offset(is_64_bit_);
      return true;
    default:
      return false;
  }
}

std::vector<LineProgram::Row> LineProgram::rows_of(std::span<const uint64_t> addresses) const {
  struct Step {
    uint8_t operations;
    int16_t lines;
  };
  std::array<Step, 256> steps{};
  for (unsigned opcode = opcode_base_; opcode < steps.size() && line_range_ != 0; ++opcode) {
    const unsigned distance = opcode - opcode_base_;
    steps[opcode] = {static_cast<uint8_t>(distance / line_range_),
                     static_cast<int16_t>(line_base_ + static_cast<int>(distance % line_range_))};
  }

  RowFinder finder(addresses);
  uint64_t address = 0;
  uint64_t operation = 0;  // within the instruction
  uint64_t file = 1;
  int64_t line = 1;
  const auto advance = [&](uint64_t operations) {
    if (operations_ == 1) {
      address += minimum_instruction_ * operations;
    } else {
      address += minimum_instruction_ * ((operation + operations) / operations_);
      operation = (operation + operations) % operations_;
    }
  };
  ByteCursor program(program_);
  while (!program.at_end()) {
    const auto opcode = program.read<uint8_t>();
    if (opcode >= opcode_base_) {
      advance(steps[opcode].operations);
      line += steps[opcode].lines;
      finder.add(address, file, line);
      continue;
    }
    switch (opcode) {
      case 0: {
        ByteCursor extended(program.read_bytes(program.read_uleb()));
        const auto extended_opcode = extended.read<uint8_t>();
        if (extended_opcode == DW_LNE_end_sequence) {
          finder.end_sequence(address, file, line);
          address = operation = 0;
          file = 1;
          line = 1;
        } else if (extended_opcode == DW_LNE_set_address) {
          address = extended.left() == sizeof(uint32_t) ? extended.read<uint32_t>()
                                                        : extended.read<uint64_t>();
          operation = 0;
        }  // others say nothing of addresses and lines
        if (extended.failed()) return std::vector<Row>(addresses.size());
        break;
      }
      case DW_LNS_copy:
        finder.add(address, file, line);
        break;
      case DW_LNS_advance_pc:
        advance(program.read_uleb());
        break;
      case DW_LNS_advance_line:
        line += program.read_sleb();
        break;
      case DW_LNS_set_file:
        file = program.read_uleb();
        break;
      case DW_LNS_set_column:
        program.read_uleb();
        break;
      case DW_LNS_negate_stmt:
        break;
      case DW_LNS_const_add_pc:
        advance((255u - opcode_base_) / line_range_);
        break;
      case DW_LNS_fixed_advance_pc:
        address += program.read<uint16_t>();
        operation = 0;
        break;
      default:
        for (auto count = static_cast<uint8_t>(opcode_lengths_[opcode - 1u]); count > 0; --count) {
          program.read_uleb();
        }
        break;
    }
  }
  return program.failed() ? std::vector<Row>(addresses.size()) : finder.finish();
}

}  // namespace memlens::symbolizer
