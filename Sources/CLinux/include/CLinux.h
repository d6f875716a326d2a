/*
 * What Swift cannot say itself: kernel headers, variadic and generic C calls, atomics on raw memory,
 * and the exit union of struct kvm_run. Nothing here decides anything.
 */
#ifndef SVMM_CLINUX_H
#define SVMM_CLINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

/* The name of fd_set's only member depends on __USE_XOPEN, which _GNU_SOURCE brings. Swift's own Glibc module is made
 * without it, and a compiler that meets both modules refuses two definitions of one type: this one is made the same. */
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/vhost.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

/* ---- variadic calls ------------------------------------------------------------------------------------- */

/* ioctl(2) with a pointer argument. */
static inline int svmm_ioctl_pointer(int fd, unsigned long request, void *argument)
{
    return ioctl(fd, request, argument);
}

/* ioctl(2) with an integer argument. */
static inline int svmm_ioctl_value(int fd, unsigned long request, unsigned long argument)
{
    return ioctl(fd, request, argument);
}

/* open(2). */
static inline int svmm_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

/* fcntl(2) with an integer argument. */
static inline int svmm_fcntl_value(int fd, int command, int argument)
{
    return fcntl(fd, command, argument);
}

/* fcntl(2) F_OFD_SETLK of the whole file: type is F_RDLCK or F_WRLCK. */
static inline int svmm_lock_whole_file(int fd, int type)
{
    struct flock lock;
    memset(&lock, 0, sizeof(lock));
    lock.l_type = (short)type;
    lock.l_whence = SEEK_SET;
    return fcntl(fd, F_OFD_SETLK, &lock);
}

/* ---- calls whose address argument is a transparent union in glibc's GNU mode --------------------------------- */

/* bind(2) with a pathname address. */
static inline int svmm_bind_unix(int fd, const struct sockaddr_un *address)
{
    return bind(fd, (const struct sockaddr *)address, sizeof(*address));
}

/* connect(2) with a pathname address. */
static inline int svmm_connect_unix(int fd, const struct sockaddr_un *address)
{
    return connect(fd, (const struct sockaddr *)address, sizeof(*address));
}

/* connect(2) with an address of vsock(7). */
static inline int svmm_connect_vsock(int fd, unsigned int context, unsigned int port)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = context, .svm_port = port };
    return connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

/* bind(2) to a port of every address that this kernel has in vsock(7). */
static inline int svmm_bind_vsock(int fd, unsigned int port)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port };
    return bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

/* accept4(2), the peer's address not asked for. */
static inline int svmm_accept(int fd, int flags)
{
    return accept4(fd, 0, 0, flags);
}

/* ---- ioctl numbers: the macros are casts that Swift does not import ------------------------------------------ */

enum svmm_ioctl {
    SVMM_KVM_GET_API_VERSION = KVM_GET_API_VERSION,
    SVMM_KVM_CREATE_VM = KVM_CREATE_VM,
    SVMM_KVM_CHECK_EXTENSION = KVM_CHECK_EXTENSION,
    SVMM_KVM_GET_VCPU_MMAP_SIZE = KVM_GET_VCPU_MMAP_SIZE,
    SVMM_KVM_CREATE_VCPU = KVM_CREATE_VCPU,
    SVMM_KVM_CREATE_IRQCHIP = KVM_CREATE_IRQCHIP,
    SVMM_KVM_SET_TSS_ADDR = KVM_SET_TSS_ADDR,
    SVMM_KVM_RUN = KVM_RUN,
    SVMM_KVM_KVMCLOCK_CTRL = KVM_KVMCLOCK_CTRL,
    SVMM_KVM_GET_TSC_KHZ = KVM_GET_TSC_KHZ,
    SVMM_KVM_SET_TSC_KHZ = KVM_SET_TSC_KHZ,
};

