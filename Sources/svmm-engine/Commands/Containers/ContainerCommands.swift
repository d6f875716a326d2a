import ArgumentParser

struct ContainerCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "container",
        abstract: "Run containers, each in a virtual machine of its own.",
        discussion: """
            A container is named by its name, its id or the beginning of that. Exit status: that of the container's process; 125 \
            svmm's own error; 126 the program cannot be executed; 127 there is no such program; 128+n ended by signal n.
            """,
        subcommands: shared + [ContainerStats.self, ContainerPrune.self, ContainerCleanup.self],
        aliases: ["containers"]
    )

    /// Those that need no `container` before them.
    static let shared: [ParsableCommand.Type] = [
        ContainerRun.self, ContainerCreate.self, ContainerStart.self, ContainerStop.self, ContainerRestartCommand.self, ContainerKill.self,
        ContainerRemove.self, ContainerExec.self, ContainerAttach.self, ContainerLogsCommand.self, ContainerList.self, ContainerInspect.self,
        ContainerWait.self, ContainerCopy.self, ContainerTop.self, ContainerRename.self, ContainerPause.self, ContainerUnpause.self,
        ContainerExport.self, ContainerPortCommand.self,
    ]
}
