// malloc-bound as C++ programs are: strings in maps in vectors, made by a recursive walk some
// twenty calls deep, and dropped again. words <rounds> <threads>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

struct Node {
  std::string name;
  std::vector<std::unique_ptr<Node>> children;
  std::map<std::string, std::string> attributes;
};

std::string word(unsigned number) {
  return "a word that does not fit in place " + std::to_string(number);
}

__attribute__((noinline)) std::unique_ptr<Node> grow(unsigned depth, unsigned& number) {
  auto node = std::make_unique<Node>();
  node->name = word(number++);
  node->attributes.emplace(word(number), word(number + 1));
  if (depth == 0) return node;
  // One long branch, and a leaf at each of its forks.
  node->children.push_back(grow(depth - 1, number));
  for (int i = 0; i < 3; ++i) node->children.push_back(grow(0, number));
  return node;
}

__attribute__((noinline)) void index(
    const Node& node, std::unordered_map<std::string, std::vector<std::string>>& words) {
  words[node.name.substr(node.name.size() - 2)].push_back(node.name);
  for (const auto& child : node.children) index(*child, words);
}

size_t work(unsigned rounds) {
  size_t total = 0;
  unsigned number = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    for (int i = 0; i < 50; ++i) {
      const std::unique_ptr<Node> tree = grow(24, number);
      std::unordered_map<std::string, std::vector<std::string>> words;
      index(*tree, words);
      total += words.size();
    }
  }
  return total;
}

}  // namespace

int main(int argc, char** argv) {
  const auto rounds = static_cast<unsigned>(argc > 1 ? atoi(argv[1]) : 40);
  const unsigned count = argc > 2 ? static_cast<unsigned>(atoi(argv[2])) : 1;
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < count; ++i) threads.emplace_back(work, rounds);
  const size_t total = work(rounds);
  for (std::thread& thread : threads) thread.join();
  return total == 0;
}
