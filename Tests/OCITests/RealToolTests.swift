import Glibc
import LinuxSystem
import OCI
import ProcessSupport
import TestSupport
import Testing

/// Images that other programs make are read, and what is written here they read.
@Suite("Other programs' images")
struct RealToolTests {
    private static let hasUmoci = findProgram("umoci") != nil && geteuid() == 0
    private static let hasSkopeo = hasUmoci && findProgram("skopeo") != nil
    private static let hasBuildah = findProgram("buildah") != nil && geteuid() == 0

    /// Makes an image of three layers in the layout `layout`, with something of everything, and unpacks it to `final`.
    private static let script = #"""
        set -e
        umoci init --layout layout
        umoci new --image layout:t
        umoci unpack --image layout:t one
        cd one/rootfs
        mkdir -p usr/bin etc gone/deep dir/sub tmp
        echo root:x:0:0:root:/root:/bin/sh >etc/passwd
        head -c 3000000 /dev/urandom >usr/bin/program
        chmod 4755 usr/bin/program
        ln usr/bin/program usr/bin/alias
        ln -s ../usr/bin/program etc/link
        ln -s $(printf 'x%.0s' $(seq 200)) etc/long-link
        ln -s usr/lib lib
        mkdir usr/lib
        echo lib >usr/lib/library
        mknod null c 1 3
        mknod disk b 259 70000
        mkfifo fifo
        chmod 1777 tmp
        echo owned >owned
        chown 100000:70000 owned
        touch -d 2001-02-03T04:05:06 owned
        echo x >gone/deep/file
        echo x >dir/a
        echo x >dir/sub/b
        echo x >becomes-directory
        mkdir becomes-file
        echo x >becomes-file/x
        truncate -s 5000000 sparse
        echo end >>sparse
        setfattr -n user.note -v something etc/passwd
        setcap cap_net_raw+ep usr/lib/library 2>/dev/null || :
        for i in $(seq 2000); do : >"dir/many-$i-$(printf 'n%.0s' $(seq 40))"; done
        cd ../..
        umoci repack --image layout:t one
        umoci unpack --image layout:t two
        cd two/rootfs
        rm -r gone dir/a becomes-directory becomes-file
        mkdir becomes-directory
        echo new >becomes-directory/new
        echo new >becomes-file
        echo changed >>etc/passwd
        chmod 700 dir
        cd ../..
        umoci repack --image layout:t two
        umoci unpack --image layout:t three
        rm -r three/rootfs/dir/sub
        echo back >three/rootfs/gone
        umoci repack --image layout:t three
        umoci config --image layout:t --config.cmd /usr/bin/program --config.env A=b --config.user 5:6 --config.exposedports 80/tcp
        umoci unpack --image layout:t final
        """#

    private struct ScriptFailed: Error {
        var text: String
    }

    private func run(_ command: String, in test: TestStore) throws {
        let shell = try ChildProcess(["/bin/sh", "-c", "cd '\(test.directory)'\n" + command])
        let end = try shell.waitForEnd()
        guard end == .exited(0) else { throw ScriptFailed(text: "\(end): \(shell.errors.text)") }
    }

    /// Compares a root image with a directory that holds the same files.
    private func compare(_ root: RootImage, _ directory: String) throws {
        #expect(try complaints(about: root.path) == "")
        let listing = try Ext4Listing(root.path)
        var count = 1
        func visit(_ path: String) throws {
            for name in directoryEntries(directory + path) {
                let path = "\(path)/\(name)"
                count += 1
                let attributes = try fileAttributes(at: directory + path)
                guard let file = listing[path] else {
                    Issue.record("\(path) is missing")
                    continue
                }
                #expect(file.mode == String(attributes.mode, radix: 8), "\(path)")
                #expect(file.owner == "\(attributes.user):\(attributes.group)", "\(path)")
                #expect(file.modified == attributes.modified.seconds, "\(path)")
                #expect(file.modifiedNanoseconds == attributes.modified.nanoseconds, "\(path)")
                switch FileType(mode: attributes.mode) {
                case .directory: try visit(path)
                case .regular:
                    #expect(file.links == attributes.links, "\(path)")
                    #expect(LinuxSystem.contents(ofSmallFile: directory + path, limit: 1 << 24) == file.contents, "\(path)")
                case .symbolicLink:
                    let link = try FileDescriptor.open(directory + path, [.pathOnly, .noFollow])
                    #expect(try link.linkTarget() == file.contents, "\(path)")
                case .characterDevice, .blockDevice:
                    #expect(file.device == "\(attributes.deviceMajor):\(attributes.deviceMinor)", "\(path)")
                default: break
                }
            }
        }
        try visit("")
        #expect(count == listing.files.count)
        for (path, name) in [("/etc/passwd", "user.note"), ("/usr/lib/library", "security.capability")] {
            let file = try FileDescriptor.open(directory + path, .readOnly)
            var value = [UInt8](repeating: 0, count: 100)
            let length = try? value.withUnsafeMutableBytes { try file.attributeValue(AttributeName(name.utf8), into: $0) }
            #expect(listing[path]?.attributes[name] == length.map { Array(value[..<$0]) }, "\(path)")
        }
    }

    @Test("of umoci, unpacked as umoci does", .enabled(if: hasUmoci, "needs umoci and root"))
    func umoci() throws {
        let test = try TestStore()
        try run(Self.script, in: test)
        let image = try #require(try test.store.load(.ociDirectory(path: test.path("layout"), name: "t")).first)
        #expect(image.configuration.config.cmd == ["/usr/bin/program"])
        #expect(image.configuration.config.user == "5:6")
        #expect(image.configuration.config.exposedPorts == [ExposedPort(port: 80, transport: "tcp")])
        #expect(image.content.layers.count == 3)
        let root = try test.store.rootImage(for: image)
        try compare(root, test.path("final/rootfs"))
        // And as the kernel reads it, where it may be asked.
        try run("""
            mkdir mounted
            mount -o loop,ro \(root.path) mounted 2>mount-log || exit 0
            trap 'umount mounted' EXIT
            diff -r --no-dereference --exclude fifo --exclude null --exclude disk mounted final/rootfs
            find final/rootfs -mindepth 1 -printf '%P %y %m %U:%G %s %T@ %n %l\\n' | grep -v ' d ' | sort >expected
            find mounted -mindepth 1 -printf '%P %y %m %U:%G %s %T@ %n %l\\n' | grep -v ' d ' | sort >found
            diff expected found
            """, in: test)
    }

    @Test("of skopeo, in all its forms; and skopeo reads what is saved", .enabled(if: hasSkopeo, "needs skopeo, umoci and root"))
    func skopeo() throws {
        let test = try TestStore()
        try run(Self.script, in: test)
        try run("""
            skopeo --insecure-policy copy -q oci:layout:t docker-archive:docker.tar:example/docker:1
            skopeo --insecure-policy copy -q oci:layout:t oci-archive:oci.tar:example/oci:1
            skopeo --insecure-policy copy -q --dest-compress-format zstd --dest-compress oci:layout:t oci:zstd:t
            """, in: test)
        let sources: [(ImageSource, String)] = [
            (.archive(path: test.path("docker.tar"), name: nil), "example/docker:1"),
            (.archive(path: test.path("oci.tar"), name: nil), "example/oci:1"),
            (.ociDirectory(path: test.path("zstd"), name: nil), "localhost/zstd:t"),
        ]
        var roots: Set<String> = []
        for (source, name) in sources {
            let image = try #require(try test.store.load(source).first)
            #expect(image.names.map(\.familiar).contains(name), "\(image.names)")
            roots.insert(try test.store.rootImage(for: image).path)
        }
        // However they are packed, the layers are the same.
        #expect(roots.count == 1)
        let image = try #require(try test.store.resolve("example/oci:1"))
        try compare(try test.store.rootImage(for: image), test.path("final/rootfs"))
        try test.store.save([image], as: .ociArchive, to: test.path("saved-oci"))
        try test.store.save([image], as: .dockerArchive, to: test.path("saved-docker"))
        try test.store.save([image], as: .ociDirectory, to: test.path("saved-dir"))
        try run("""
            skopeo --insecure-policy copy -q oci-archive:saved-oci:\(image.names[0]) oci:back:oci
            skopeo --insecure-policy copy -q docker-archive:saved-docker:\(image.names[0].familiar) oci:back:docker
            skopeo --insecure-policy copy -q oci:saved-dir:\(image.names[0]) oci:back:dir
            umoci unpack --image back:docker unpacked
            diff -r --no-dereference --exclude fifo --exclude null --exclude disk unpacked/rootfs final/rootfs
            """, in: test)
        for label in ["oci", "dir"] {
            let back = try #require(try test.store.load(.ociDirectory(path: test.path("back"), name: label)).first)
            #expect(back.id == image.id)
        }
    }

    @Test("of buildah", .enabled(if: hasBuildah, "needs buildah and root"))
    func buildah() throws {
        let test = try TestStore()
        try run("""
            alias b='buildah --root '"$PWD"'/b --runroot '"$PWD"'/r --storage-driver vfs'
            mkdir context
            echo hello >context/hello
            printf 'FROM scratch\\nCOPY hello /a/hello\\nCOPY hello /b\\nCMD ["/a/hello"]\\nHEALTHCHECK CMD ["/b"]\\nSTOPSIGNAL SIGINT\\nVOLUME /v\\n' >context/Dockerfile
            b bud --isolation chroot --layers --format docker -t built context >log 2>&1 || { cat log >&2; exit 1; }
            b push built docker-archive:built.tar:example/built:1 >log 2>&1 || { cat log >&2; exit 1; }
            b push --format oci built oci:built:t >log 2>&1 || { cat log >&2; exit 1; }
            """, in: test)
        let image = try #require(try test.store.load(.archive(path: test.path("built.tar"), name: nil)).first)
        #expect(image.names.map(\.familiar).contains("example/built:1"))
        #expect(image.configuration.config.healthcheck?.test == ["CMD", "/b"])
        #expect(image.configuration.config.stopSignal == "SIGINT")
        #expect(image.configuration.config.volumes == ["/v"])
        let other = try #require(try test.store.load(.ociDirectory(path: test.path("built"), name: "t")).first)
        for image in [image, other] {
            let listing = try Ext4Listing(try test.store.rootImage(for: image).path)
            #expect(listing.paths.filter { !$0.hasPrefix("/v") } == ["/a/", "/a/hello", "/b"])
            #expect(listing.text("/b") == "hello\n")
        }
    }
}
