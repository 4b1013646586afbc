#include "interposer/symbolizer/function_name.h"

#include <doctest/doctest.h>

#include <ctime>
#include <string>

#include "interposer/symbolizer/rust_names.h"
#include "interposer/symbolizer/shorten_name.h"

using namespace memlens::symbolizer;

namespace {

struct Example {
  const char* symbol;
  const char* shown;
};

template <size_t count>
void check_names(const Example (&examples)[count]) {
  for (const Example& example : examples) {
    CAPTURE(example.symbol);
    CHECK(display_name(example.symbol) == example.shown);
  }
}

}  // namespace

TEST_CASE("C names are left alone, less what compilers and linkers append") {
  check_names({
      {"main", "main"},
      {"malloc@@GLIBC_2.2.5", "malloc"},
      {"parse.constprop.0", "parse"},
      {"parse.part.0.cold", "parse"},
      {"parse.isra.0.lto_priv.1", "parse"},
      {"parse.llvm.1234567890", "parse"},
      {"Perl_sv.2cv", "Perl_sv.2cv"},
      {".hidden", ".hidden"},
      {"_start", "_start"},
      {"malloc@plt", "malloc@plt"},
      {"_ZN3foo3barEi@plt", "foo::bar@plt"},
  });
}

TEST_CASE("C++ names lose parameters, return types and default template arguments") {
  check_names({
      {"_ZN3foo3barEi", "foo::bar"},
      {"_ZNK3foo3barEv", "foo::bar"},
      {"_ZStlsIcSt11char_traitsIcESaIcEERSt13basic_ostreamIT_T0_ES7_RKNSt7__cxx1112basic_string"
       "IS4_S5_T1_EE",
       "std::operator<< <char, std::char_traits<char>, std::allocator<char>>"},
      {"_ZNSt6vectorIiSaIiEE17_M_realloc_insertIJRKiEEEvN9__gnu_cxx17__normal_iteratorIPiS1_"
       "EEDpOT_",
       "std::vector<int>::_M_realloc_insert<int const&>"},
      {"_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE9_M_createERmm",
       "std::string::_M_create"},
      {"_ZNSt8_Rb_treeISsSt4pairIKSsiESt10_Select1stIS2_ESt4lessISsESaIS2_EE10_M_insert_IS2_EESt17_"
       "Rb_tree_iteratorIS2_EPSt18_Rb_tree_node_baseSB_OT_",
       "std::_Rb_tree<std::string, std::pair<std::string const, int>>::_M_insert_<std::pair<std::"
       "string const, int>>"},
      {"_ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_", "std::move<int&>"},
      {"_ZThn16_N3Foo3barEv", "non-virtual thunk to Foo::bar"},
      {"_ZTv0_n24_NSt18basic_stringstreamIcSt11char_traitsIcESaIcEED0Ev",
       "virtual thunk to std::stringstream::~basic_stringstream"},
      {"_ZN5boost6detail8functionIFvvEEC1Ev", "boost::detail::function<void ()>::function"},
      {"_ZN1AIXgtLi1ELi2EEE1fEv", "A<((1)>(2))>::f"},
      {"_ZL3fooi.part.0", "foo"},
      {"_ZN3fmt2v96detail5writeB5cxx11Ev", "fmt::v9::detail::write"},
  });
}

TEST_CASE("C++ operators, lambdas and unnamed namespaces stay readable") {
  check_names({
      {"_Znwm", "operator new"},
      {"_ZnwmSt11align_val_t", "operator new"},
      {"_ZN3FooltERKS_", "Foo::operator<"},
      {"_ZN3FooptEv", "Foo::operator->"},
      {"_ZNK3FooclEv", "Foo::operator()"},
      {"_ZNK3FoocvmEv", "Foo::operator unsigned long"},
      {"_Zli2_mPKc", "operator\"\" _m"},
      {"_ZN12_GLOBAL__N_16parserC2ERKSs", "(anonymous namespace)::parser::parser"},
      {"_ZZ4mainENKUliE_clEi", "main::{lambda#1}"},
      {"_ZZN3foo3barEiENKUlvE_clEv", "foo::bar::{lambda#1}"},
      {"_ZNSt17_Function_handlerIFviEZ4mainEUliE_E9_M_invokeERKSt9_Any_dataOi",
       "std::_Function_handler<void (int), main::{lambda#1}>::_M_invoke"},
  });
}

