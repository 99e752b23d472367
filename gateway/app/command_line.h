// The command line: what the user typed becomes the arguments of one command.
#pragma once

namespace railhead::app {

// Parses, runs the command, returns the program's exit code.
int run_command_line(int argc, char** argv);

}  // namespace railhead::app
