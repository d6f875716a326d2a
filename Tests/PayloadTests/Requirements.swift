import Glibc
import LinuxSystem
import ProcessSupport
import Testing

/// What a test needs of the machine it runs on. Without it the test is reported as skipped, with the reason.
enum Requirement {
    /// Why no guest can run here; nil when one can.
    static let kvmProblem: String? = {
        do throws(Errno) {
            _ = try FileDescriptor.open("/dev/kvm", .readWrite)
            return nil
        } catch {
            return "/dev/kvm: \(error)"
        }
    }()

    static let isRoot = geteuid() == 0

    /// What to put before a command so that it runs without privileges; nil when there is no way.
    static let unprivileged: [String]? = {
        if !isRoot { return [] }
        let command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        return succeeds(command + [Svmm.path, "--version"]) ? command : nil
    }()

    /// Or nobody has it.
    static let everybodyHasKVM =
        kvmProblem != nil || succeeds((unprivileged ?? []) + ["test", "-w", "/dev/kvm"])

    static let canUnshareMounts = succeeds(["unshare", "-m", "true"])

    static func succeeds(_ command: [String]) -> Bool {
        (try? ChildProcess(command).waitForEnd()) == .exited(0)
    }
}

extension Trait where Self == ConditionTrait {
    static var needsKVM: Self {
        .enabled(if: Requirement.kvmProblem == nil, "\(Requirement.kvmProblem ?? "")")
    }

    static var needsRoot: Self {
        .enabled(if: Requirement.isRoot, "needs root to take /dev/kvm away")
    }

    static var needsUnprivilegedUser: Self {
        .enabled(if: Requirement.unprivileged != nil, "the user nobody cannot run svmm from where it was built")
    }

    static var needsMountNamespace: Self {
        .enabled(if: Requirement.isRoot && Requirement.canUnshareMounts, "needs root and unshare -m to hide /dev/kvm")
    }

    static var isSlow: Self {
        .enabled(if: getenv("SVMM_SLOW_TESTS") != nil, "takes minutes: set SVMM_SLOW_TESTS=1")
    }
}
