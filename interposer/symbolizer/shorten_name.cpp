#include "interposer/symbolizer/shorten_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

// The rules, in the order they apply:
//   1. Marks without meaning to a reader go: "[abi:cxx11]", "[clone .cold]", the version namespaces
//      std::__cxx11 and std::__1; "> >" becomes ">>"; a lambda keeps its number, not its
//      parameters.
//   2. Template arguments that equal the default go: allocators, char_traits, less, hash, ... of
//   the
//      standard templates in kTemplates; and standard typedefs get their name (std::string).
//   3. Parameter lists, what follows them, and return types go: file and line tell overloads apart.
//      "f(int)::{lambda(int)#1}::operator()(int) const" is "f::{lambda#1}".
//   4. A name still longer than kComfortableBytes loses the innermost template arguments first.
//
// The parser knows brackets, operator names and top-level separators, no more C++ than that.
namespace memlens::symbolizer {
namespace {

constexpr size_t kComfortableBytes = 160;
constexpr size_t kLongestBytes = 1000;
constexpr size_t kMostBytesRead = 20'000;
// Nesting that no one wrote; rules that recurse leave what lies deeper alone.
constexpr int kMaxTemplateDepth = 64;

constexpr std::string_view kAnonymous = "(anonymous namespace)";
// Stands for kAnonymous while parentheses mean parameters.
constexpr std::string_view kAnonymousMark = "\x01";

bool is_identifier(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  size_t at = text.find(from);
  if (at == std::string::npos) return;
  std::string result;
  size_t begin = 0;
  for (; at != std::string::npos; at = text.find(from, begin)) {
    result.append(text, begin, at - begin).append(to);
    begin = at + from.size();
  }
  text = result.append(text, begin);
}

// ---- brackets ----

// The length of "operator<<" and the like at `at`, so that its characters are not taken for
// brackets; 0 where none begins. "operator new" and conversions end at the keyword.
size_t operator_length(std::string_view text, size_t at) {
  constexpr std::string_view kKeyword = "operator";
  if (text.substr(at, kKeyword.size()) != kKeyword) return 0;
  if (at > 0 && is_identifier(text[at - 1])) return 0;
  const size_t after = at + kKeyword.size();
  if (after < text.size() && is_identifier(text[after])) return 0;
  static constexpr std::string_view kSigns[] = {"<=>", "<<=", ">>=", "->*", "()", "[]", "<<",
                                                ">>",  "<=",  ">=",  "->",  "<",  ">"};
  for (std::string_view sign : kSigns) {
    if (text.substr(after, sign.size()) == sign) return kKeyword.size() + sign.size();
  }
  return kKeyword.size();
}

// Calls visit(position, depth) for each character outside operator names; depth counts the brackets
// open around it, an opening bracket itself and its closing one not included. visit returns false
// to stop. Returns false when brackets do not match.
template <typename Visit>
bool scan(std::string_view text, Visit visit) {
  std::string open;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == 'o') {
      if (const size_t length = operator_length(text, i); length > 0) {
        i += length - 1;
        continue;
      }
    }
    const char c = text[i];
    const bool is_arrow = c == '>' && i > 0 && text[i - 1] == '-';
    if (c == '>' && !is_arrow && !open.empty() && open.back() == '<') {
      open.pop_back();
    } else if (c == ')' || c == ']' || c == '}') {
      const char partner = c == ')' ? '(' : c == ']' ? '[' : '{';
      // "(a < b)": the sign was no bracket.
      while (!open.empty() && open.back() == '<') open.pop_back();
      if (open.empty() || open.back() != partner) return false;
      open.pop_back();
    }
    if (!visit(i, open.size())) return true;
    if (c == '<' || c == '(' || c == '[' || c == '{') open += c;
  }
  return open.empty();
}

// The position of the bracket that closes the one at `at`; npos when there is none.
size_t closing_bracket(std::string_view text, size_t at) {
  size_t found = std::string_view::npos;
  scan(text.substr(at), [&](size_t i, size_t depth) {
    if (i == 0 || depth > 0) return true;
    found = at + i;
    return false;
  });
  return found;
}

