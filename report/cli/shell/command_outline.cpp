#include "report/cli/shell/command_outline.h"

#include <algorithm>
#include <cctype>
#include <sstream>

namespace memlens::report::cli {
namespace {

constexpr std::string_view kFalseValue = "{false}";  // of flags that set false: for the parser

std::string without_spaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

// "text|github|json"; "CAPTURE|JSON" names two kinds of file.
std::vector<std::string> choices_in(const std::string& value) {
  std::vector<std::string> choices;
  if (value.find('|') == std::string::npos ||
      std::ranges::any_of(value, [](unsigned char c) { return std::isupper(c) != 0; }))
    return choices;
  std::istringstream words(value);
  for (std::string word; std::getline(words, word, '|');) choices.push_back(word);
  return choices;
}

ValueKind value_kind_of(const std::string& value) {
  const auto names = [&](std::string_view word) { return value.find(word) != std::string::npos; };
  if (names("CAPTURE") || names("OLD") || names("NEW")) return ValueKind::kCapture;
  if (names("PID")) return ValueKind::kProcess;
  if (names("DIR")) return ValueKind::kFolder;
  if (names("FILE") || names("PATH")) return ValueKind::kFile;
  return ValueKind::kText;
}

OptionOutline outline_option(const CLI::Option& option) {
  OptionOutline result;
  for (const std::string& name : option.get_snames()) result.names.push_back("-" + name);
  for (std::string name : option.get_lnames()) {
    if (const size_t at = name.find(kFalseValue); at != std::string::npos)
      name.erase(at, kFalseValue.size());
    result.names.push_back("--" + name);
  }
  result.description = option.get_description();
  if (const std::string value = option.get_default_str(); !value.empty())
    result.description += " (" + value + ")";
  if (option.get_positional()) {
    result.names = {option.get_name(true)};
    result.value = without_spaces(option.get_option_text());
    if (result.value.empty()) result.value = result.names.front();
  } else if (option.get_expected_max() > 0) {
    result.value = without_spaces(option.get_option_text());
    if (result.value.empty()) result.value = option.get_type_name();
  }
  if (result.value.empty()) return result;
  result.choices = choices_in(result.value);
  result.kind = result.choices.empty() ? value_kind_of(result.value) : ValueKind::kChoice;
  return result;
}

}  // namespace

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::vector<CommandOutline> outline_commands(const CLI::App& app) {
  std::vector<CommandOutline> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;
    CommandOutline result;
    result.name = command->get_name();
    result.description = command->get_description();
    result.footer = command->get_footer();
    result.takes_program = result.name == "run";
    for (const CLI::Option* option : command->get_options()) {
      (option->get_positional() ? result.arguments : result.options)
          .push_back(outline_option(*option));
    }
    commands.push_back(std::move(result));
  }
  return commands;
}

}  // namespace memlens::report::cli
