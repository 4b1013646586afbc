// expect: healthy
#include <map>
#include <string>
int main() {
  std::map<int, std::string> words;
  for (int i = 0; i < 20000; i++) words[i % 5000] = std::string(40, 'x');
  return words.size() == 1;
}