std::vector<std::string_view> split_arguments(std::string_view text) {
  std::vector<std::string_view> arguments;
  size_t begin = 0;
  scan(text, [&](size_t i, size_t depth) {
    if (depth == 0 && text[i] == ',') {
      arguments.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
    return true;
  });
  arguments.push_back(text.substr(begin));
  for (std::string_view& argument : arguments) {
    while (argument.starts_with(' ')) argument.remove_prefix(1);
    while (argument.ends_with(' ')) argument.remove_suffix(1);
  }
  return arguments;
}

// ---- rule 1: marks ----

void drop_bracketed(std::string& text, std::string_view prefix) {
  size_t at;
  while ((at = text.find(prefix)) != std::string::npos) {
    const size_t end = text.find(']', at);
    if (end == std::string::npos) return;
    text.erase(at, end + 1 - at);
  }
}

// Demanglers write "f(int)::{lambda(char)#1}", GCC's DWARF "f(int)::<lambda(char)>": both without
// the parameters, and those of the function around.
void simplify_lambdas(std::string& text) {
  for (const std::string_view lambda : {"{lambda(", "<lambda("}) {
    for (size_t at = text.find(lambda); at != std::string::npos; at = text.find(lambda, at + 1)) {
      const size_t open = at + lambda.size() - 1;
      const size_t close = closing_bracket(text, open);
      if (close == std::string::npos) return;
      text.erase(open, close + 1 - open);
      if (lambda[0] != '<') continue;
      const size_t end = text.find('>', open);
      if (end == std::string::npos) return;
      text.replace(at, end + 1 - at, "{lambda}");
    }
  }
  constexpr std::string_view kInFunction = ")::{lambda";
  for (size_t at = text.find(kInFunction); at != std::string::npos;
       at = text.find(kInFunction, at + 1)) {
    size_t open = at;
    for (int depth = 1; depth > 0 && open > 0;) {
      --open;
      depth += text[open] == ')' ? 1 : text[open] == '(' ? -1 : 0;
    }
    // The parentheses of "operator()" are its name.
    constexpr std::string_view kOperator = "operator";
    const bool is_name =
        std::string_view(text).substr(0, open).ends_with(kOperator) && open + 1 == at;
    if (text[open] != '(' || is_name) continue;
    text.erase(open, at + 1 - open);
    at = open;
  }
}

void drop_marks(std::string& text) {
  drop_bracketed(text, " [clone ");
  drop_bracketed(text, "[abi:");
  replace_all(text, "std::__cxx11::", "std::");
  replace_all(text, "std::__1::", "std::");
  replace_all(text, "std::__ndk1::", "std::");
  replace_all(text, "{anonymous}", kAnonymousMark);
  replace_all(text, kAnonymous, kAnonymousMark);
  while (text.find("> >") != std::string::npos) replace_all(text, "> >", ">>");
  simplify_lambdas(text);
}

// ---- rule 2: standard templates ----

struct StandardTemplate {
  std::string_view name;
  size_t arguments_kept;  // those without a default
};

constexpr StandardTemplate kTemplates[] = {
    {"std::vector", 1},
    {"std::deque", 1},
    {"std::list", 1},
    {"std::forward_list", 1},
    {"std::basic_string", 1},
    {"std::basic_string_view", 1},
    {"std::set", 1},
    {"std::multiset", 1},
    {"std::map", 2},
    {"std::multimap", 2},
    {"std::unordered_set", 1},
    {"std::unordered_multiset", 1},
    {"std::unordered_map", 2},
    {"std::unordered_multimap", 2},
    {"std::unique_ptr", 1},
    {"std::queue", 1},
    {"std::stack", 1},
    {"std::priority_queue", 1},
    {"std::basic_ostream", 1},
    {"std::basic_istream", 1},
    {"std::basic_iostream", 1},
    {"std::basic_ios", 1},
    {"std::basic_streambuf", 1},
    {"std::basic_filebuf", 1},
    {"std::basic_ifstream", 1},
    {"std::basic_ofstream", 1},
    {"std::basic_fstream", 1},
    {"std::basic_stringbuf", 1},
    {"std::basic_stringstream", 1},
    {"std::basic_istringstream", 1},
    {"std::basic_ostringstream", 1},
    {"std::istreambuf_iterator", 1},
    {"std::ostreambuf_iterator", 1},
    {"std::_Vector_base", 1},
    {"std::_Deque_base", 1},
    {"std::_List_base", 1},
    {"std::_Fwd_list_base", 1},
    {"std::_Rb_tree", 2},
    {"std::_Hashtable", 2},
    {"std::__uniq_ptr_impl", 1},
    {"std::__uniq_ptr_data", 1},
    {"std::__shared_ptr", 1},
    {"std::__shared_count", 0},
    {"std::__detail::_Map_base", 2},
    {"std::__detail::_Insert", 2},
    {"std::__detail::_Insert_base", 2},
};

// What libstdc++ and libc++ pass where nothing was asked for. The second group depends on no
// argument; the first must name the template's own first one, or is not the default.
constexpr std::string_view kDefaultsOfFirst[] = {"std::less", "std::hash", "std::equal_to",
                                                 "std::default_delete", "std::char_traits"};
constexpr std::string_view kDefaults[] = {
    "std::allocator",
    "std::_Identity",
    "std::_Select1st",
    "std::__detail::_Identity",
    "std::__detail::_Select1st",
    "std::__detail::_Mod_range_hashing",
    "std::__detail::_Default_ranged_hash",
    "std::__detail::_Prime_rehash_policy",
    "std::__detail::_Hashtable_traits",
    "(__gnu_cxx::_Lock_policy)",
};

bool is_default_argument(std::string_view argument, std::string_view first) {
  const size_t open = argument.find('<');
  const std::string_view name = argument.substr(0, open);
  for (std::string_view known : kDefaultsOfFirst) {
    if (name == known && open != std::string_view::npos) {
      std::string_view of = argument.substr(open + 1);
      if (of.ends_with('>')) of.remove_suffix(1);
      while (of.ends_with(' ')) of.remove_suffix(1);
      return of == first || first.starts_with(std::string(of) + "[");
    }
  }
  for (std::string_view known : kDefaults) {
    if (name == known || (known.starts_with('(') && argument.starts_with(known))) return true;
  }
  return false;
}

// Names that stand for an instance of a basic_ template.
std::string typedef_name(std::string_view name, std::string_view only_argument) {
  constexpr std::string_view kBasic = "std::basic_";
  if (!name.starts_with(kBasic)) return {};
  const std::string plain(name.substr(kBasic.size()));
  if (only_argument == "char") return "std::" + plain;
  if (only_argument == "wchar_t") return "std::w" + plain;
  if (plain != "string" && plain != "string_view") return {};
  if (only_argument == "char8_t") return "std::u8" + plain;
  if (only_argument == "char16_t") return "std::u16" + plain;
  if (only_argument == "char32_t") return "std::u32" + plain;
  return {};
}

std::string simplify_templates(std::string_view text, int depth);

std::string instance_text(std::string_view name, std::string_view arguments_text, int depth) {
  std::vector<std::string> arguments;
  for (std::string_view argument : split_arguments(arguments_text)) {
    arguments.push_back(simplify_templates(argument, depth + 1));
  }
  const auto* known = std::find_if(std::begin(kTemplates), std::end(kTemplates),
                                   [&](const StandardTemplate& t) { return t.name == name; });
  if (known != std::end(kTemplates)) {
    while (arguments.size() > known->arguments_kept &&
           is_default_argument(arguments.back(), arguments.front())) {
      arguments.pop_back();
    }
    if (arguments.empty()) return std::string(name);
    if (arguments.size() == 1) {
      if (std::string alias = typedef_name(name, arguments[0]); !alias.empty()) return alias;
    }
  }
  std::string text(name);
  text += '<';
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (i > 0) text += ", ";
    text += arguments[i];
  }
  return text += '>';
}

