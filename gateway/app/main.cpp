#include "gateway/app/command_line.h"

int main(int argc, char** argv) { return railhead::app::run_command_line(argc, argv); }
