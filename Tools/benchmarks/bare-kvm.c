/*
 * The least that runs exits.elf: one vCPU, one loop of KVM_RUN, a serial port that only sends, a power register and the
 * registers of a virtio device without a function. What an exit costs here is what KVM and the processor take; any
 * monitor adds to it.
 *
 *     bare-kvm KERNEL [WORDS OF THE COMMAND LINE]     runs an ELF64 payload by the Linux 64-bit boot protocol
 *     bare-kvm --tsc-khz                              prints ticks of the time-stamp counter in a millisecond
 *
 * The command line is one argument. The payload is trusted: it is our own.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { MEMORY = 128 << 20, ZERO_PAGE = 0x7000, PAGE_TABLES = 0x9000, COMMAND_LINE = 0x20000 };
enum { COM1 = 0x3F8, COM1_LSR = COM1 + 5, COM1_SCRATCH = COM1 + 7, PM1A_CONTROL = 0x604, SLP_EN = 0x2000 };
enum { CPUID_CAPACITY = 256 };
/* virtio 1.2, 4.2.2 */
enum { VIRTIO = 0xD0000000, VIRTIO_SIZE = 0x200, FEATURES = 0x010, FEATURES_SELECTOR = 0x014, QUEUE_NOTIFY = 0x050 };

static uint8_t *memory;
static uint32_t registers[VIRTIO_SIZE / 4];
static uint8_t scratch;

static void fail(const char *what)
{
    fprintf(stderr, "bare-kvm: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int call(int fd, unsigned long request, const char *name, uintptr_t argument)
{
    int result = ioctl(fd, request, argument);
    if (result < 0) fail(name);
    return result;
}
#define CALL(fd, request, argument) call(fd, request, #request, (uintptr_t)(argument))

static uint64_t nanoseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC_RAW, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void print_tsc_khz(void)
{
    uint64_t start_time = nanoseconds(), start = __rdtsc(), time;
    do time = nanoseconds() - start_time;
    while (time < 200000000);
    printf("%.0f\n", (double)(__rdtsc() - start) * 1e6 / time);
}

static uint64_t load_kernel(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr elf;
    if (fd < 0 || read(fd, &elf, sizeof elf) != sizeof elf) fail(path);
    for (int i = 0; i < elf.e_phnum; i++) {
        Elf64_Phdr segment;
        off_t at = elf.e_phoff + i * sizeof segment;
        if (pread(fd, &segment, sizeof segment, at) != sizeof segment) fail(path);
        if (segment.p_type != PT_LOAD) continue;
        if (segment.p_paddr > MEMORY || segment.p_filesz > MEMORY - segment.p_paddr) fail("a segment is too large");
        ssize_t count = pread(fd, memory + segment.p_paddr, segment.p_filesz, segment.p_offset);
        if (count < 0 || (size_t)count != segment.p_filesz) fail(path);
    }
    close(fd);
    return elf.e_entry;
}

/* What the payload reads of struct boot_params, and an identity map of the first 4 GiB in pages of 2 MiB. */
static void write_boot_data(const char *command_line)
{
    strncpy((char *)memory + COMMAND_LINE, command_line, 4095);
    *(uint32_t *)(memory + ZERO_PAGE + 0x228) = COMMAND_LINE;
    memory[ZERO_PAGE + 0x1E8] = 1; /* one e820 entry: all is usable */
    *(uint64_t *)(memory + ZERO_PAGE + 0x2D8) = MEMORY;
    *(uint32_t *)(memory + ZERO_PAGE + 0x2E0) = 1;
    uint64_t *tables = (uint64_t *)(memory + PAGE_TABLES);
    tables[0] = (PAGE_TABLES + 0x1000) | 3;
    for (uint64_t i = 0; i < 4; i++) tables[512 + i] = (PAGE_TABLES + 0x2000 + i * 0x1000) | 3;
    for (uint64_t i = 0; i < 2048; i++) tables[1024 + i] = i << 21 | 0x83;
}

static void set_registers(int vcpu, uint64_t entry)
{
    struct kvm_sregs special;
    CALL(vcpu, KVM_GET_SREGS, &special);
    struct kvm_segment code = { .limit = ~0u, .selector = 0x10, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1 };
    struct kvm_segment data = { .limit = ~0u, .selector = 0x18, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
    special.cs = code;
    special.ds = special.es = special.fs = special.gs = special.ss = data;
    special.cr0 = 0x80000011; /* PG ET PE */
    special.cr3 = PAGE_TABLES;
    special.cr4 = 0x20; /* PAE */
    special.efer = 0x500; /* LMA LME */
    CALL(vcpu, KVM_SET_SREGS, &special);
    struct kvm_regs general = { .rip = entry, .rsi = ZERO_PAGE, .rflags = 2 };
    CALL(vcpu, KVM_SET_REGS, &general);
}

static void set_cpuid(int kvm, int vcpu)
{
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + CPUID_CAPACITY * sizeof cpuid->entries[0]);
    cpuid->nent = CPUID_CAPACITY;
    CALL(kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
    CALL(vcpu, KVM_SET_CPUID2, cpuid);
    free(cpuid);
}

/* Takes the notifications of the queue, which is always empty, as a device's thread would. */
static void *take_notifications(void *argument)
{
    int event = (int)(intptr_t)argument, epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event watch = { .events = EPOLLIN }, ready;
    uint64_t count;
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, event, &watch) < 0) fail("epoll");
    for (;;)
        if (epoll_wait(epoll, &ready, 1, -1) == 1 && read(event, &count, sizeof count) < 0 && errno != EAGAIN)
            fail("eventfd");
    return 0;
}

static void connect_notifications(int vm)
{
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_t thread;
    struct kvm_ioeventfd connection = {
        .addr = VIRTIO + QUEUE_NOTIFY, .len = 4, .datamatch = 0, .fd = event, .flags = KVM_IOEVENTFD_FLAG_DATAMATCH
    };
    if (event < 0) fail("eventfd");
    CALL(vm, KVM_IOEVENTFD, &connection);
    if (pthread_create(&thread, 0, take_notifications, (void *)(intptr_t)event)) fail("pthread_create");
}

static uint32_t read_port(unsigned port)
{
    switch (port) {
    case COM1_LSR: return 0x60; /* THRE, TEMT: always ready to send */
    case COM1_SCRATCH: return scratch;
    default: return ~0u;
    }
}

static void write_port(unsigned port, uint32_t value)
{
    if (port == COM1) putchar(value & 0xFF);
    if (port == COM1_SCRATCH) scratch = value;
    if (port == PM1A_CONTROL && value & SLP_EN) exit(0);
}

static uint32_t read_register(uint64_t offset)
{
    switch (offset) {
    case 0x000: return 0x74726976; /* MagicValue */
    case 0x004: return 2; /* Version */
    case 0x008: return 4; /* DeviceID: entropy */
    case FEATURES: return registers[FEATURES_SELECTOR / 4] == 1; /* VERSION_1 */
    case 0x034: return 256; /* QueueNumMax */
    default: return registers[offset / 4];
    }
}

static void serve_port(struct kvm_run *run)
{
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        uint32_t value = 0;
        if (run->io.direction == KVM_EXIT_IO_IN) {
            value = read_port(run->io.port);
            memcpy(data, &value, run->io.size);
        } else {
            memcpy(&value, data, run->io.size);
            write_port(run->io.port, value);
        }
    }
}

