import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension SvmmBoot {
    @Suite("says what it misses on the machine it runs on")
    struct SurroundingsTests {
        let refusal = Refusal()

        /// Runs what follows with something else mounted in the place of /dev/kvm, or of all of /dev.
        private func hiding(_ target: String, behind source: String) -> [String] {
            ["unshare", "-m", "sh", "-c", #"mount --bind "$0" "$1" && shift && exec "$@""#, source, target]
        }

        @Test("no /dev/kvm", .needsMountNamespace)
        func noDevice() throws {
            let empty = refusal.directory.makeDirectory("dev")
            try refusal.expect(with: [], "/dev/kvm: no such device; this machine offers no KVM: load kvm_intel or",
                               before: hiding("/dev", behind: empty))
        }

        @Test("a /dev/kvm that is something else", .needsMountNamespace,
              .enabled(if: Requirement.kvmProblem == nil, "no /dev/kvm to mount over"),
              arguments: ["a file", "/dev/null"])
        func otherDevice(kind: String) throws {
            let source = kind == "a file" ? try refusal.directory.file("kvm", [0]) : kind
            try refusal.expect(with: [], "/dev/kvm: KVM API version *, expected 12",
                               before: hiding("/dev/kvm", behind: source))
        }

        @Test("no permission on /dev/kvm", .needsRoot, .needsUnprivilegedUser,
              .enabled(if: !Requirement.everybodyHasKVM, "everybody may use /dev/kvm here, or there is none"))
        func noPermission() throws {
            try refusal.expect(["--kernel", try Svmm.payload("power")],
                               "/dev/kvm: permission denied; add yourself to the group that owns it",
                               before: try #require(Requirement.unprivileged))
        }

        @Test("--dry-run needs no /dev/kvm", .needsMountNamespace)
        func dryRun() throws {
            let empty = refusal.directory.makeDirectory("dev")
            let process = try ChildProcess(
                hiding("/dev", behind: empty) + [Svmm.path, "boot", "--kernel", try Svmm.payload("power"), "--dry-run"])
            let finished = try Finished(process)
            #expect(finished.end == .exited(0), "\(finished.errors)")
            #expect(finished.lines.contains("memory: 512 MiB"))
        }

        /// Limits as low as an svmm needs to start at all.
        @Test("too few open files", .needsKVM, arguments: [6, 8, 10, 12, 14, 16, 18])
        func files(limit: Int) throws {
            try refusal.expect(with: [], "*Too many open files", before: limited("-n", limit))
        }

        @Test("too little address space", .needsKVM, arguments: [100, 200, 400])
        func addressSpace(mebibytes: Int) throws {
            try refusal.expect(
                with: ["--memory", "512M"],
                "--memory: 512 MiB of address space cannot be reserved: Cannot allocate memory; lower it, or allow",
                before: limited("-v", mebibytes << 10))
        }

        @Test("room for the guest, and hardly any for its threads", .needsKVM, arguments: [1, 8, 16, 32])
        func threads(mebibytes: Int) throws {
            // However it ends, it says why in one line.
            let arguments = limited("-v", (128 + 40 + mebibytes) << 10)
                + [Svmm.path, "boot", "--kernel", try Svmm.payload("power"), "--memory", "128M", "--cpus", "8"]
            let finished = try Finished(ChildProcess(arguments))
            #expect([.exited(0), .exited(1), .exited(12)].contains(finished.end), "\(finished.end)")
            #expect(finished.errorLines.count == 1, "\(finished.errors)")
        }

        private func limited(_ option: String, _ value: Int) -> [String] {
            ["sh", "-c", #"ulimit "$0" "$1" && shift && exec "$@""#, option, "\(value)"]
        }
    }
}
