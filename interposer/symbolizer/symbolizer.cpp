#include "interposer/symbolizer/symbolizer.h"

#include <dwarf.h>

#include <unordered_map>

#include "interposer/symbolizer/debug_sections.h"
#include "interposer/symbolizer/die_names.h"
#include "interposer/symbolizer/function_name.h"
#include "interposer/symbolizer/function_symbols.h"
#include "interposer/symbolizer/inline_scopes.h"
#include "interposer/symbolizer/line_table.h"
#include "interposer/symbolizer/module_file.h"
#include "interposer/symbolizer/plt_stubs.h"
#include "interposer/symbolizer/shorten_name.h"
#include "interposer/symbolizer/unit_index.h"
#include "reader/text/base_name.h"

namespace memlens::symbolizer {
namespace {

using Clock = std::chrono::steady_clock;

// Longer ones are damage, or say nothing to a reader.
constexpr size_t kMaxStoredNameBytes = 8192;

bool is_a_file(std::string_view path) { return path.starts_with('/'); }

// The loader calls the kernel's page of code by a file name that is nowhere.
std::string_view label_of(std::string_view path) {
  return path.starts_with("linux-vdso") || path.starts_with("linux-gate") ? "[vdso]" : path;
}

// Frames of addresses in any order, then put in order: DWARF is read unit by unit.
class ResultBuilder {
 public:
  ResultBuilder(const ModuleImage& module, std::span<const uint64_t> addresses, bool demangle)
      : module_(module), addresses_(addresses), demangle_(demangle), frames_of_(addresses.size()) {}

  bool has(size_t address_index) const { return frames_of_[address_index].count != 0; }

  uint32_t string_number(std::string_view text) {
    if (text.empty()) return 0;
    if (text.size() > kMaxStoredNameBytes) text = text.substr(0, kMaxStoredNameBytes);
    const auto [entry, is_new] =
        numbers_.try_emplace(std::string(text), static_cast<uint32_t>(symbols_.strings.size()));
    if (is_new) symbols_.strings.emplace_back(text);
    return entry->second;
  }

  // A frame named by a symbol of the object file.
  ResolvedFrame symbol_frame(const char* symbol) {
    const auto [entry, is_new] = symbol_frames_.try_emplace(symbol);
    if (is_new) {
      const std::string shown =
          demangle_ ? display_name(symbol) : std::string(without_clone_suffix(symbol));
      entry->second.function = string_number(shown);
      entry->second.linkage_name = shown == symbol ? 0 : string_number(symbol);
    }
    return entry->second;
  }

  // A frame of an address that is in no function known: its symbol's, or where it is.
  ResolvedFrame frame_without_function(size_t address_index, const char* symbol) {
    if (symbol != nullptr) return symbol_frame(symbol);
    ResolvedFrame frame;
    frame.function = string_number(is_a_file(module_.path)
                                       ? module_offset_name(module_.path, addresses_[address_index])
                                       : std::string(label_of(module_.path)));
    return frame;
  }

  void set_frames(size_t address_index, std::span<const ResolvedFrame> frames) {
    frames_of_[address_index] = {static_cast<uint32_t>(frames_.size()),
                                 static_cast<uint32_t>(frames.size())};
    frames_.insert(frames_.end(), frames.begin(), frames.end());
  }

  ModuleSymbols finish(ModuleStatus status) {
    symbols_.status = status;
    symbols_.first_frame.reserve(frames_of_.size() + 1);
    symbols_.frames.reserve(frames_.size());
    for (const Slice& slice : frames_of_) {
      symbols_.first_frame.push_back(static_cast<uint32_t>(symbols_.frames.size()));
      const auto first = frames_.begin() + slice.first;
      symbols_.frames.insert(symbols_.frames.end(), first, first + slice.count);
    }
    symbols_.first_frame.push_back(static_cast<uint32_t>(symbols_.frames.size()));
    return std::move(symbols_);
  }