// Where the qualified name that ends at `end` begins.
size_t name_begin(std::string_view text, size_t end) {
  size_t begin = end;
  while (begin > 0 && (is_identifier(text[begin - 1]) || text[begin - 1] == ':')) --begin;
  return begin;
}

std::string simplify_templates(std::string_view text, int depth) {
  if (depth > kMaxTemplateDepth || text.find('<') == std::string_view::npos)
    return std::string(text);
  std::string result;
  size_t copied = 0;  // of text
  for (size_t i = 0; i < text.size(); ++i) {
    if (const size_t length = text[i] == 'o' ? operator_length(text, i) : 0; length > 0) {
      i += length - 1;
      continue;
    }
    // A template's bracket follows a name; anything else is a comparison.
    if (text[i] != '<' || i == 0 || !is_identifier(text[i - 1])) continue;
    const size_t close = closing_bracket(text, i);
    if (close == std::string_view::npos || text[close] != '>') continue;
    const size_t begin = std::max(name_begin(text, i), copied);
    result.append(text, copied, begin - copied);
    result +=
        instance_text(text.substr(begin, i - begin), text.substr(i + 1, close - i - 1), depth);
    copied = close + 1;
    i = close;
  }
  result.append(text.substr(copied));
  return result;
}

// ---- rule 3: parameters and return types ----

