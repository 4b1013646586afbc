#include "interposer/symbolizer/rust_names.h"

#include <cstdint>
#include <utility>

namespace memlens::symbolizer {
namespace {

// A symbol that says more than this is damage: back references can double the text again and again.
constexpr size_t kMaxNameBytes = 16384;
constexpr int kMaxNesting = 128;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

void append_utf8(std::string& out, uint32_t code_point) {
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xc0 | (code_point >> 6));
    out += static_cast<char>(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xe0 | (code_point >> 12));
    out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code_point & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | ((code_point >> 18) & 7));
    out += static_cast<char>(0x80 | ((code_point >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code_point & 0x3f));
  }
}

// ---- the legacy scheme: C++ nested names with a hash as the last one, punctuation escaped ----

bool is_legacy_hash(std::string_view part) {
  if (part.size() != 17 || part[0] != 'h') return false;
  return part.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos;
}

// One "$...$" escape at the front of `text`; consumes it.
bool append_legacy_escape(std::string_view& text, std::string& out) {
  static constexpr std::pair<std::string_view, char> kEscapes[] = {
      {"SP", '@'}, {"BP", '*'}, {"RF", '&'}, {"LT", '<'},
      {"GT", '>'}, {"LP", '('}, {"RP", ')'}, {"C", ','},
  };
  const size_t end = text.find('$', 1);
  if (end == std::string_view::npos) return false;
  const std::string_view code = text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  for (const auto& [name, character] : kEscapes) {
    if (code == name) {
      out += character;
      return true;
    }
  }
  if (code.size() < 2 || code.size() > 7 || code[0] != 'u') return false;
  uint32_t code_point = 0;
  for (char c : code.substr(1)) {
    const bool is_hex_letter = c >= 'a' && c <= 'f';
    if (!is_digit(c) && !is_hex_letter) return false;
    code_point = code_point * 16 + static_cast<uint32_t>(is_digit(c) ? c - '0' : c - 'a' + 10);
  }
  if (code_point > 0x10ffff) return false;
  append_utf8(out, code_point);
  return true;
}

bool append_legacy_part(std::string_view part, std::string& out) {
  // An identifier may not begin with an escape, so the compiler puts an underscore before it.
  if (part.starts_with("_$")) part.remove_prefix(1);
  while (!part.empty()) {
    if (part.starts_with("..")) {
      out += "::";
      part.remove_prefix(2);
    } else if (part[0] == '$') {
      if (!append_legacy_escape(part, out)) return false;
    } else {
      out += part[0];
      part.remove_prefix(1);
    }
  }
  return true;
}

std::optional<std::string> demangle_legacy(std::string_view symbol) {
  symbol.remove_prefix(3);  // _ZN
  std::string name;
  while (true) {
    size_t length = 0;
    size_t digits = 0;
    while (digits < symbol.size() && is_digit(symbol[digits]) && length < symbol.size()) {
      length = length * 10 + static_cast<size_t>(symbol[digits++] - '0');
    }
    if (digits == 0 || length == 0 || length >= symbol.size() - digits) return std::nullopt;
    const std::string_view part = symbol.substr(digits, length);
    symbol.remove_prefix(digits + length);
    if (symbol == "E") {
      // Without the hash it is a C++ name.
      if (!is_legacy_hash(part) || name.empty()) return std::nullopt;
      return name;
    }
    if (!name.empty()) name += "::";
    if (!append_legacy_part(part, name)) return std::nullopt;
  }
}

// ---- the v0 scheme ----

class V0Demangler {
 public:
  explicit V0Demangler(std::string_view text) : text_(text) {}

  std::optional<std::string> run() {
    path(/*in_type=*/false);
    if (failed_ || out_.empty()) return std::nullopt;
    return std::move(out_);
  }

 private:
  struct Identifier {
    std::string_view text;
    uint64_t disambiguator = 0;
    bool is_punycode = false;
  };

  // Counts nesting, which back references make unbounded in damaged symbols.
  class Nested {
   public:
    explicit Nested(V0Demangler& owner) : owner_(owner) {
      if (++owner_.depth_ > kMaxNesting) owner_.failed_ = true;
    }
    ~Nested() { --owner_.depth_; }

   private:
    V0Demangler& owner_;
  };

  void print(std::string_view text) {
    if (is_silent_) return;
    out_ += text;
    if (out_.size() > kMaxNameBytes) failed_ = true;
  }

  char take() {
    if (at_ >= text_.size()) {
      failed_ = true;
      return '\0';
    }
    return text_[at_++];
  }

