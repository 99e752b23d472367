// The upstream of `./dev demo --real`: a real Apache Kafka and a real RabbitMQ on free loopback ports.
//   real_upstream TOPIC...     prints "ready KAFKA_BOOTSTRAP AMQP_URL"; the queue "demo" is bound to the exchange
//   "demo".
// Reads commands: "down" kills both with -9, "up" starts them again on the same ports and data, "count" prints
// "count N" (messages in the queue), "quit" ends.
#include <iostream>
#include <string>

#include "tests/support/kafka_broker.h"
#include "tests/support/rabbitmq.h"

int main(int argc, char** argv) {
  railhead::test::KafkaBroker kafka;
  railhead::test::RabbitMq rabbit;
  for (int i = 1; i < argc; ++i) kafka.create_topic(argv[i], 3);
  rabbit.declare({"exchange:demo:topic", "queue:demo", "bind:demo:#:demo"});
  rabbit.sync_declarations();
  std::cout << "ready " << kafka.bootstrap() << ' ' << rabbit.url() << std::endl;
  for (std::string command; std::getline(std::cin, command) && command != "quit";) {
    if (command == "down") {
      kafka.kill9();
      rabbit.kill9();
      std::cout << "down" << std::endl;
    } else if (command == "up") {
      kafka.restart();
      rabbit.restart();
      std::cout << "up" << std::endl;
    } else if (command == "count") {
      std::cout << "count " << rabbit.count("demo") << std::endl;
    }
  }
  return 0;
}