TEST_CASE("lambdas read the same from DWARF as from symbols, but for their number") {
  CHECK(shorten_cpp_name("each<main()::<lambda(int)> >") == "each<main::{lambda}>");
  CHECK(shorten_cpp_name("std::__invoke_impl<void, run(int, char*)::<lambda()>&>") ==
        "std::__invoke_impl<void, run::{lambda}&>");
  CHECK(shorten_cpp_name("main::<lambda()>::operator()") == "main::{lambda}");
  CHECK(shorten_cpp_name("t<abcde()::<lambda()>&>") == "t<abcde::{lambda}&>");
  CHECK(shorten_cpp_name("Job::operator()()::<lambda()>::operator()") ==
        "Job::operator()::{lambda}");
  CHECK(shorten_cpp_name("f(g(int))::{lambda(h(int))#2}::operator()(int) const") ==
        "f::{lambda#2}");
}

TEST_CASE("types of functions and arrays among template arguments stay") {
  CHECK(shorten_cpp_name("void a<void (*&)(int)>::b<char const (&) [30]>(void (*&)(int), int)") ==
        "a<void (*&)(int)>::b<char const (&) [30]>");
  CHECK(shorten_cpp_name("void (*f<int>(int))(char)") == "void (*f<int>(int))(char)");
}

TEST_CASE("template arguments that are not the default are kept") {
  CHECK(
      shorten_cpp_name("std::map<int, int, std::greater<int>, std::allocator<int> >::find(int)") ==
      "std::map<int, int, std::greater<int>>::find");
  CHECK(shorten_cpp_name("std::vector<int, my::arena<int> >::clear()") ==
        "std::vector<int, my::arena<int>>::clear");
  CHECK(shorten_cpp_name("std::map<int, int, std::less<void>, std::allocator<int> >::find(int)") ==
        "std::map<int, int, std::less<void>>::find");
  CHECK(shorten_cpp_name("std::unique_ptr<int [], std::default_delete<int []> >::reset()") ==
        "std::unique_ptr<int []>::reset");
  CHECK(shorten_cpp_name("std::pair<int, std::allocator<int> >::swap()") ==
        "std::pair<int, std::allocator<int>>::swap");
}

TEST_CASE("what is no C++ name is returned whole") {
  for (const char* text : {"", ")", "a<b", "f(int", "operator", "operator<", "void (*f(int))(char)",
                           ">>>>", "<<<<(((", "a::", "::", "[clone ", "x[abi:"}) {
    CAPTURE(text);
    CHECK(shorten_cpp_name(text) == text);
  }
}

TEST_CASE("long names lose inner template arguments first") {
  std::string argument = "some::quite::long::type_name";
  for (int i = 0; i < 6; ++i) argument = "wrapper<" + argument + ", " + argument + ">";
  const std::string shown = shorten_cpp_name("outer<" + argument + ">::run()");
  CHECK(shown.size() <= 160);
  CHECK(shown.starts_with("outer<wrapper<"));
  CHECK(shown.ends_with(">::run"));
  CHECK(shown.find("...") != std::string::npos);
  const std::string call = shorten_cpp_name("outer<" + argument + ">::operator()(int) const");
  CHECK(call.size() <= 160);
  CHECK(call.starts_with("outer<wrapper<"));
  CHECK(call.ends_with(">::operator()"));
}

TEST_CASE("names of a damaged file cannot take long or grow") {
  CHECK(shorten_cpp_name(std::string(100000, '<')).size() <= 1000);
  CHECK(shorten_cpp_name(std::string(100000, '(')).size() <= 1000);
  std::string nested;
  for (int i = 0; i < 20000; ++i) nested += "a<";
  nested += "int";
  for (int i = 0; i < 20000; ++i) nested += ">";
  CHECK(shorten_cpp_name(nested).size() <= 1000);
  CHECK(display_name("_Z" + std::string(100000, 'N')).size() <= 100002);
}

namespace {

// f<p<a, a>, p<p<a, a>, p<a, a>>, ...>: each argument is twice the one before it.
std::string doubling_arguments(int levels) {
  constexpr char kDigits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string symbol = "_Z1fI1pI1aS1_E";
  for (int id = 3; id < levels + 3; ++id) {
    std::string number;
    for (int rest = id - 1; rest > 0; rest /= 36) number.insert(number.begin(), kDigits[rest % 36]);
    symbol += "S0_IS" + number + "_S" + number + "_E";
  }
  return symbol + "Evv";
}

double cpu_seconds() { return static_cast<double>(clock()) / CLOCKS_PER_SEC; }

}  // namespace

