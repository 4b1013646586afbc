// expect: leak make|Derived
// No virtual destructor: the string of the derived class is never freed.
#include <string>
struct Base {
  int kind = 0;
};
struct Derived : Base {
  std::string text;
  explicit Derived(int n) : text(n, 'x') {}
};
__attribute__((noinline)) Base* make(int n) { return new Derived(n); }
int main() {
  for (int i = 0; i < 3000; i++) {
    Base* base = make(1000);
    ::operator delete(base);
  }
}
