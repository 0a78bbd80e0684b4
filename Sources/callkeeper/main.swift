import CallkeeperCommand
import Glibc

exit(runCallkeeper(Array(CommandLine.arguments.dropFirst())))