 private:
  struct Slice {
    uint32_t first = 0;
    uint32_t count = 0;
  };

  const ModuleImage& module_;
  std::span<const uint64_t> addresses_;
  bool demangle_;
  ModuleSymbols symbols_;
  std::vector<ResolvedFrame> frames_;
  std::vector<Slice> frames_of_;
  std::unordered_map<std::string, uint32_t> numbers_;
  std::unordered_map<const char*, ResolvedFrame> symbol_frames_;
};

// Names and lines of one module from its DWARF, unit after unit.
class DwarfResolver {
 public:
  DwarfResolver(Dwarf* dwarf, Dwarf_Addr bias, std::span<const uint64_t> addresses,
                std::span<const char* const> symbols, const SymbolizerOptions& options,
                ResultBuilder& result)
      : sections_(debug_sections(dwarf)),
        units_(dwarf),
        bias_(bias),
        addresses_(addresses),
        symbols_(symbols),
        options_(options),
        result_(result) {}

  bool has_units() { return !units_.empty(); }

  // False: the deadline came first, some addresses are not in `result`.
  bool resolve_units() {
    std::unordered_map<size_t, std::vector<size_t>> addresses_of_unit;
    for (size_t i = 0; i < addresses_.size(); ++i) {
      const size_t unit = units_.find(addresses_[i] - bias_);
      if (unit != UnitIndex::kNone) addresses_of_unit[unit].push_back(i);
    }
    for (const auto& [unit, indexes] : addresses_of_unit) {
      if (Clock::now() > options_.deadline) return false;
      resolve_unit(units_.unit(unit), indexes);
    }
    return true;
  }

 private:
  void resolve_unit(const Unit& unit, const std::vector<size_t>& indexes) {
    std::vector<uint64_t> unit_addresses;
    unit_addresses.reserve(indexes.size());
    for (size_t index : indexes) unit_addresses.push_back(addresses_[index] - bias_);
    const LineTable lines(sections_.line, unit.die, unit_addresses);
    file_numbers_.assign(lines.file_count(), 0);
    const InlineScopes scopes(sections_, unit.code_die, unit_addresses, options_.deadline);
    std::vector<Dwarf_Die> chain;
    for (size_t i = 0; i < indexes.size(); ++i) {
      chain.clear();
      scopes.append_chain(i, chain);
      resolve_address(indexes[i], lines.place_of(i), chain, lines);
    }
  }

  void resolve_address(size_t index, LineTable::Place place, std::vector<Dwarf_Die>& chain,
                       const LineTable& lines) {
    frames_.clear();
    for (Dwarf_Die& function : chain) {
      const bool is_compiled_here = &function == &chain.back();
      ResolvedFrame frame = function_frame(function, is_compiled_here ? symbols_[index] : nullptr);
      if (frame.function == 0) frame.function = result_.string_number("{unnamed}");
      add_frame(frame, place, lines);
      place = lines.call_site(function);
    }
    if (chain.empty()) {
      // Assembly with a line table: the symbol table may have the name.
      add_frame(result_.frame_without_function(index, symbols_[index]), place, lines);
    }
    result_.set_frames(index, frames_);
  }

  void add_frame(ResolvedFrame frame, const LineTable::Place& place, const LineTable& lines) {
    if (place.file != LineTable::kNoFile) {
      uint32_t& number = file_numbers_[place.file];
      if (number == 0) number = result_.string_number(lines.path(place.file));
      frame.file = number;
    }
    frame.line = place.line;
    frames_.push_back(frame);
  }

  // `symbol` covers the address, null for an inlined function. Where DWARF has a mere source name
  // the symbol says more: a lambda's enclosing function, `malloc` instead of __libc_malloc.
  ResolvedFrame function_frame(Dwarf_Die& function, const char* symbol) {
    if (const char* name = linkage_name(function)) return result_.symbol_frame(name);
    if (symbol != nullptr) return result_.symbol_frame(symbol);
    const auto [entry, is_new] = plain_frames_.try_emplace(origin_key(function));
    if (is_new) {
      const std::string name = qualified_names_.of(function);
      entry->second.function = result_.string_number(shorten_cpp_name(name));
    }
    return entry->second;
  }

