import MachineProtocol
import CommandSupport
@testable import svmm
import Testing

@Suite("Options")
struct OptionTests {
    @Test("an option's value may be empty without taking the next word's place", arguments: [
        (["boot", "--kernel=", "--cpus", "2"], ["boot", "--kernel", "", "--cpus", "2"]), (["boot", "--disk=a=", "x="], ["boot", "--disk=a=", "x="]),
        (["vsock", "--", "--a="], ["vsock", "--", "--a="]), (["--", "--a=", "--"], ["--", "--a=", "--"]), ([], []), (["--="], ["--="]),
        (["stats", "--json=", "vm"], ["stats", "--json=", "vm"]),
    ] as [([String], [String])])
    func emptyValues(words: [String], result: [String]) {
        #expect(SVMM.withEmptyValues(words) == result)
    }

    @Test("the table of flags is the commands' own")
    func flags() throws {
        let tables = try CommandTables(SVMM.self)
        #expect(!tables.valued.isEmpty && tables.valued.isDisjoint(with: SVMM.flags))
        #expect(tables.flags.subtracting(SVMM.flags) == [])
    }

    @Test("--memory takes a number with a unit of 1024", arguments: [
        ("1M", 1 << 20), ("1m", 1 << 20), ("1024K", 1 << 20), ("1024KiB", 1 << 20), ("1024kib", 1 << 20),
        ("1048576", 1 << 20),
        ("512MiB", 512 << 20), ("3G", 3 << 30), ("64GiB", 64 << 30), ("0064G", 64 << 30), ("1028K", 1028 << 10),
    ] as [(String, UInt64)])
    func memory(text: String, bytes: UInt64) throws {
        #expect(try MemorySize(parsing: text).bytes == bytes)
    }

    @Test("--memory refuses what is no size, out of range or not whole pages", arguments: [
        "", "M", "1", "0", "0G", "-1M", "+1M", "1.5G", "1 G", "1MB", "1T", "G1", "1GG", "0x100000", "1023K", "65G",
        "1025K",
        "1048577", "18446744073709551615G", "18446744073709551616", "99999999999999999999", "17179869184G", "\u{0661}G",
        "1M\n",
    ])
    func badMemory(text: String) {
        #expect(throws: Expected.self) { try MemorySize(parsing: text) }
    }

    @Test("a size is written as it is read", arguments: ["1M", "512M", "64G", "1028K"])
    func memoryText(text: String) throws {
        #expect(try MemorySize(parsing: text).description == text)
    }

    @Test("--disk takes a path and options", arguments: [
        ("a.raw", DiskDescription(path: "a.raw")), ("/dev/sda,ro", DiskDescription(path: "/dev/sda", readOnly: true)),
        ("a,serial=X 1", DiskDescription(path: "a", serial: "X 1")),
        ("a,ro,serial=12345678901234567890",
            DiskDescription(path: "a", readOnly: true, serial: "12345678901234567890")),
        ("a,serial=s=t,ro", DiskDescription(path: "a", readOnly: true, serial: "s=t")),
        ("a,format=raw", DiskDescription(path: "a")), ("a,size=10G", DiskDescription(path: "a", creationSize: 10 << 30)),
        ("a,size=512", DiskDescription(path: "a", creationSize: 512)),
        ("a,size=2T,cache=none", DiskDescription(path: "a", creationSize: 2 << 40, cache: .none)),
        ("a,cache=writeback,engine=auto", DiskDescription(path: "a")),
        ("a,cache=writethrough", DiskDescription(path: "a", cache: .writethrough)),
        ("a,engine=io_uring,queues=16", DiskDescription(path: "a", engine: .ioUring, queueCount: 16)),
        ("a,engine=threads,queues=1", DiskDescription(path: "a", engine: .threads, queueCount: 1)),
        ("a,iops=1000", DiskDescription(path: "a", requestLimit: .init(perSecond: 1000))),
        ("a,iops-burst=2K,iops=1K,bps=10M,bps-burst=1M",
            DiskDescription(path: "a", requestLimit: .init(perSecond: 1024, burst: 2048),
                            byteLimit: .init(perSecond: 10 << 20, burst: 1 << 20))),
    ])
    func disk(text: String, disk: DiskDescription) throws {
        #expect(try DiskDescription(parsing: text) == disk)
    }

    @Test("--disk refuses anything else, formats among it", arguments: [
        "", ",ro", "a,", "a,rw", "a,RO", "a,ro,", "a,serial=", "a,serial=123456789012345678901", "a,serial=\u{7}",
        "a,serial=ü",
        "a,format=qcow2", "a,format=", "a,format", "a,size=", "a,size=0", "a,size=511", "a,size=513", "a,size=-1", "a,size=1X",
        "a,size=8388608T", "a,size=99999999999999999999", "a,ro,size=1M", "a,cache=unsafe", "a,cache=", "a,engine=aio",
        "a,queues=0", "a,queues=17", "a,queues=x", "a,iops=0", "a,iops=-1", "a,iops=2T", "a,bps=", "a,iops-burst=1",
        "a,bps=1,iops-burst=1", "a,ro,ro", "a,serial=x,serial=y", "a,ro=1",
    ])
    func badDisk(text: String) {
        #expect(throws: Expected.self) { try DiskDescription(parsing: text) }
    }