  bool take_if(char c) {
    if (failed_ || at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  uint64_t base62() {
    if (take_if('_')) return 0;
    uint64_t value = 0;
    while (!failed_) {
      const char c = take();
      if (c == '_') return value + 1;
      uint64_t digit;
      if (is_digit(c)) {
        digit = static_cast<uint64_t>(c - '0');
      } else if (is_lower(c)) {
        digit = static_cast<uint64_t>(c - 'a') + 10;
      } else if (is_upper(c)) {
        digit = static_cast<uint64_t>(c - 'A') + 36;
      } else {
        break;
      }
      if (value > (UINT64_MAX - digit) / 62 - 1) break;
      value = value * 62 + digit;
    }
    failed_ = true;
    return 0;
  }

  // A number that is there only after its tag: 0 without, value + 1 with.
  uint64_t optional_base62(char tag) { return take_if(tag) ? base62() + 1 : 0; }

  Identifier identifier() {
    Identifier result;
    result.disambiguator = optional_base62('s');
    result.is_punycode = take_if('u');
    size_t length = 0;
    const char first = take();
    if (!is_digit(first)) {
      failed_ = true;
      return result;
    }
    length = static_cast<size_t>(first - '0');
    if (length != 0) {
      while (at_ < text_.size() && is_digit(text_[at_]) && length < text_.size()) {
        length = length * 10 + static_cast<size_t>(text_[at_++] - '0');
      }
    }
    take_if('_');
    if (length > text_.size() - at_) {
      failed_ = true;
      return result;
    }
    result.text = text_.substr(at_, length);
    at_ += length;
    return result;
  }

  void print_identifier(const Identifier& identifier) {
    if (identifier.is_punycode) print("punycode{");
    print(identifier.text);
    if (identifier.is_punycode) print("}");
  }

  // Runs `parse` at an earlier place of the symbol.
  template <typename Parse>
  void back_reference(Parse parse) {
    const size_t tag_at = at_ - 1;
    const uint64_t target = base62();
    if (failed_ || target >= tag_at) {
      failed_ = true;
      return;
    }
    if (is_silent_) return;  // what it stands for was checked when it was printed
    const size_t resume_at = std::exchange(at_, static_cast<size_t>(target));
    parse();
    at_ = resume_at;
  }

  void path(bool in_type) {
    Nested nested(*this);
    if (failed_) return;
    switch (take()) {
      case 'C':
        print_identifier(identifier());
        break;
      case 'N': {
        const char name_space = take();
        if (!is_lower(name_space) && !is_upper(name_space)) {
          failed_ = true;
          return;
        }
        path(in_type);
        print_nested(name_space, identifier());
        break;
      }
      case 'M':
      case 'X':
        impl_path(text_[at_ - 1] == 'X');
        break;
      case 'Y':
        print("<");
        type();
        print(" as ");
        path(true);
        print(">");
        break;
      case 'I':
        path(in_type);
        print(in_type ? "<" : "::<");
        list('E', ", ", [this] { generic_argument(); });
        print(">");
        break;
      case 'B':
        back_reference([this, in_type] { path(in_type); });
        break;
      default:
        failed_ = true;
    }
  }

  void print_nested(char name_space, const Identifier& name) {
    if (is_lower(name_space)) {
      if (name.text.empty()) return;
      print("::");
      print_identifier(name);
      return;
    }
    print("::{");
    if (name_space == 'C') {
      print("closure");
    } else if (name_space == 'S') {
      print("shim");
    } else {
      print(std::string_view(&name_space, 1));
    }
    if (!name.text.empty()) {
      print(":");
      print_identifier(name);
    }
    print("#");
    print(std::to_string(name.disambiguator));
    print("}");
  }

  // The path of the impl block says nothing that its type does not.
  void impl_path(bool is_of_trait) {
    optional_base62('s');
    const bool was_silent = std::exchange(is_silent_, true);
    path(false);
    is_silent_ = was_silent;
    const size_t begin = out_.size();
    print("<");
    type();
    if (is_of_trait) {
      print(" as ");
      path(true);
    }
    print(">");
    // "<alloc::vec::Vec<u8>>::push" reads better, and no less clearly, without the outer brackets.
    if (!is_of_trait && !is_silent_ && !failed_ && is_plain_path(begin + 1)) {
      out_.pop_back();
      out_.erase(begin, 1);
    }
  }

  // Whether the type printed from `begin` on is a mere name; "dyn A", "&T", "[T]", "fn()" are not.
  bool is_plain_path(size_t begin) const {
    const std::string_view type = std::string_view(out_).substr(begin);
    const size_t name_end = type.find_first_of("<( ");
    const bool is_name = is_lower(type[0]) || is_upper(type[0]) || type[0] == '_';
    return is_name &&
           type[name_end == std::string_view::npos ? type.size() - 1 : name_end] != ' ' &&
           !type.starts_with("fn(");
  }

  template <typename Item>
  size_t list(char end, std::string_view separator, Item item) {
    size_t count = 0;
    while (!failed_ && !take_if(end)) {
      if (count++ > 0) print(separator);
      item();
    }
    return count;
  }

  void generic_argument() {
    if (take_if('L')) {
      base62();
      print("'_");
    } else if (take_if('K')) {
      constant();
    } else {
      type();
    }
  }

  static std::string_view basic_type(char tag) {
    static constexpr std::pair<char, std::string_view> kTypes[] = {
        {'b', "bool"}, {'c', "char"}, {'e', "str"},  {'u', "()"},    {'a', "i8"},  {'s', "i16"},
        {'l', "i32"},  {'x', "i64"},  {'n', "i128"}, {'i', "isize"}, {'h', "u8"},  {'t', "u16"},
        {'m', "u32"},  {'y', "u64"},  {'o', "u128"}, {'j', "usize"}, {'f', "f32"}, {'d', "f64"},
        {'z', "!"},    {'p', "_"},    {'v', "..."},
    };
    for (const auto& [letter, name] : kTypes) {
      if (letter == tag) return name;
    }
    return {};
  }

  void type() {
    Nested nested(*this);
    if (failed_) return;
    const char tag = take();
    if (const std::string_view name = basic_type(tag); !name.empty()) {
      print(name);
      return;
    }
    switch (tag) {
      case 'A':
        print("[");
        type();
        print("; ");
        constant();
        print("]");
        break;
      case 'S':
        print("[");
        type();
        print("]");
        break;
      case 'T':
        print("(");
        if (list('E', ", ", [this] { type(); }) == 1) print(",");
        print(")");
        break;
      case 'R':
      case 'Q':
        print("&");
        if (take_if('L')) base62();
        if (tag == 'Q') print("mut ");
        type();
        break;
      case 'P':
      case 'O':
        print(tag == 'P' ? "*const " : "*mut ");
        type();
        break;
      case 'F':
        function_type();
        break;
      case 'D':
        dyn_type();
        break;
      case 'B':
        back_reference([this] { type(); });
        break;
      default:
        --at_;
        path(true);
    }
  }

  void function_type() {
    optional_base62('G');
    if (take_if('U')) print("unsafe ");
    if (take_if('K')) {
      print("extern \"");
      if (take_if('C')) {
        print("C");
      } else {
        print_identifier(identifier());
      }
      print("\" ");
    }
    print("fn(");
    list('E', ", ", [this] { type(); });
    print(")");
    if (take_if('u')) return;  // returns ()
    print(" -> ");
    type();
  }

  void dyn_type() {
    print("dyn ");
    optional_base62('G');
    list('E', " + ", [this] { dyn_trait(); });
    if (!take_if('L')) {
      failed_ = true;
      return;
    }
    base62();  // bounds of lifetimes say nothing to a reader of stacks
  }

  void dyn_trait() {
    path(true);
    if (!take_if('p')) return;
    if (!is_silent_ && out_.ends_with('>')) {
      out_.pop_back();
      print(", ");
    } else {
      print("<");
    }
    do {
      print_identifier(identifier());
      print(" = ");
      type();
    } while (!failed_ && take_if('p'));
    print(">");
  }

  void constant() {
    Nested nested(*this);
    if (failed_) return;
    if (take_if('B')) {
      back_reference([this] { constant(); });
      return;
    }
    const char tag = take();
    if (tag == 'p') {
      print("_");
      return;
    }
    const bool is_negative = take_if('n');
    const size_t begin = at_;
    while (at_ < text_.size() && (is_digit(text_[at_]) || (text_[at_] >= 'a' && text_[at_] <= 'f')))
      ++at_;
    const std::string_view digits = text_.substr(begin, at_ - begin);
    if (!take_if('_') || basic_type(tag).empty()) {
      failed_ = true;
      return;
    }
    print_constant(tag, is_negative, digits);
  }

  void print_constant(char tag, bool is_negative, std::string_view digits) {
    if (digits.size() > 16) {
      print(is_negative ? "-0x" : "0x");
      print(digits);
      return;
    }
    uint64_t value = 0;
    for (char c : digits) {
      value = value * 16 + static_cast<uint64_t>(is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    if (tag == 'b') {
      print(value != 0 ? "true" : "false");
    } else if (tag == 'c' && value <= 0x10ffff) {
      std::string character = "'";
      append_utf8(character, static_cast<uint32_t>(value));
      print(character + "'");
    } else {
      if (is_negative) print("-");
      print(std::to_string(value));
    }
  }

  std::string_view text_;  // after "_R": where back references count from
  size_t at_ = 0;
  int depth_ = 0;
  bool is_silent_ = false;
  bool failed_ = false;
  std::string out_;
};

}  // namespace

std::optional<std::string> demangle_rust(std::string_view symbol) {
  if (symbol.starts_with("_ZN")) return demangle_legacy(symbol);
  // A digit would be a later version of the scheme.
  if (symbol.size() > 2 && symbol.starts_with("_R") && is_upper(symbol[2])) {
    return V0Demangler(symbol.substr(2)).run();
  }
  return std::nullopt;
}

}  // namespace memlens::symbolizer