static const unsigned long svmm_kvm_get_supported_cpuid = KVM_GET_SUPPORTED_CPUID;
static const unsigned long svmm_kvm_set_user_memory_region = KVM_SET_USER_MEMORY_REGION;
static const unsigned long svmm_kvm_set_identity_map_addr = KVM_SET_IDENTITY_MAP_ADDR;
static const unsigned long svmm_kvm_create_pit2 = KVM_CREATE_PIT2;
static const unsigned long svmm_kvm_irq_line = KVM_IRQ_LINE;
static const unsigned long svmm_kvm_ioeventfd = KVM_IOEVENTFD;
static const unsigned long svmm_kvm_irqfd = KVM_IRQFD;
static const unsigned long svmm_kvm_set_cpuid2 = KVM_SET_CPUID2;
static const unsigned long svmm_kvm_get_regs = KVM_GET_REGS;
static const unsigned long svmm_kvm_set_regs = KVM_SET_REGS;
static const unsigned long svmm_kvm_get_sregs = KVM_GET_SREGS;
static const unsigned long svmm_kvm_set_sregs = KVM_SET_SREGS;
static const unsigned long svmm_kvm_set_fpu = KVM_SET_FPU;
static const unsigned long svmm_kvm_set_msrs = KVM_SET_MSRS;
static const unsigned long svmm_kvm_get_lapic = KVM_GET_LAPIC;
static const unsigned long svmm_kvm_set_lapic = KVM_SET_LAPIC;
static const unsigned long svmm_kvm_translate = KVM_TRANSLATE;
static const unsigned long svmm_kvm_get_msr_index_list = KVM_GET_MSR_INDEX_LIST;
static const unsigned long svmm_kvm_get_msrs = KVM_GET_MSRS;
static const unsigned long svmm_kvm_get_cpuid2 = KVM_GET_CPUID2;
static const unsigned long svmm_kvm_get_sregs2 = KVM_GET_SREGS2;
static const unsigned long svmm_kvm_set_sregs2 = KVM_SET_SREGS2;
static const unsigned long svmm_kvm_get_xsave = KVM_GET_XSAVE;
static const unsigned long svmm_kvm_get_xsave2 = KVM_GET_XSAVE2;
static const unsigned long svmm_kvm_set_xsave = KVM_SET_XSAVE;
static const unsigned long svmm_kvm_get_xcrs = KVM_GET_XCRS;
static const unsigned long svmm_kvm_set_xcrs = KVM_SET_XCRS;
static const unsigned long svmm_kvm_get_debugregs = KVM_GET_DEBUGREGS;
static const unsigned long svmm_kvm_set_debugregs = KVM_SET_DEBUGREGS;
static const unsigned long svmm_kvm_get_vcpu_events = KVM_GET_VCPU_EVENTS;
static const unsigned long svmm_kvm_set_vcpu_events = KVM_SET_VCPU_EVENTS;
static const unsigned long svmm_kvm_get_mp_state = KVM_GET_MP_STATE;
static const unsigned long svmm_kvm_set_mp_state = KVM_SET_MP_STATE;
static const unsigned long svmm_kvm_get_irqchip = KVM_GET_IRQCHIP;
static const unsigned long svmm_kvm_set_irqchip = KVM_SET_IRQCHIP;
static const unsigned long svmm_kvm_get_pit2 = KVM_GET_PIT2;
static const unsigned long svmm_kvm_set_pit2 = KVM_SET_PIT2;
static const unsigned long svmm_kvm_get_clock = KVM_GET_CLOCK;
static const unsigned long svmm_kvm_set_clock = KVM_SET_CLOCK;
static const unsigned long svmm_vhost_get_features = VHOST_GET_FEATURES;
static const unsigned long svmm_vhost_set_features = VHOST_SET_FEATURES;
static const unsigned long svmm_vhost_set_owner = VHOST_SET_OWNER;
static const unsigned long svmm_vhost_set_mem_table = VHOST_SET_MEM_TABLE;
static const unsigned long svmm_vhost_set_vring_num = VHOST_SET_VRING_NUM;
static const unsigned long svmm_vhost_set_vring_addr = VHOST_SET_VRING_ADDR;
static const unsigned long svmm_vhost_set_vring_base = VHOST_SET_VRING_BASE;
static const unsigned long svmm_vhost_get_vring_base = VHOST_GET_VRING_BASE;
static const unsigned long svmm_vhost_set_vring_kick = VHOST_SET_VRING_KICK;
static const unsigned long svmm_vhost_set_vring_call = VHOST_SET_VRING_CALL;
static const unsigned long svmm_vhost_vsock_set_guest_cid = VHOST_VSOCK_SET_GUEST_CID;
static const unsigned long svmm_vhost_vsock_set_running = VHOST_VSOCK_SET_RUNNING;
static const unsigned long svmm_blkgetsize64 = BLKGETSIZE64;
static const unsigned long svmm_blkdiscard = BLKDISCARD;
static const unsigned long svmm_blksszget = BLKSSZGET;
static const unsigned long svmm_tiocgwinsz = TIOCGWINSZ;

