#include <string>

#include "report/cli/shell/completions.h"

namespace memlens::report::cli {
namespace {

// Inside single quotes, in the text of an _arguments specification.
std::string zsh_quoted(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '\'') {
      result += "'\\''";
    } else if (c == '\n') {
      result += ' ';
    } else {
      if (c == '[' || c == ']' || c == ':' || c == '\\') result += '\\';
      result += c;
    }
  }
  return result;
}

std::string zsh_action_of(const OptionOutline& value) {
  switch (value.kind) {
    case ValueKind::kFile:
      return "_files";
    case ValueKind::kFolder:
      return "_files -/";
    case ValueKind::kCapture:
      return value.value.find("PID") == std::string::npos ? "_files -g \"*.mlens\""
                                                          : "_memlens_pids_and_captures";
    case ValueKind::kProcess:
      return "_pids";
    case ValueKind::kChoice:
      return "(" + joined(value.choices, " ") + ")";
    default:
      return " ";
  }
}

void write_zsh_option(std::ostream& out, const OptionOutline& option) {
  for (const std::string& name : option.names) {
    const bool flag = option.kind == ValueKind::kNone;
    const bool longer = name.starts_with("--");
    // "-n+" takes its value in the same word or the next; "--view=" likewise.
    out << " \\\n        '" << name
        << (flag     ? ""
            : longer ? "="
                     : "+")
        << '[' << zsh_quoted(option.description) << ']';
    if (!flag) out << ':' << zsh_quoted(option.value) << ':' << zsh_action_of(option);
    out << '\'';
  }
}

void write_zsh_command(std::ostream& out, const CommandOutline& command) {
  out << "    " << command.name << ")\n      _arguments -s -S";
  for (const OptionOutline& option : command.options) write_zsh_option(out, option);
  if (command.takes_program) {
    out << " \\\n        '(-)1:program:_memlens_programs' \\\n        '*::arguments:_normal'";
  }
  for (const OptionOutline& argument : command.arguments) {
    // `lines CAPTURE FILE...`: the last may come again.
    const bool again = &argument == &command.arguments.back() && argument.value == "FILE";
    out << " \\\n        '" << (again ? "*" : "") << ':' << zsh_quoted(argument.value) << ':'
        << zsh_action_of(argument) << '\'';
  }
  out << "\n      ;;\n";
}

}  // namespace

void write_zsh_completion(std::ostream& out, std::span<const CommandOutline> commands) {
  out << R"(#compdef memlens
# zsh completion for memlens; made by `memlens completion zsh`

_memlens_pids_and_captures() {
  _alternative 'captures:capture:_files -g "*.mlens"' 'processes:process:_pids'
}

_memlens_programs() {
  _alternative 'files:script or program:_files' 'commands:command:_command_names -e'
}

_memlens_first() {
  local -a commands=(
)";
  for (const CommandOutline& command : commands) {
    out << "    '" << command.name << ':' << zsh_quoted(command.description) << "'\n";
  }
  out << R"(  )
  _alternative 'commands:command:{_describe command commands}' 'captures:capture:_files -g "*.mlens"'
}

_memlens() {
  local curcontext="$curcontext" state line
  _arguments -C '(-)--help[Print help]' '(-)--version[Print the version]' \
    '1:command:_memlens_first' '*::argument:->arguments' && return
  [[ $state == arguments ]] || return
  curcontext="${curcontext%:*}-$line[1]:"
  case $line[1] in
)";
  for (const CommandOutline& command : commands) write_zsh_command(out, command);
  out << R"(  esac
}

if [[ $funcstack[1] == _memlens ]]; then
  _memlens "$@"
else
  compdef _memlens memlens
fi
)";
}

}  // namespace memlens::report::cli
