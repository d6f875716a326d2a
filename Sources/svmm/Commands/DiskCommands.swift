import ArgumentParser
import CommandSupport
import LinuxSystem
import MachineProtocol

struct DiskCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disk",
        abstract: "Change the disks of a running machine.",
        subcommands: [Resize.self, Attach.self]
    )

    struct Resize: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a disk another size; the guest sees it at once.",
            discussion: "A file is extended or cut; what lies behind a smaller size is lost. A block device must have the size already."
        )

        @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
        var machine: String

        @Argument(help: ArgumentHelp("Which disk, counted from 0.", valueName: "index"))
        var index: UInt32

        @Argument(help: ArgumentHelp("Bytes, a multiple of 512, with K, M, G or T.", valueName: "size"),
                  transform: { try DiskDescription.size($0) })
        var size: UInt64

        func run() throws {
            _ = try ControlConnection(to: machine).ask(.resizeDisk(index: index, size: size))
        }
    }

    struct Attach: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a disk that was started as 'none' its contents; the guest sees it at once."
        )

        @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
        var machine: String

        @Argument(help: ArgumentHelp("Which disk, counted from 0.", valueName: "index"))
        var index: UInt32

        @Argument(help: ArgumentHelp("Raw disk image or block device.", valueName: "path[,ro][,size=…][,cache=…]"),
                  transform: { argument in
                      let disk = try DiskDescription(parsing: argument)
                      let plain = DiskDescription(path: disk.path, readOnly: disk.readOnly, creationSize: disk.creationSize,
                                                  cache: disk.cache)
                      guard disk == plain else { throw Expected("PATH[,ro][,size=…][,cache=…]; the rest was settled at the start") }
                      return disk
                  })
        var disk: DiskDescription

        func run() throws {
            var disk = disk
            disk.path = try absolutePath(disk.path)
            _ = try ControlConnection(to: machine).ask(.attachDisk(index: index, disk))
        }
    }
}