/* ---- structures with flexible array members ------------------------------------------------------------------ */

#define SVMM_CPUID_CAPACITY 256

struct svmm_cpuid {
    uint32_t nent;
    uint32_t padding;
    struct kvm_cpuid_entry2 entries[SVMM_CPUID_CAPACITY];
};

static inline struct kvm_cpuid_entry2 *svmm_cpuid_entries(struct svmm_cpuid *cpuid)
{
    return cpuid->entries;
}

/* RAM below and above the hole under 4 GiB. */
#define SVMM_VHOST_REGION_CAPACITY 2

struct svmm_vhost_memory {
    uint32_t nregions;
    uint32_t padding;
    struct vhost_memory_region regions[SVMM_VHOST_REGION_CAPACITY];
};

static inline struct vhost_memory_region *svmm_vhost_regions(struct svmm_vhost_memory *memory)
{
    return memory->regions;
}

/* ---- struct kvm_run: exits, read in place -------------------------------------------------------------------- */

static inline uint32_t svmm_run_exit_reason(const struct kvm_run *run) { return run->exit_reason; }
static inline uint8_t svmm_run_io_direction(const struct kvm_run *run) { return run->io.direction; }
static inline uint8_t svmm_run_io_size(const struct kvm_run *run) { return run->io.size; }
static inline uint16_t svmm_run_io_port(const struct kvm_run *run) { return run->io.port; }
static inline uint32_t svmm_run_io_count(const struct kvm_run *run) { return run->io.count; }
static inline uint64_t svmm_run_io_data_offset(const struct kvm_run *run) { return run->io.data_offset; }
static inline uint64_t svmm_run_mmio_address(const struct kvm_run *run) { return run->mmio.phys_addr; }
static inline uint32_t svmm_run_mmio_length(const struct kvm_run *run) { return run->mmio.len; }
static inline uint8_t svmm_run_mmio_is_write(const struct kvm_run *run) { return run->mmio.is_write; }
static inline uint8_t *svmm_run_mmio_data(struct kvm_run *run) { return run->mmio.data; }
static inline uint64_t svmm_run_fail_entry_reason(const struct kvm_run *run)
{
    return run->fail_entry.hardware_entry_failure_reason;
}
static inline uint32_t svmm_run_internal_suberror(const struct kvm_run *run) { return run->internal.suberror; }
static inline uint32_t svmm_run_internal_ndata(const struct kvm_run *run) { return run->internal.ndata; }
static inline uint64_t svmm_run_internal_data(const struct kvm_run *run, unsigned index)
{
    return index < 16 ? run->internal.data[index] : 0;
}
static inline uint32_t svmm_run_system_event(const struct kvm_run *run) { return run->system_event.type; }
static inline void svmm_run_set_immediate_exit(struct kvm_run *run, uint8_t value)
{
    __atomic_store_n(&run->immediate_exit, value, __ATOMIC_RELAXED);
}

/* ---- atomics on memory shared with the guest ------------------------------------------------------------------ */

static inline uint16_t svmm_load_acquire_u16(const void *address)
{
    return __atomic_load_n((const uint16_t *)address, __ATOMIC_ACQUIRE);
}
static inline uint16_t svmm_load_relaxed_u16(const void *address)
{
    return __atomic_load_n((const uint16_t *)address, __ATOMIC_RELAXED);
}
static inline void svmm_store_release_u16(void *address, uint16_t value)
{
    __atomic_store_n((uint16_t *)address, value, __ATOMIC_RELEASE);
}
static inline uint32_t svmm_load_acquire_u32(const void *address)
{
    return __atomic_load_n((const uint32_t *)address, __ATOMIC_ACQUIRE);
}
static inline void svmm_store_release_u32(void *address, uint32_t value)
{
    __atomic_store_n((uint32_t *)address, value, __ATOMIC_RELEASE);
}
/* For loops that poll memory: lets the processor's other thread run. */
/*
 * As the functions of the C library, but no points where a thread can be cancelled, which costs those of a program with
 * threads two atomic operations. For calls that are made for every frame, on descriptors that do not block.
 */
