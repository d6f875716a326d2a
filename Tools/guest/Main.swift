/// The test guest's first process: does what the kernel command line asks for, says each fact on a line of its own that
/// begins with "guest: ", and ends the machine. README.md lists the scenarios.
@main
struct TestGuest {
    static func main() {
        // The host's end of connections.
        if getpid() != 1 { return try! talkVsock() }
        prepare()
        let options = Options(commandLine: contents("/proc/cmdline") ?? [])
        loadModules(skipping: options.value("skip"))
        openLateConsole()
        say("up")
        mountShares(options)
        for name in options.scenarios {
            do throws(Failure) {
                try run(name, options)
                say("ok \(name)")
            } catch {
                say("FAIL \(name) \(error.reason)")
            }
        }
        end(RB_POWER_OFF)
    }

    private static func run(_ name: String, _ options: Options) throws(Failure) {
        switch name {
        case "facts": try printFacts()
        case "write": try writePattern(options)
        case "verify": try verifyPattern(options)
        case "enospc": try fillDisk(options)
        case "flushes": try writeNumbers(options)
        case "readonly": try writeReadOnlyDisk(options)
        case "flood": flood(options)
        case "echo": try echo()
        case "resize": try waitForResize()
        case "memory": try useMemory(options)
        case "cache": try fillCache(options)
        case "button": try waitForButton()
        case "hang": hang()
        case "exec": try runProgram(options)
        case "reboot": end(RB_AUTOBOOT)
        case "once": try rebootOnce(options)
        case "panic": try panic()
        case "exit": endProcess()
        case "bench9p": try measureShare(options)
        case "benchvsock": try measureVsock(options)
        case "vsock": try talkVsock()
        case "selfcheck": try checkItself(options)
        case "clone": try beCloned(options)
        default: throw Failure("no such scenario")
        }
    }

    private static func prepare() {
        mkdir("/proc", 0o755)
        mkdir("/sys", 0o755)
        mkdir("/dev", 0o755)
        mount("proc", "/proc", "proc", 0, nil)
        mount("sysfs", "/sys", "sysfs", 0, nil)
        // A kernel that has done so itself refuses.
        mount("dev", "/dev", "devtmpfs", 0, nil)
    }

    /// Loads the modules that /modules/order lists, but those whose names begin with `prefix`.
    private static func loadModules(skipping prefix: String?) {
        for name in (contents("/modules/order") ?? []).split(separator: UInt8(ascii: "\n")) {
            if let prefix, name.starts(with: prefix.utf8) { continue }
            do throws(Errno) {
                let file = try open("/modules/" + text(name), O_RDONLY)
                defer { close(file) }
                guard guest_load_module(file) == 0 else { throw .current }
            } catch {
                say("FAIL module \(text(name)) errno=\(error.code)")
            }
        }
    }
}

/// Why a scenario failed.
struct Failure: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }

    init(_ call: String, _ error: Errno) {
        reason = "\(call) errno=\(error.code)"
    }
}

/// Ends the machine once the console has sent everything.
func end(_ how: Int32) -> Never {
    tcdrain(1)
    sync()
    reboot(how)
    hang()
}

func hang() -> Never {
    say("ready")
    while true { pause() }
}