  // Instances of one inlined function share the entry they refer to.
  static const void* origin_key(Dwarf_Die& function) {
    Dwarf_Attribute attribute;
    Dwarf_Die origin;
    if (dwarf_formref_die(dwarf_attr(&function, DW_AT_abstract_origin, &attribute), &origin) !=
        nullptr) {
      return origin.addr;
    }
    return function.addr;
  }

  DebugSections sections_;
  UnitIndex units_;
  Dwarf_Addr bias_;
  std::span<const uint64_t> addresses_;
  std::span<const char* const> symbols_;
  const SymbolizerOptions& options_;
  ResultBuilder& result_;
  QualifiedNames qualified_names_;
  std::unordered_map<const void*, ResolvedFrame> plain_frames_;
  std::vector<uint32_t> file_numbers_;  // of the unit at hand; 0: not asked for yet
  std::vector<ResolvedFrame> frames_;   // of the address at hand
};

// `symbols` may be empty: none are known.
void fill_unknown(size_t address_count, std::span<const char* const> symbols,
                  ResultBuilder& result) {
  for (size_t i = 0; i < address_count; ++i) {
    if (result.has(i)) continue;
    const ResolvedFrame frame =
        result.frame_without_function(i, symbols.empty() ? nullptr : symbols[i]);
    result.set_frames(i, {&frame, 1});
  }
}

}  // namespace

ModuleSymbols resolve(const ModuleImage& module, std::span<const uint64_t> addresses,
                      const SymbolizerOptions& options) {
  ResultBuilder result(module, addresses, options.demangle);
  if (!is_a_file(module.path)) {
    fill_unknown(addresses.size(), {}, result);
    return result.finish(ModuleStatus::kNotAFile);
  }
  const ModuleFile file(module, options);
  if (file.module() == nullptr) {
    fill_unknown(addresses.size(), {}, result);
    return result.finish(file.failure());
  }
  std::vector<const char*> symbols = covering_symbols(file.module(), addresses);
  ModuleStatus status = ModuleStatus::kNoSymbols;
  PltStubs stubs(file.module());
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (symbols[i] != nullptr) status = ModuleStatus::kNames;
    if (symbols[i] == nullptr) symbols[i] = stubs.name_at(addresses[i]);
  }
  Dwarf_Addr bias = 0;
  if (Dwarf* dwarf = file.debug_information(bias)) {
    DwarfResolver resolver(dwarf, bias, addresses, symbols, options, result);
    if (resolver.has_units()) {
      status = resolver.resolve_units() ? ModuleStatus::kLines : ModuleStatus::kOutOfTime;
    }
  }
  fill_unknown(addresses.size(), symbols, result);
  return result.finish(status);
}

std::string module_offset_name(std::string_view module_path, uint64_t address) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  do {
    digits.insert(digits.begin(), kDigits[address & 15]);
    address >>= 4;
  } while (address != 0);
  const std::string_view name = reader::base_name(module_path);
  return std::string(name.empty() ? "?" : name) + "+0x" + digits;
}

std::string_view describe(ModuleStatus status) {
  switch (status) {
    case ModuleStatus::kLines:
    case ModuleStatus::kNotAFile:
      return {};
    case ModuleStatus::kNames:
      return "no debug information: functions without files and lines (--debuginfod may find it)";
    case ModuleStatus::kNoSymbols:
      return "no debug information and no symbols for the addresses seen (--debuginfod may find "
             "them)";
    case ModuleStatus::kMissing:
      return "the file was gone when the run ended";
    case ModuleStatus::kReplaced:
      return "the file was replaced after it was loaded, so its symbols were not used";
    case ModuleStatus::kOutOfTime:
      return "reading debug information took too long and was cut short";
  }
  return {};
}

}  // namespace memlens::symbolizer
