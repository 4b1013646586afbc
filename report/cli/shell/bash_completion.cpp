// Needs bash alone, not the bash-completion package; with it, what `memlens run` is given completes
// as that program's own command line does.
#include <string>

#include "report/cli/shell/completions.h"

namespace memlens::report::cli {
namespace {

constexpr const char* kBashBefore =
    R"(# bash completion for memlens; made by `memlens completion bash`
_memlens_files() {  # [SUFFIX]: files with it, and folders
  local IFS=$'\n'
  COMPREPLY=($(compgen -d -- "$current"))
  if [[ -n ${1-} ]]; then
    COMPREPLY+=($(compgen -f -X "!*$1" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
  compopt -o filenames 2>/dev/null
}

_memlens_processes() {
  local folder pids=
  for folder in /proc/[0-9]*; do [[ -O $folder ]] && pids+=" ${folder#/proc/}"; done
  COMPREPLY+=($(compgen -W "$pids" -- "$current"))
}

# What is behind `memlens run`'s own options: $1 is the place of the program's name.
_memlens_program() {
  if ((COMP_CWORD == $1)); then
    _memlens_files
    COMPREPLY+=($(compgen -c -- "$current"))
  elif declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  else
    _memlens_files
  fi
}

_memlens() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  # "--view=peak" is three words to bash.
  if [[ $current == '=' ]]; then
    current=
  elif [[ $previous == '=' ]]; then
    previous=${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _memlens_files .mlens
)";

constexpr const char* kBashAfter = R"(  esac
}

complete -F _memlens memlens
)";

std::string bash_completion_of(const OptionOutline& option) {
  switch (option.kind) {
    case ValueKind::kFile:
      return "_memlens_files";
    case ValueKind::kFolder:
      return "COMPREPLY=($(compgen -d -- \"$current\")); compopt -o filenames 2>/dev/null";
    case ValueKind::kCapture:
      return option.value.find("PID") == std::string::npos
                 ? "_memlens_files .mlens"
                 : "_memlens_files .mlens; _memlens_processes";
    case ValueKind::kProcess:
      return "_memlens_processes";
    case ValueKind::kChoice:
      return "COMPREPLY=($(compgen -W '" + joined(option.choices, " ") + "' -- \"$current\"))";
    default:
      return ":";
  }
}

void write_bash_command(std::ostream& out, const CommandOutline& command) {
  out << "    " << command.name << ")\n";
  std::vector<std::string> names;
  std::vector<std::string> with_value;
  std::string cases;
  for (const OptionOutline& option : command.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (option.kind == ValueKind::kNone) continue;
    with_value.insert(with_value.end(), option.names.begin(), option.names.end());
    cases += "        " + joined(option.names, "|") + ") " + bash_completion_of(option) +
             "; return ;;\n";
  }
  if (command.takes_program) {
    out << "      local place=2\n"
           "      while ((place < COMP_CWORD)); do\n"
           "        case ${COMP_WORDS[place]} in\n"
           "          "
        << joined(with_value, "|")
        << ") ((place += 2)) ;;\n"
           "          --) _memlens_program $((place + 1)); return ;;\n"
           "          -m|-c) return ;;\n"
           "          -*|=) ((place += 1)) ;;\n"
           "          *) _memlens_program $place; return ;;\n"
           "        esac\n"
           "      done\n";
  }
  if (!cases.empty()) out << "      case $previous in\n" << cases << "      esac\n";
  out << "      if [[ $current == -* ]]; then\n"
         "        COMPREPLY=($(compgen -W '"
      << joined(names, " ") << "' -- \"$current\"))\n";
  if (command.takes_program) {
    out << "      else\n        _memlens_program $COMP_CWORD\n";
  } else if (!command.arguments.empty()) {
    out << "      else\n        " << bash_completion_of(command.arguments.front()) << "\n";
  }
  out << "      fi\n      ;;\n";
}

}  // namespace

void write_bash_completion(std::ostream& out, std::span<const CommandOutline> commands) {
  out << kBashBefore << "    COMPREPLY+=($(compgen -W '";
  for (const CommandOutline& command : commands) out << command.name << ' ';
  out << "--help --version' -- \"$current\"))\n    return\n  fi\n  case $command in\n";
  for (const CommandOutline& command : commands) write_bash_command(out, command);
  out << kBashAfter;
}

}  // namespace memlens::report::cli
