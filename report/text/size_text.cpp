#include "report/text/size_text.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string>

namespace memlens::report {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array kSizes = {Unit{"", 1},         Unit{"b", 1},        Unit{"k", 1e3},
                               Unit{"kb", 1e3},     Unit{"m", 1e6},      Unit{"mb", 1e6},
                               Unit{"g", 1e9},      Unit{"gb", 1e9},     Unit{"t", 1e12},
                               Unit{"tb", 1e12},    Unit{"ki", 0x1p10},  Unit{"kib", 0x1p10},
                               Unit{"mi", 0x1p20},  Unit{"mib", 0x1p20}, Unit{"gi", 0x1p30},
                               Unit{"gib", 0x1p30}, Unit{"ti", 0x1p40},  Unit{"tib", 0x1p40}};

constexpr std::array kTimes = {Unit{"s", 1}, Unit{"sec", 1}, Unit{"min", 60}, Unit{"m", 60},
                               Unit{"h", 3600}};

std::string_view without_blanks(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

template <typename Units>
std::optional<double> factor_of(const Units& units, std::string_view name) {
  std::string small;
  for (const char c : without_blanks(name)) {
    small += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  for (const Unit& unit : units) {
    if (unit.name == small) return unit.factor;
  }
  return std::nullopt;
}

// A plain decimal number and what follows it. Neither signs nor exponents: "1e3" is a typing error.
struct Number {
  double value;
  std::string_view rest;
};

std::optional<Number> parse_number(std::string_view text) {
  text = without_blanks(text);
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || value < 0 || !std::isfinite(value) || text.starts_with('-')) {
    return std::nullopt;
  }
  return Number{value, text.substr(static_cast<size_t>(end - text.data()))};
}

std::optional<double> parse_bytes(std::string_view text) {
  const auto number = parse_number(text);
  if (!number) return std::nullopt;
  const auto factor = factor_of(kSizes, number->rest);
  if (!factor || number->value * *factor > 0x1p63) return std::nullopt;
  return number->value * *factor;
}

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) {
  const auto bytes = parse_bytes(text);
  if (!bytes) return std::nullopt;
  return static_cast<uint64_t>(std::llround(*bytes));
}

std::optional<double> parse_rate(std::string_view text) {
  const size_t slash = text.find('/');
  const auto bytes = parse_bytes(text.substr(0, slash));
  if (!bytes || slash == std::string_view::npos) return bytes;
  const auto seconds = factor_of(kTimes, text.substr(slash + 1));
  if (!seconds) return std::nullopt;
  return *bytes / *seconds;
}

std::optional<double> parse_percent(std::string_view text) {
  const auto number = parse_number(text);
  if (!number) return std::nullopt;
  const std::string_view unit = without_blanks(number->rest);
  if (!unit.empty() && unit != "%") return std::nullopt;
  return number->value / 100;
}

}  // namespace memlens::report
