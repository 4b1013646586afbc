// expect: leak connect|main|Peer
#include <memory>
#include <string>
struct Peer {
  std::shared_ptr<Peer> other;
  std::string name = std::string(500, 'x');
};
__attribute__((noinline)) void connect() {
  auto a = std::make_shared<Peer>(), b = std::make_shared<Peer>();
  a->other = b;
  b->other = a;
}
int main() {
  for (int i = 0; i < 3000; i++) connect();
}