static inline long svmm_read(int fd, void *buffer, size_t count) { return syscall(SYS_read, fd, buffer, count); }
static inline long svmm_write(int fd, const void *buffer, size_t count)
{
    return syscall(SYS_write, fd, buffer, count);
}
static inline long svmm_readv(int fd, const struct iovec *areas, int count)
{
    return syscall(SYS_readv, fd, areas, count);
}
static inline long svmm_writev(int fd, const struct iovec *areas, int count)
{
    return syscall(SYS_writev, fd, areas, count);
}

static inline void svmm_pause(void) { __builtin_ia32_pause(); }
static inline void svmm_full_barrier(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* ---- the program itself --------------------------------------------------------------------------------------- */

extern char __executable_start[], etext[]; /* made by the linker */

/* The first and the one past the last byte of the program's headers and code. */
static inline char *svmm_code_start(void) { return __executable_start; }
static inline char *svmm_code_end(void) { return etext; }

/* ---- the kick signal of vCPU threads -------------------------------------------------------------------------- */

static inline void svmm_ignore_signal_handler(int signal) { (void)signal; }

/* Installs an empty handler, without SA_RESTART, so that the signal interrupts KVM_RUN and does nothing else. */
static inline int svmm_install_kick_handler(int signal)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = svmm_ignore_signal_handler;
    return sigaction(signal, &action, 0);
}

