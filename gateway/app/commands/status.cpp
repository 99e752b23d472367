#include <chrono>
#include <iostream>
#include <thread>

#include "adapters/panel/control_client.h"
#include "gateway/app/commands/commands.h"

namespace railhead::app {

int run_status(const ControlArguments& arguments) {
  return panel::run_status(arguments.socket, arguments.json ? panel::StatusForm::json : panel::StatusForm::text,
                           std::cout, std::cerr);
}

int run_health(const ControlArguments& arguments) { return panel::run_health(arguments.socket, std::cout, std::cerr); }

int run_reload(const ControlArguments& arguments) { return panel::run_reload(arguments.socket, std::cout, std::cerr); }

int run_top(const ControlArguments& arguments) {
  const auto wait = [] {
    std::this_thread::sleep_for(std::chrono::seconds{1});
    return true;
  };
  return panel::run_top(arguments.socket, wait, std::cout, std::cerr);
}

}  // namespace railhead::app