    @Test("--console takes a place", arguments: [
        ("stdio", .standardIO), ("none", .none), ("file=/tmp/x", .file("/tmp/x")), ("unix=a=b", .unixSocket("a=b")),
    ] as [(String, ConsoleDescription)])
    func console(text: String, description: ConsoleDescription) throws {
        #expect(try ConsoleDescription(parsing: text) == description)
    }

    @Test("--console takes a device behind the place", arguments: [
        ("stdio", .standardIO, .serial), ("stdio,device=virtio", .standardIO, .virtio), ("none,device=serial", .none, .serial),
        ("file=/a,b,device=virtio", .file("/a,b"), .virtio),
        ("unix=a,device=serial,device=virtio", .unixSocket("a,device=serial"), .virtio),
    ] as [(String, ConsoleDescription, ConsoleModel)])
    func consoleDevice(text: String, place: ConsoleDescription, model: ConsoleModel) throws {
        let option = try ConsoleOption(parsing: text)
        #expect(option.place == place && option.model == model)
    }

    @Test("--console refuses other devices, and a device for nothing", arguments: [
        "stdio,device=", "stdio,device=tty", ",device=virtio", "none,device=virtio", "file=,device=virtio",
        "stdio,device=virtio,",
    ])
    func badConsoleDevice(text: String) {
        #expect(throws: Expected.self) { try ConsoleOption(parsing: text) }
    }

    @Test("statistics are lines, or one JSON object")
    func statistics() {
        var statistics = MachineStatistics()
        #expect(Stats.lines(statistics) == [] && Stats.object(statistics) == "{}")
        statistics.add("memory", 5)
        statistics.add("resident", .max)
        #expect(Stats.lines(statistics) == ["memory: 5", "resident: 18446744073709551615"])
        #expect(Stats.object(statistics) == #"{"memory": 5, "resident": 18446744073709551615}"#)
    }

    @Test("--console refuses anything else", arguments: ["", "file=", "unix=", "tcp=1", "STDIO", "file"])
    func badConsole(text: String) {
        #expect(throws: Expected.self) { try ConsoleDescription(parsing: text) }
    }

    private func parse(_ arguments: [String]) throws -> Boot {
        try #require(try SVMM.parseAsRoot(["boot"] + arguments) as? Boot)
    }

    @Test("the defaults need only a kernel")
    func defaults() throws {
        let boot = try parse(["--kernel", "k"])
        #expect(boot.kernel == "k" && boot.disk.isEmpty && boot.cpus == 1 && boot.memory.bytes == 512 << 20)
        #expect(boot.grace == 10)
        #expect(boot.console == ConsoleOption() && boot.balloon && boot.rngBps == nil)
        #expect(boot.onReboot == .exit && boot.bootProtocol == .automatic && !boot.dryRun)
    }

    @Test("every option is taken")
    func all() throws {
        let boot = try parse(["--kernel", "k", "--disk", "a", "--disk", "b,ro", "--cpus", "64", "--memory", "1G",
                              "--grace", "0.5", "--on-reboot", "restart", "--protocol", "pvh", "--dry-run",
                              "--balloon", "off", "--rng-bps", "1000", "--console", "none"])
        #expect(!boot.balloon && boot.rngBps == 1000 && boot.console.place == .none)
        #expect(boot.disk.map(\.path) == ["a", "b"])
        #expect(boot.cpus == 64 && boot.memory.bytes == 1 << 30 && boot.grace == 0.5 && boot.dryRun)
        #expect(boot.onReboot == .restart && boot.bootProtocol == .pvh)
    }

    @Test("wrong usage is refused", arguments: [
        [], ["--kernel", "k", "--cpus", "0"], ["--kernel", "k", "--cpus", "65"], ["--kernel", "k", "--cpus", "x"],
        ["--kernel", "k", "--grace", "-1"], ["--kernel", "k", "--grace", "nan"], ["--kernel", "k", "--grace", "inf"],
        ["--kernel", "k", "--grace", "1e300"], ["--kernel", "k", "--memory", "1"],
        ["--kernel", "k", "--on-reboot", "dance"], ["--kernel", "k", "--balloon", "yes"], ["--kernel", "k", "--rng-bps", "0"],
        ["--kernel", "k", "--protocol", "bios"], ["--kernel", "k", "--disk", "a,x"], ["--kernel", "k", "extra"],
    ])
    func usage(arguments: [String]) {
        #expect(throws: (any Error).self) { try parse(arguments) }
    }
}
