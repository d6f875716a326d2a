extension AML {
    /// The processor devices, whose _UID is that of their MADT entry: ACPI 6.5, section 8.4, wants each declared.
    ///
    /// They have neither _CST nor a P_BLK, so Linux idles with HLT and registers no ACPI idle driver.
    static func processors(count: Int) -> [AML] {
        (0..<count).map { index in
            .device(NameSegment(letter: "C", index: index), [
                .name("_HID", .string("ACPI0007")),
                .name("_UID", .integer(UInt64(index))),
            ])
        }
    }
}
