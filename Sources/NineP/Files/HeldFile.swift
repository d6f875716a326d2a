import LinuxSystem

/// A descriptor that is held open, and its share of the budget. A place and the open file that was made there hold the same one.
final class HeldFile: Sendable {
    let file: FileDescriptor
    private let reservation: Reservation

    init(_ file: consuming FileDescriptor, _ reservation: consuming Reservation) {
        self.file = file
        self.reservation = reservation
    }
}
