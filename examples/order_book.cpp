// A small C++ program to record: memlens run build/examples/order_book
//
// It keeps every order it ever saw in a history nobody reads (still allocated at the end), copies a
// whole book to sort it (the peak), and formats each order into a string it throws away
// (temporary).
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Order {
  int price;
  int quantity;
  std::string customer;
};

std::vector<std::unique_ptr<Order>>& history() {
  static auto* orders = new std::vector<std::unique_ptr<Order>>;  // lives as long as the program
  return *orders;
}

class OrderBook {
 public:
  void add(int number) {
    Order order{1000 + number * 7919 % 500, 1 + number % 90,
                "customer number " + std::to_string(number % 1000)};
    history().push_back(std::make_unique<Order>(order));
    by_price_[order.price].push_back(order);
  }

  long checksum() const {
    std::vector<Order> all;
    for (const auto& [price, orders] : by_price_) {
      all.insert(all.end(), orders.begin(), orders.end());
    }
    std::sort(all.begin(), all.end(),
              [](const Order& a, const Order& b) { return a.quantity < b.quantity; });
    long sum = 0;
    for (const Order& order : all) {
      const std::string line = order.customer + " buys " + std::to_string(order.quantity);
      sum += static_cast<long>(line.size()) * order.price;
    }
    return sum;
  }

 private:
  std::map<int, std::vector<Order>> by_price_;
};

}  // namespace

int main() {
  OrderBook book;
  for (int number = 0; number < 100000; ++number) book.add(number);
  std::printf("checksum %ld, %zu orders remembered\n", book.checksum(), history().size());
  return 0;
}
