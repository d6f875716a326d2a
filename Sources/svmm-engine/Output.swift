import CommandSupport
import LinuxSystem

// In place of LinuxSystem's functions with these names, in all of this program.

/// Writes a line to standard output; the command fails at its end where that was not possible.
func printLine(_ line: String) {
    StandardOutput.print(line)
}

/// Writes one line to standard error, in which nothing steers a terminal.
func printErrorLine(_ line: String) {
    LinuxSystem.printErrorLine(oneLine(line))
}