/* Whether the process ignores the signal. */
static inline int svmm_signal_is_ignored(int signal)
{
    struct sigaction action;
    return sigaction(signal, 0, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* SIGRTMIN is a function call in glibc. */
static inline int svmm_first_realtime_signal(void) { return SIGRTMIN; }

/* ---- files below a directory: what the 9P server needs ---------------------------------------------------------- */

/* openat2(2); glibc 2.36 has no wrapper. */
static inline int svmm_openat2(int directory, const char *name, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how;
    memset(&how, 0, sizeof(how));
    how.flags = flags;
    how.mode = mode;
    how.resolve = resolve;
    return (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
}

/* openat(2) of a file that exists. */
static inline int svmm_openat(int directory, const char *name, int flags)
{
    return openat(directory, name, flags);
}

/* getdents64(2). */
static inline long svmm_getdents64(int fd, void *buffer, size_t count)
{
    return syscall(SYS_getdents64, fd, buffer, count);
}

/* fcntl(2) F_OFD_SETLK of a range; a length of 0 reaches to the end of every file. */
static inline int svmm_lock_range(int fd, int type, int64_t start, int64_t length)
{
    struct flock lock;
    memset(&lock, 0, sizeof(lock));
    lock.l_type = (short)type;
    lock.l_whence = SEEK_SET;
    lock.l_start = start;
    lock.l_len = length;
    return fcntl(fd, F_OFD_SETLK, &lock);
}

/* fcntl(2) F_OFD_GETLK: replaces the range by that of a lock in the way, or sets the type to F_UNLCK. */
static inline int svmm_test_lock_range(int fd, struct flock *lock)
{
    lock->l_whence = SEEK_SET;
    lock->l_pid = 0;
    return fcntl(fd, F_OFD_GETLK, lock);
}

/* statx(2), and the macros and bit fields around it. */
static inline int svmm_statx(int directory, const char *name, int flags, struct statx *status)
{
    return statx(directory, name, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, status);
}

/* makedev(3) is a macro. */
static inline uint64_t svmm_device_number(uint32_t major_number, uint32_t minor_number)
{
    return makedev(major_number, minor_number);
}

static inline uint32_t svmm_device_major(uint64_t number) { return major(number); }
static inline uint32_t svmm_device_minor(uint64_t number) { return minor(number); }

static inline int svmm_renameat(int from, const char *name, int to, const char *new_name)
{
    return renameat(from, name, to, new_name);
}

/* readlinkat(2) of the open link itself. */
static inline long svmm_readlink_open(int fd, void *buffer, size_t count)
{
    return readlinkat(fd, "", (char *)buffer, count);
}

static inline uint64_t svmm_filesystem_identifier(const struct statfs *status)
{
    return ((uint64_t)(uint32_t)status->f_fsid.__val[1] << 32) | (uint32_t)status->f_fsid.__val[0];
}

enum svmm_file_flags {
    SVMM_O_PATH = O_PATH,
    SVMM_O_NOFOLLOW = O_NOFOLLOW,
    SVMM_O_DIRECTORY = O_DIRECTORY,
    SVMM_AT_EMPTY_PATH = AT_EMPTY_PATH,
    SVMM_AT_SYMLINK_NOFOLLOW = AT_SYMLINK_NOFOLLOW,
    SVMM_AT_SYMLINK_FOLLOW = AT_SYMLINK_FOLLOW,
    SVMM_AT_REMOVEDIR = AT_REMOVEDIR,
    SVMM_RESOLVE_BELOW = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
    SVMM_UTIME_NOW = UTIME_NOW,
    SVMM_UTIME_OMIT = UTIME_OMIT,
};

/* ---- io_uring(7): glibc has no wrappers -------------------------------------------------------------------------- */

static inline int svmm_io_uring_setup(unsigned entries, struct io_uring_params *parameters)
{
    return (int)syscall(SYS_io_uring_setup, entries, parameters);
}

static inline int svmm_io_uring_enter(int ring, unsigned submit, unsigned wait, unsigned flags)
{
    return (int)syscall(SYS_io_uring_enter, ring, submit, wait, flags, 0, 0);
}

static inline int svmm_io_uring_register(int ring, unsigned operation, const void *argument, unsigned count)
{
    return (int)syscall(SYS_io_uring_register, ring, operation, argument, count);
}

/* Fills an entry, whose fields are unions: `operation_flags` is rw_flags, fsync_flags or poll32_events. */
static inline void svmm_io_uring_prepare(struct io_uring_sqe *entry, unsigned operation, unsigned flags, int file,
                                         const void *address, uint32_t length, uint64_t offset,
                                         uint32_t operation_flags, uint64_t tag)
{
    memset(entry, 0, sizeof(*entry));
    entry->opcode = (uint8_t)operation;
    entry->flags = (uint8_t)flags;
    entry->fd = file;
    entry->off = offset;
    entry->addr = (uint64_t)(uintptr_t)address;
    entry->len = length;
    entry->rw_flags = (int)operation_flags;
    entry->user_data = tag;
}

enum svmm_io_uring_flags {
    SVMM_IORING_SETUP_CLAMP = IORING_SETUP_CLAMP,
    SVMM_IORING_SETUP_CQSIZE = IORING_SETUP_CQSIZE,
    SVMM_IORING_SETUP_FOR_ONE_THREAD = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    SVMM_IORING_SETUP_COOP_TASKRUN = IORING_SETUP_COOP_TASKRUN,
    SVMM_IOSQE_FIXED_FILE = IOSQE_FIXED_FILE,
    SVMM_IOSQE_ASYNC = IOSQE_ASYNC,
};

/* ---- disks ------------------------------------------------------------------------------------------------------- */

/* What O_DIRECT wants, of STATX_DIOALIGN (Linux 6.1); 0 where the kernel or the file system does not say. */
static inline int svmm_direct_alignment(int fd, uint32_t *memory, uint32_t *offset)
{
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH, 0x2000 /* STATX_DIOALIGN */, &status) < 0) return -1;
    /* stx_dio_mem_align and stx_dio_offset_align follow stx_mnt_id; glibc 2.36 has spare words there. */
    const uint8_t *fields = (const uint8_t *)&status + 0x98;
    *memory = *offset = 0;
    if (status.stx_mask & 0x2000) {
        memcpy(memory, fields, 4);
        memcpy(offset, fields + 4, 4);
    }
    return 0;
}

enum svmm_disk_flags {
    SVMM_O_DIRECT = O_DIRECT,
    SVMM_PUNCH_HOLE = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
    SVMM_ZERO_RANGE = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
    SVMM_ALLOCATE = FALLOC_FL_KEEP_SIZE,
    SVMM_SEEK_DATA = SEEK_DATA,
    SVMM_SEEK_HOLE = SEEK_HOLE,
    SVMM_SYNC_FILE_RANGE_WRITE = SYNC_FILE_RANGE_WRITE,
};

#include "network.h"
#include "process.h"

#endif
