import Firmware
import Foundation
import Testing

/// What ACPICA, the interpreter inside Linux, says of the tables. Its tools are in the Debian package acpica-tools.
@Suite("ACPICA's verdict")
struct ACPICATests {
    static let shapes = [(1, 0), (2, 4), (64, 18)]

    @Test("iasl disassembles each table and compiles it again without a word", arguments: shapes)
    func compiler(processors: Int, virtioDevices: Int) throws {
        let tables = try GuestView(processors: processors, virtioDevices: virtioDevices).tables()
        try inTemporaryDirectory { directory in
            for (signature, table) in tables {
                let binary = directory.appending(path: "\(signature).dat")
                try Data(table).write(to: binary)
                let disassembly = try run("iasl", ["-d", binary.path], in: directory)
                #expect(disassembly.status == 0)
                #expect(!disassembly.complains, "\(disassembly.output)")

                let source = directory.appending(path: "\(signature).dsl")
                let compiled = directory.appending(path: "\(signature).aml")
                let compilation = try run("iasl", ["-p", compiled.path, source.path], in: directory)
                #expect(compilation.status == 0)
                #expect(compilation.output.contains("0 Errors, 0 Warnings, 0 Remarks"), "\(compilation.output)")
                expectSame(table, [UInt8](try Data(contentsOf: compiled)), signature: signature)
            }
        }
    }

    @Test("ACPICA loads the tables and evaluates the devices without an error or a warning", arguments: shapes)
    func interpreter(processors: Int, virtioDevices: Int) throws {
        let tables = try GuestView(processors: processors, virtioDevices: virtioDevices).tables()
        try inTemporaryDirectory { directory in
            // acpiexec makes its own XSDT and FACS.
            let names = ["FACP", "DSDT", "APIC"]
            for name in names {
                try Data(try #require(tables[name])).write(to: directory.appending(path: "\(name).dat"))
            }
            let commands = "evaluate \\_S5; evaluate \\_SB.COM1._CRS; evaluate \\_SB.VGEN._CID; evaluate \\_SB.VGEN.ADDR; "
                + "gpes; execute \\_GPE._E00; quit"
            var result = try run("acpiexec", ["-b", commands] + names.map { "\($0).dat" }, in: directory)
            #expect(result.status == 0)
            #expect(result.output.contains("1 ACPI AML tables successfully acquired and loaded"), "\(result.output)")
            #expect(result.output.contains("[Package] Contains 4 Elements:\n    [Integer] = 0000000000000005"))
            #expect(result.output.contains("47 01 F8 03 F8 03 01 08 22 10 00 79"), "\(result.output)")
            // Upper case, as drivers compare it.
            #expect(result.output.contains("[String] Length 0E = \"VM_GEN_COUNTER\""), "\(result.output)")
            #expect(result.output.contains("""
                [Package] Contains 2 Elements:
                    [Integer] = 00000000000FF000
                    [Integer] = 0000000000000000
                """), "\(result.output)")
            #expect(result.output.contains("Initialized GPE 00 to 07 [_GPE] 1 regs on interrupt 0x9"), "\(result.output)")
            #expect(result.output.contains("Status 0000000000000620 Enable 0000000000000621"), "\(result.output)")
            #expect(result.output.contains(/Received a Device Notify on \[VGEN\] .* Value 0x80/), "\(result.output)")
            // acpiexec tries itself on event 0: it gives it a handler for levels, and says so, because the tables' is for edges.
            result.output.replace("ACPI Warning: GPE type mismatch (level/edge)", with: "", maxReplacements: 1)
            for complaint in ["ACPI Error", "ACPI Warning", "ACPI BIOS", "Firmware", "Incorrect", "mismatch"] {
                #expect(!result.output.contains(complaint), "\(result.output)")
            }
        }
    }

    /// The table and its recompilation are the same but for what iasl always writes: its own creator ID and revision,
    /// and a zero as the checksum of a resource template's end tag.
    private func expectSame(_ table: [UInt8], _ compiled: [UInt8], signature: String) {
        #expect(compiled.count == table.count, "\(signature)")
        var normalized = table
        if signature != "FACS" {
            normalized.replaceSubrange(28..<36, with: compiled[28..<36])
        }
        for index in normalized.indices.dropFirst() where normalized[index - 1] == 0x79 && compiled[index] == 0 {
            normalized[index] = 0
        }
        if signature != "FACS" {
            normalized[9] = compiled[9]
        }
        #expect(normalized == compiled, "\(signature)")
    }

    private struct ToolResult {
        var status: Int32
        var output: String

        var complains: Bool {
            ["Error", "Warning", "Incorrect", "Invalid"].contains { output.contains($0) }
        }
    }

    private struct MissingTool: Error, CustomStringConvertible {
        var name: String

        var description: String { "\(name) cannot be run: install the package acpica-tools" }
    }

    private func run(_ tool: String, _ arguments: [String], in directory: URL) throws -> ToolResult {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        let path = folders.map { "\($0)/\(tool)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let path else {
            throw MissingTool(name: tool)
        }
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.currentDirectoryURL = directory
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return ToolResult(status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
    }

    private func inTemporaryDirectory(_ body: (URL) throws -> Void) throws {
        let name = "FirmwareTests-\(UUID().uuidString)"
        let directory = FileManager.default.temporaryDirectory.appending(path: name)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(directory)
    }
}