// What may stand between a parameter list and the next "::" or the end.
std::string_view without_qualifiers(std::string_view rest) {
  static constexpr std::string_view kQualifiers[] = {" const", " volatile", " noexcept",
                                                     "&&",     "&",         " "};
  bool again = true;
  while (again) {
    again = false;
    for (std::string_view qualifier : kQualifiers) {
      if (rest.starts_with(qualifier)) {
        rest.remove_prefix(qualifier.size());
        again = true;
      }
    }
  }
  return rest;
}

std::string drop_parameters(std::string_view text) {
  std::string result;
  size_t copied = 0;
  size_t open = std::string_view::npos;
  const bool matched = scan(text, [&](size_t i, size_t depth) {
    if (depth > 0 || i < copied) return true;
    if (text[i] == '(') {
      open = i;
    } else if (text[i] == ')' && open != std::string_view::npos) {
      const std::string_view rest = without_qualifiers(text.substr(i + 1));
      if (rest.empty() || rest.starts_with("::") || rest.starts_with("[")) {
        result.append(text, copied, open - copied);
        copied = rest.starts_with("[") ? text.size() : text.size() - rest.size();
      }
      open = std::string_view::npos;
    }
    return true;
  });
  if (!matched) return std::string(text);
  return result.append(text.substr(copied));
}

// The name itself: what follows the last space that is outside brackets and before an operator name
// ("std::ostream& std::operator<< <char>", "X::operator unsigned long").
std::string drop_return_type(std::string_view text) {
  size_t name_at = 0;
  size_t operator_at = text.size();
  for (size_t i = text.find("operator"); i != std::string_view::npos;
       i = text.find("operator", i + 1)) {
    if (operator_length(text, i) > 0) {
      operator_at = i;
      break;
    }
  }
  // An operator inside template arguments is not the function's name.
  bool is_top_level = true;
  scan(text, [&](size_t i, size_t depth) {
    if (i + 1 == operator_at) {
      is_top_level = depth == 0 && text[i] != '<' && text[i] != '(';
      return false;
    }
    return true;
  });
  if (!is_top_level) operator_at = text.size();
  const bool matched = scan(text, [&](size_t i, size_t depth) {
    if (i >= operator_at) return false;
    if (depth == 0 && text[i] == ' ') name_at = i + 1;
    return true;
  });
  return std::string(matched ? text.substr(name_at) : text);
}

// "virtual thunk to X::f()": the words say what kind of symbol it is.
size_t special_prefix_length(std::string_view text) {
  static constexpr std::string_view kWords[] = {" thunk to ",    " function for ",
                                                " wrapper for ", " variable for ",
                                                "vtable for ",   "typeinfo for "};
  for (std::string_view words : kWords) {
    const size_t at = text.find(words);
    if (at != std::string_view::npos && text.substr(0, at).find('(') == std::string_view::npos) {
      return at + words.size();
    }
  }
  return 0;
}

