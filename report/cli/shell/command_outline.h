// The command tree as shells and manuals need it: plain values, taken from CLI11's.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace memlens::report::cli {

// What a value is, as far as a shell can complete it.
enum class ValueKind { kNone, kText, kFile, kFolder, kCapture, kProcess, kChoice };

struct OptionOutline {
  std::vector<std::string> names;  // "-o", "--output"; of an argument: "CAPTURE"
  std::string value;               // as --help names it; empty: a flag
  ValueKind kind = ValueKind::kNone;
  std::vector<std::string> choices;  // kChoice
  std::string description;           // with the default, in parentheses
};

struct CommandOutline {
  std::string name;
  std::string description;
  std::string footer;
  std::vector<OptionOutline> options;
  std::vector<OptionOutline> arguments;
  bool takes_program = false;  // what follows its options is a command line of its own
};

// "peak|leaks", with "|" between them.
std::string joined(const std::vector<std::string>& words, const char* between);

// Commands that --help lists, in its order.
std::vector<CommandOutline> outline_commands(const CLI::App& app);

}  // namespace memlens::report::cli
