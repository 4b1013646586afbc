#include "report/cli/shell_commands.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "report/cli/report_file.h"
#include "report/cli/shell/command_outline.h"
#include "report/cli/shell/completions.h"
#include "report/cli/shell/manual_page.h"

namespace memlens::report::cli {
namespace {

int print_completion(const CLI::App& app, const std::string& shell) {
  const std::vector<CommandOutline> commands = outline_commands(app);
  if (shell == "bash") write_bash_completion(std::cout, commands);
  if (shell == "zsh") write_zsh_completion(std::cout, commands);
  if (shell == "fish") write_fish_completion(std::cout, commands);
  return 0;
}

int print_manual(const CLI::App& app, const std::string& name) {
  const std::vector<CommandOutline> commands = outline_commands(app);
  if (name.empty()) {
    write_manual_page(std::cout, {app.get_description(), app.get_footer(), commands});
    return 0;
  }
  const auto command = std::ranges::find(commands, name, &CommandOutline::name);
  if (command == commands.end()) throw std::runtime_error("no command '" + name + "'");
  write_manual_page(std::cout, *command);
  return 0;
}

// memlens.1 and a page a command.
int write_manual(const CLI::App& app, const std::filesystem::path& folder) {
  const std::vector<CommandOutline> commands = outline_commands(app);
  std::filesystem::create_directories(folder);
  write_report_file(folder / "memlens.1", [&](std::ostream& out) {
    write_manual_page(out, {app.get_description(), app.get_footer(), commands});
  });
  for (const CommandOutline& command : commands) {
    write_report_file(folder / ("memlens-" + command.name + ".1"),
                      [&](std::ostream& out) { write_manual_page(out, command); });
  }
  return 0;
}

}  // namespace

void add_shell_commands(CLI::App& app, Action& chosen) {
  auto word = std::make_shared<std::string>();
  CLI::App* completion =
      app.add_subcommand("completion", "Commands, options and values for a shell to complete");
  completion->footer(
      "Where memlens was installed by a package or by `cmake --install`, shells know it "
      "already.\n\n"
      "Examples:\n"
      "  source <(memlens completion bash)\n"
      "  memlens completion zsh > \"${fpath[1]}/_memlens\"\n"
      "  memlens completion fish > ~/.config/fish/completions/memlens.fish");
  completion->add_option("SHELL", *word, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->option_text("bash|zsh|fish");
  completion->callback(
      [&app, word, &chosen] { chosen = [&app, word] { return print_completion(app, *word); }; });

  auto name = std::make_shared<std::string>();
  auto folder = std::make_shared<std::string>();
  CLI::App* manual = app.add_subcommand("manual", "A manual page, in man(7)")->group("");
  manual->add_option("COMMAND", *name, "Of one command; else memlens's own")->option_text(" ");
  manual->add_option("--into", *folder, "Every page, as a file in this folder")->option_text("DIR");
  manual->callback([&app, name, folder, &chosen] {
    chosen = [&app, name, folder] {
      return folder->empty() ? print_manual(app, *name) : write_manual(app, *folder);
    };
  });
}

}  // namespace memlens::report::cli
