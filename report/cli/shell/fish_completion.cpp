#include <string>

#include "report/cli/shell/completions.h"

namespace memlens::report::cli {
namespace {

std::string fish_quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result + "'";
}

// fish completes files by itself, unless -f forbids it.
std::string fish_completion_of(const OptionOutline& value) {
  constexpr const char* kCaptures = "(__fish_complete_suffix .mlens)";
  switch (value.kind) {
    case ValueKind::kFile:
      return "-F";
    case ValueKind::kFolder:
      return "-f -a '(__fish_complete_directories)'";
    case ValueKind::kCapture:
      return std::string("-k -f -a '") + kCaptures +
             (value.value.find("PID") == std::string::npos ? "'" : " (__fish_complete_pids)'");
    case ValueKind::kProcess:
      return "-f -a '(__fish_complete_pids)'";
    case ValueKind::kChoice:
      return "-f -a " + fish_quoted(joined(value.choices, " "));
    default:
      return "-f";
  }
}

void write_fish_option(std::ostream& out, const std::string& start, const OptionOutline& option) {
  out << start;
  for (const std::string& name : option.names) {
    name.starts_with("--") ? out << " -l " << name.substr(2) : out << " -s " << name.substr(1);
  }
  if (option.kind != ValueKind::kNone) out << " -r " << fish_completion_of(option);
  out << " -d " << fish_quoted(option.description) << '\n';
}

}  // namespace

void write_fish_completion(std::ostream& out, std::span<const CommandOutline> commands) {
  out << "# fish completion for memlens; made by `memlens completion fish`\n"
         "function __fish_memlens_command  # the command is this one\n"
         "  set -l words (commandline -opc)\n"
         "  test (count $words) -gt 1; and test $words[2] = $argv[1]\n"
         "end\n"
         "complete -c memlens -f\n"
         "complete -c memlens -n __fish_use_subcommand -l help -s h -d 'Print help'\n"
         "complete -c memlens -n __fish_use_subcommand -l version -d 'Print the version'\n"
         "complete -c memlens -n __fish_use_subcommand -k -a '(__fish_complete_suffix .mlens)'\n";
  for (const CommandOutline& command : commands) {
    out << "complete -c memlens -n __fish_use_subcommand -a " << command.name << " -d "
        << fish_quoted(command.description) << '\n';
  }
  for (const CommandOutline& command : commands) {
    const std::string start =
        "complete -c memlens -n '__fish_memlens_command " + command.name + "'";
    std::string with_value;
    for (const OptionOutline& option : command.options) {
      write_fish_option(out, start, option);
      if (option.kind == ValueKind::kNone) continue;
      for (const std::string& name : option.names) with_value += ' ' + name;
    }
    if (command.takes_program) {
      out << start << " -F -a '(__fish_complete_subcommand --fcs-skip=2" << with_value << ")'\n";
    } else if (!command.arguments.empty()) {
      out << start << ' ' << fish_completion_of(command.arguments.front()) << '\n';
    }
  }
}

}  // namespace memlens::report::cli
