import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("keep what fio writes to disks", .needsRoot, .needsConformance,
           .enabled(if: findProgram("fio") != nil, "fio is not installed"))
    struct FioTests {
        /// A kernel, what the disk is on the host, and svmm's options for it.
        struct Case: CustomTestStringConvertible {
            let testDescription: String
            var kernel = Kernel.vmlinux
            var isLoopDevice = false
            var options = ""

            static let all = [
                Case(testDescription: "a file"),
                Case(testDescription: "a loop device, past the host's cache, by threads", isLoopDevice: true,
                     options: ",cache=none,engine=threads"),
                Case(testDescription: "a file, Debian's kernel", kernel: .debian),
            ]
        }

        /// Two jobs, each in a half of the disk and on a processor, and so a queue, of its own: writes of 4 to 64 KiB in
        /// random places with checksums in them that are read back; then writes to places just trimmed. Then the whole
        /// disk is trimmed, and a part of it, written anew, zeroed.
        private static let script = """
            echo "queues $(ls /sys/block/vda/mq | wc -l)"
            cat >/tmp/jobs <<EOF
            [global]
            filename=/dev/vda
            direct=1
            ioengine=libaio
            iodepth=16
            thread
            size=16m
            offset_increment=16m
            numjobs=2
            cpus_allowed=0-1
            cpus_allowed_policy=split
            randseed=$1
            verify=crc32c
            verify_fatal=1
            group_reporting
            [write]
            rw=randwrite
            bsrange=4k-64k
            fsync=64
            [trim]
            stonewall
            rw=randtrimwrite
            bs=32k
            EOF
            fio --minimal /tmp/jobs >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
            # Of each group: name, error, KiB read back, KiB written.
            grep '^3;' /tmp/out | cut -d';' -f3,5,6,47
            blkdiscard /dev/vda
            cmp -n 33554432 /dev/vda /dev/zero && echo discarded
            yes data | dd of=/dev/vda bs=64k count=16 iflag=fullblock oflag=direct status=none
            blkdiscard -z -o 65536 -l 131072 /dev/vda
            cmp -n 131072 -i 65536:0 /dev/vda /dev/zero && echo zeroed
            yes data | head -c 1048576 >/tmp/data
            cmp -n 65536 /dev/vda /tmp/data
            cmp -n 851968 -i 196608 /dev/vda /tmp/data && echo kept
            """

        @Test("what was written is read back, and what was trimmed is zero", arguments: Case.all)
        func verify(test: Case) throws {
            let disk = try SharedDisk()
            let directory = TemporaryDirectory()
            let file = try directory.sparseFile("disk", size: 32 << 20)
            var path = file
            if test.isLoopDevice {
                path = String(try SharedDisk.run("losetup --find --show \(file)").dropLast())
            }
            defer { if test.isLoopDevice { _ = try? SharedDisk.run("losetup --detach \(path)") } }
            try disk.script("fio", Self.script)
            let seed = Int.random(in: 1...9999)
            let finished = try Guest.running(
                "/bin/sh,/mnt/fio,\(seed)", kernel: test.kernel,
                words: "test.share=root:/root:cache=loose test.share=data:/data test.chroot=/root test.bind=/data",
                ["--memory", "1G", "--cpus", "2", "--share", "\(disk.root):root,ro", "--share", "\(disk.path):data",
                 "--disk", path + test.options]).finish()
            finished.expectProgram()
            print("fio with seed \(seed), \(test.testDescription): \(finished.printed)")
            #expect(finished.printed.first == "queues 2", "a queue for each processor")
            // Half of the requests of `trim` are trims.
            #expect(finished.printed.dropFirst() == ["write;0;32768;32768", "trim;0;16384;16384", "discarded", "zeroed", "kept"])
            // Holes in the file, but for the mebibyte written last.
            var status = stat()
            #expect(stat(file, &status) == 0 && status.st_blocks * 512 < 2 << 20, "\(status.st_blocks) blocks are left")
        }
    }
}