static void serve_mmio(struct kvm_run *run)
{
    uint64_t offset = run->mmio.phys_addr - VIRTIO;
    uint32_t value = ~0u;
    if (run->mmio.is_write) {
        memcpy(&value, run->mmio.data, 4);
        if (offset < VIRTIO_SIZE) registers[offset / 4] = value;
        if (offset == 0x070 && value == 0) memset(registers, 0, sizeof registers); /* Status: reset */
    } else {
        if (offset < VIRTIO_SIZE) value = read_register(offset);
        memset(run->mmio.data, 0xFF, 8);
        memcpy(run->mmio.data, &value, 4);
    }
}

int main(int count, char **arguments)
{
    if (count == 2 && !strcmp(arguments[1], "--tsc-khz")) {
        print_tsc_khz();
        return 0;
    }
    if (count < 2 || count > 3) {
        fprintf(stderr, "usage: bare-kvm KERNEL [COMMAND LINE] | --tsc-khz\n");
        return 2;
    }
    setvbuf(stdout, 0, _IONBF, 0);
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) fail("/dev/kvm");
    int vm = CALL(kvm, KVM_CREATE_VM, 0);
    memory = mmap(0, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    struct kvm_userspace_memory_region region = { .memory_size = MEMORY, .userspace_addr = (uintptr_t)memory };
    /* Before the interrupt controllers: their grace periods would delay it by milliseconds (Linux 6.18). */
    CALL(vm, KVM_SET_USER_MEMORY_REGION, &region);
    uint64_t identity_map = 0xFEFFC000;
    CALL(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
    CALL(vm, KVM_SET_TSS_ADDR, 0xFEFFD000);
    CALL(vm, KVM_CREATE_IRQCHIP, 0);
    struct kvm_pit_config timer = { 0 };
    CALL(vm, KVM_CREATE_PIT2, &timer);
    uint64_t entry = load_kernel(arguments[1]);
    write_boot_data(count == 3 ? arguments[2] : "");
    connect_notifications(vm);

    int vcpu = CALL(vm, KVM_CREATE_VCPU, 0);
    int size = CALL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_run *run = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED) fail("mmap");
    set_cpuid(kvm, vcpu);
    set_registers(vcpu, entry);
    for (;;) {
        if (ioctl(vcpu, KVM_RUN, 0) < 0 && errno != EINTR) fail("KVM_RUN");
        switch (run->exit_reason) {
        case KVM_EXIT_IO: serve_port(run); break;
        case KVM_EXIT_MMIO: serve_mmio(run); break;
        case KVM_EXIT_INTR: break;
        default:
            fprintf(stderr, "bare-kvm: exit reason %u\n", run->exit_reason);
            return 1;
        }
    }
}