TEST_CASE("a name that doubles at every step is cut, or left as it is") {
  CHECK(display_name(doubling_arguments(1)) == "f<p<a, a>, p<p<a, a>, p<a, a>>>");
  CHECK(demangle(doubling_arguments(14)).size() > 100'000);
  CHECK(display_name(doubling_arguments(14)).size() <= 1000);
#ifndef __SANITIZE_ADDRESS__  // which sees what the demangler had when it was left
  const double begin = cpu_seconds();
  for (int i = 0; i < 100; ++i) {
    const std::string endless = doubling_arguments(60 + i);
    CHECK(display_name(endless) == endless);
  }
  CHECK(cpu_seconds() - begin < 4);
  CHECK(display_name("_ZN3foo3barEi") == "foo::bar");
#endif
}

TEST_CASE("no text of a name makes the rules for shortening slow") {
  for (const char* part : {"{lambda(", "<lambda(", ")::{lambda", "a<b(", "operator<",
                           "(anonymous namespace)::", "std::allocator<", "::operator()",
                           "}::operator()", "[abi:", ">", "(*"}) {
    CAPTURE(part);
    std::string text;
    while (text.size() < 19'000) text += part;
    const double begin = cpu_seconds();
    CHECK_FALSE(shorten_cpp_name(text).empty());
    CHECK(cpu_seconds() - begin < 1);
  }
}

TEST_CASE("Rust's legacy names lose their hash and escapes") {
  check_names({
      {"_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"},
      {"_ZN5alloc3vec16Vec$LT$T$C$A$GT$4push17h0123456789abcdefE", "alloc::vec::Vec<T,A>::push"},
      {"_ZN60_$LT$alloc..string..String$u20$as$u20$core..clone..Clone$GT$"
       "5clone17h0123456789abcdefE",
       "<alloc::string::String as core::clone::Clone>::clone"},
      {"_ZN4core3ptr34drop_in_place$LT$$RF$mut$u20$T$GT$17h0123456789abcdefE",
       "core::ptr::drop_in_place<&mut T>"},
      {"_ZN4main4main28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE.llvm.42",
       "main::main::{{closure}}"},
  });
  // A C++ name that ends like a hash but is none.
  CHECK(display_name("_ZN1a17h0123456789abcdegE") == "a::h0123456789abcdeg");
}

TEST_CASE("Rust's v0 names") {
  check_names({
      {"_RNvC6_123foo3bar", "123foo::bar"},
      {"_RNvMsr_NtCs3ssYzQotkvD_3std4pathNtB5_7PathBuf3newCs15kBYyAo9fc_7mycrate",
       "std::path::PathBuf::new"},
      {"_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>"},
      {"_RNvXs_C7mycrateNtB4_3FooNtNtCs1_4core5clone5Clone5clone",
       "<mycrate::Foo as core::clone::Clone>::clone"},
      {"_RNCNvC4main4main0", "main::main::{closure#0}"},
      {"_RNCNvC4main4mains_0", "main::main::{closure#1}"},
      {"_RINvC1a1fRShAhj4_TlyEFUKCmEuE",
       "a::f::<&[u8], [u8; 4], (i32, u64), unsafe extern \"C\" fn(u32)>"},
      {"_RNvMC1aINtB2_3BoxhE3new", "a::Box<u8>::new"},
      {"_RNvMC1aSh3len", "<[u8]>::len"},
      {"_RNvMC1aDNtB2_1TEL_1f", "<dyn a::T>::f"},
      {"_RNvMC1aFEu1f", "<fn()>::f"},
      {"_RNvMC1ae4trim", "str::trim"},
      {"_RINvC1a1fDNtC1b5TraitEL_E", "a::f::<dyn b::Trait>"},
      {"_RINvC1a1fDNtC1b4Iterp4ItemhEL_E", "a::f::<dyn b::Iter<Item = u8>>"},
      {"_RINvC1a1fKb1_Kc41_Kjn2a_E", "a::f::<true, 'A', -42>"},
  });
}

TEST_CASE("malformed Rust names are refused") {
  for (const char* symbol :
       {"_R", "_RN", "_RNv", "_RNvC", "_RNvC1", "_RNvC9a1b", "_RB_", "_RNvB_1a", "_RIC1a",
        "_RINvC1a1fS", "_ZN17h0123456789abcdefE", "_ZN99999999999x"}) {
    CAPTURE(symbol);
    CHECK_FALSE(demangle_rust(symbol).has_value());
  }
}

namespace {

// A symbol in which each of `levels` tuples names the one before it twice.
std::string doubling_symbol(int levels) {
  constexpr std::string_view kDigits =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string symbol = "_RINvC1a1f";
  size_t previous_at = symbol.size() - 2;  // back references count from after "_R"
  symbol += "ThhE";
  for (int level = 0; level < levels; ++level) {
    std::string number;
    for (size_t value = previous_at - 1;; value = value / 62 - 1) {
      number.insert(number.begin(), kDigits[value % 62]);
      if (value < 62) break;
    }
    previous_at = symbol.size() - 2;
    symbol += "TB" + number + "_B" + number + "_E";
  }
  return symbol + "E";
}

}  // namespace

TEST_CASE("back references cannot make a Rust name grow without bound") {
  CHECK(display_name(doubling_symbol(1)) == "a::f::<(u8, u8), ((u8, u8), (u8, u8))>");
  CHECK_FALSE(demangle_rust(doubling_symbol(60)).has_value());
}
