#include "report/cli/options/help_format.h"

#include <memory>
#include <string>

namespace memlens::report::cli {
namespace {

class HelpFormat : public CLI::Formatter {
 public:
  HelpFormat() { column_width(28); }

  // "memlens peak [options] CAPTURE"
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = "\nUsage: " + name;
    // The app that has subcommands needs one of them.
    usage += app->get_subcommands({}).empty() ? " [options]" : " COMMAND";
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_positional()) usage += " " + option->get_name(true);
    }
    return usage + "\n";
  }

  std::string make_positionals(const CLI::App*) const override { return ""; }

  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    // Flags that set false carry "{false}", which is for the parser.
    std::string name = option->get_name(is_positional, true);
    for (size_t at; (at = name.find("{false}")) != std::string::npos;) name.erase(at, 7);
    for (size_t at = 0; (at = name.find(',', at)) != std::string::npos; at += 2)
      name.insert(at + 1, 1, ' ');
    return name;
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    const bool takes_value = option->get_expected_max() > 0;
    const std::string text = !option->get_option_text().empty() || !takes_value
                                 ? option->get_option_text()
                                 : option->get_type_name();
    return text.empty() ? "" : " " + text;
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    const std::string value = option->get_default_str();
    return option->get_description() + (value.empty() ? "" : " (" + value + ")");
  }
};

}  // namespace

void use_help_format(CLI::App& app) { app.formatter(std::make_shared<HelpFormat>()); }

}  // namespace memlens::report::cli
