// The files mapped into one process, for naming addresses that have no symbol.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace memlens::reader {

struct Module {
  uint32_t id = 0;
  uint64_t load_bias = 0;
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t ticks = 0;
  uint64_t end_ticks = UINT64_MAX;
  std::string_view path;
  std::string_view build_id;  // raw bytes
};

class ModuleMap {
 public:
  void add(const Module& module) { modules_.push_back(module); }
  void end(uint32_t id, uint64_t ticks);
  void finish();  // after the last add(), before find()

  // The module that holds an address, the latest one when several did in turn; nullptr: none.
  const Module* find(uint64_t address) const;
  const std::vector<Module>& all() const { return modules_; }

 private:
  std::vector<Module> modules_;  // by start, then ticks, after finish()
  uint64_t longest_bytes_ = 0;
};

}  // namespace memlens::reader