std::string function_only(const std::string& text) {
  const size_t prefix = special_prefix_length(text);
  // "void (*f<int>(int))(char)": a function that returns a pointer to one is not taken apart.
  bool returns_function = false;
  scan(text, [&](size_t i, size_t depth) {
    returns_function = depth == 0 && text.compare(i, 2, "(*") == 0;
    return !returns_function;
  });
  if (returns_function) return text;
  std::string name = drop_parameters(std::string_view(text).substr(prefix));
  name = drop_return_type(name);
  // A lambda's body is its call operator.
  constexpr std::string_view kCall = "}::operator()";
  for (size_t at = name.find(kCall); at != std::string::npos; at = name.find(kCall)) {
    name.erase(at + 1, kCall.size() - 1);
  }
  return text.substr(0, prefix) + name;
}

// ---- rule 4: length ----

// Template arguments nested `level` deep or deeper as "...".
std::string elide_templates(std::string_view text, size_t level) {
  std::string result;
  size_t angle_depth = 0;
  size_t skip_depth = 0;  // of all brackets; 0: not skipping
  size_t copied = 0;      // of text; operator names are copied with what follows them
  const bool matched = scan(text, [&](size_t i, size_t depth) {
    const char c = text[i];
    if (skip_depth > 0) {
      if (depth >= skip_depth) return true;
      skip_depth = 0;
      copied = i;
      result += "...";
    }
    const bool opens = c == '<' && i > 0 && is_identifier(text[i - 1]);
    if (c == '>' && angle_depth > 0 && !(i > 0 && text[i - 1] == '-')) --angle_depth;
    result += text.substr(copied, i + 1 - copied);
    copied = i + 1;
    if (opens && ++angle_depth >= level) skip_depth = depth + 1;
    return true;
  });
  if (!matched) return std::string(text);
  return result += text.substr(copied);
}

std::string fit_length(std::string text) {
  for (size_t level : {3, 2, 1}) {
    if (text.size() <= kComfortableBytes) return text;
    text = elide_templates(text, level);
  }
  if (text.size() > kLongestBytes) {
    text.resize(kLongestBytes - 3);
    text += "...";
  }
  return text;
}

}  // namespace

std::string shorten_cpp_name(std::string_view demangled) {
  // Names in names in names: nobody reads on, and the rules take the square of the length.
  if (demangled.size() > kMostBytesRead) {
    return std::string(demangled.substr(0, kLongestBytes - 3)) + "...";
  }
  std::string text(demangled);
  drop_marks(text);
  text = simplify_templates(text, 0);
  text = function_only(text);
  text = fit_length(std::move(text));
  replace_all(text, kAnonymousMark, kAnonymous);
  return text;
}

std::string_view without_clone_suffix(std::string_view symbol) {
  static constexpr std::string_view kWords[] = {
      "part",  "isra", "constprop", "cold",  "llvm", "lto_priv", "localalias",
      "clone", "hot",  "unlikely",  "split", "warm", "cfi"};
  if (const size_t at = symbol.find('@'); at != std::string_view::npos && at > 0) {
    symbol = symbol.substr(0, at);
  }
  while (true) {
    const size_t dot = symbol.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return symbol;
    std::string_view word = symbol.substr(dot + 1);
    std::string_view rest = symbol.substr(0, dot);
    // ".part.0": the number belongs to the word before it.
    if (!word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos) {
      const size_t word_dot = rest.rfind('.');
      if (word_dot == std::string_view::npos || word_dot == 0) return symbol;
      word = rest.substr(word_dot + 1);
      rest = rest.substr(0, word_dot);
    }
    if (std::find(std::begin(kWords), std::end(kWords), word) == std::end(kWords)) return symbol;
    symbol = rest;
  }
}

}  // namespace memlens::symbolizer
