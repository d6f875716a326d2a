import Glibc
import LinuxSystem
import Testing
import TestSupport

/// Every test here boots Linux: one after the other, as two guests at once would only take longer.
@Suite("Linux guests", .serialized, .needsHardwareKVM, .needsGuests)
struct LinuxGuests {}

/// What Linux guests need of the machine they run on. Without it the tests are reported as skipped, with the reason.
enum Requirement {
    static let cpuInformation = String(decoding: contents(ofSmallFile: "/proc/cpuinfo") ?? [], as: UTF8.self)

    /// Why no Linux guest can run here; nil when one can.
    static let kvmProblem: String? = {
        do throws(Errno) {
            _ = try FileDescriptor.open("/dev/kvm", .readWrite)
        } catch {
            return "/dev/kvm: \(error)"
        }
        let flags = cpuInformation.split { $0 == " " || $0 == "\n" }
        guard flags.contains("vmx") || flags.contains("svm") else {
            return "no hardware virtualization (vmx or svm in /proc/cpuinfo): Linux guests run in Tools/rig"
        }
        return nil
    }()

    /// Whether this machine is itself emulated, as in Tools/rig: its processor has flaws that guests complain about.
    static let isEmulated = cpuInformation.contains("QEMU TCG CPU")

    /// Whether the kernel serves guests' sockets.
    static let hasVhostVsock: Bool = {
        do throws(Errno) {
            _ = try FileDescriptor.open("/dev/vhost-vsock", .readWrite)
            return true
        } catch {
            return false
        }
    }()

    /// Whether Tools/vsock-test/build has been run.
    static let hasVsockTest = access(variable("SVMM_GUESTS") + "/vsock-test-user", X_OK) == 0

    /// The variables that are missing; Tools/run-tests sets them.
    static let missingVariables = ["SVMM_BIN", "SVMM_KERNEL", "SVMM_BZIMAGE", "SVMM_DEBIAN_KERNEL", "SVMM_GUESTS"]
        .filter { variable($0).isEmpty }
}

/// A variable of the environment, "" when it is not set.
func variable(_ name: String) -> String {
    getenv(name).map { String(cString: $0) } ?? ""
}

enum SlowTests {
    /// Whether to run all there is, however long it takes.
    static let areWanted = variable("SVMM_SLOW_TESTS") == "1"
}

extension Trait where Self == ConditionTrait {
    static var needsHardwareKVM: Self {
        .enabled(if: Requirement.kvmProblem == nil, "\(Requirement.kvmProblem ?? "")")
    }

    static var needsGuests: Self {
        .enabled(if: Requirement.missingVariables.isEmpty,
                 "Tools/run-tests runs it, and sets \(Requirement.missingVariables.joined(separator: ", "))")
    }

    static var needsConformance: Self {
        .enabled(if: !variable("SVMM_CONFORMANCE").isEmpty, "Tools/run-tests runs it, and sets SVMM_CONFORMANCE")
    }

    static var needsRoot: Self {
        .enabled(if: geteuid() == 0, "needs root to mount a small file system")
    }
}
