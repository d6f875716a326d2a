/* What Swift cannot call or name itself: variadic calls, macros, calls that glibc has no function for. Each returns what
 * the system call does: -1 with errno for failure. */
#ifndef CONFORMANCE_C_H
#define CONFORMANCE_C_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
/* The name of fd_set's only member depends on __USE_XOPEN; Swift's own Glibc module is made without it. */
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static inline int fc_errno(void) { return errno; }
/* "ENOENT", or a null pointer for a number that has no name. */
static inline const char *fc_error_name(int code) { return strerrorname_np(code); }

/* Standard output and error are variables, which Swift does not take for safe. */
static inline void fc_write_lines(void) { setvbuf(stdout, 0, _IOLBF, 0); }
static inline void fc_complain(const char *line) { fprintf(stderr, "%s\n", line); }

static inline int fc_open(const char *path, int flags, unsigned mode) { return open(path, flags, mode); }
static inline int fc_openat(int directory, const char *path, int flags, unsigned mode)
{
    return openat(directory, path, flags, mode);
}
static inline int fc_o_tmpfile(void) { return O_TMPFILE; }
static inline int fc_o_path(void) { return O_PATH; }
static inline int fc_o_direct(void) { return O_DIRECT; }
static inline int fc_o_noatime(void) { return O_NOATIME; }

static inline int fc_fcntl(int fd, int command, int argument) { return fcntl(fd, command, argument); }
static inline int fc_fcntl_lock(int fd, int command, struct flock *lock) { return fcntl(fd, command, lock); }
static inline int fc_f_ofd_getlk(void) { return F_OFD_GETLK; }
static inline int fc_f_ofd_setlk(void) { return F_OFD_SETLK; }
static inline int fc_f_ofd_setlkw(void) { return F_OFD_SETLKW; }

/* flags: 1 RENAME_NOREPLACE, 2 RENAME_EXCHANGE, 4 RENAME_WHITEOUT of <linux/fs.h>. */
static inline int fc_renameat2(int from, const char *name, int to, const char *other, unsigned flags)
{
    return (int)syscall(SYS_renameat2, from, name, to, other, flags);
}
static inline ssize_t fc_copy_file_range(int from, off_t *offset, int to, off_t *other, size_t count)
{
    return copy_file_range(from, offset, to, other, count, 0);
}
static inline int fc_sync_file_range(int fd, off_t offset, off_t count)
{
    return sync_file_range(fd, offset, count,
                           SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}
static inline int fc_fallocate(int fd, int mode, off_t offset, off_t count) { return fallocate(fd, mode, offset, count); }
static inline off_t fc_seek_data(int fd, off_t offset) { return lseek(fd, offset, SEEK_DATA); }
static inline off_t fc_seek_hole(int fd, off_t offset) { return lseek(fd, offset, SEEK_HOLE); }
static inline int fc_syncfs(int fd) { return syncfs(fd); }

/* A file given to mmap(2); a null pointer for failure. */
static inline void *fc_map(size_t count, int protection, int flags, int fd, off_t offset)
{
    void *start = mmap(0, count, protection, flags, fd, offset);
    return start == MAP_FAILED ? 0 : start;
}

static inline dev_t fc_device(unsigned major_number, unsigned minor_number) { return makedev(major_number, minor_number); }

static inline const char *fc_entry_name(const struct dirent *entry) { return entry->d_name; }

/* A unix socket's address; -1 for a path that does not fit. */
static inline int fc_unix_address(const char *path, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address->sun_path, path);
    return 0;
}
static inline int fc_bind(int fd, const char *path)
{
    struct sockaddr_un address;
    if (fc_unix_address(path, &address)) return -1;
    return bind(fd, (struct sockaddr *)&address, sizeof address);
}
static inline int fc_connect(int fd, const char *path)
{
    struct sockaddr_un address;
    if (fc_unix_address(path, &address)) return -1;
    return connect(fd, (struct sockaddr *)&address, sizeof address);
}
static inline int fc_stream_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static inline int fc_datagram_socket(void) { return socket(AF_UNIX, SOCK_DGRAM, 0); }

/* The birth time is not asked for: file systems need not have one. flags as of fstatat(2). Returns the mask. */
static inline int fc_statx_links(int directory, const char *path, int flags, uint32_t *links, uint64_t *inode)
{
    struct statx result;
    if (statx(directory, path, flags, STATX_BASIC_STATS, &result)) return -1;
    *links = result.stx_nlink;
    *inode = result.stx_ino;
    return (int)(result.stx_mask & STATX_BASIC_STATS);
}

/* Whether a read, or a write, at the address ends in SIGBUS: in a process of its own. -1 for a failed fork. */
int fc_faults(volatile unsigned char *address, int writes);

/* The effective ids of the calling thread alone, as a server that acts for its users sets them. */
static inline int fc_set_groups(const gid_t *groups, int count) { return (int)syscall(SYS_setgroups, count, groups); }

static inline int fc_exited(int status) { return WIFEXITED(status); }
static inline int fc_exit_status(int status) { return WEXITSTATUS(status); }
static inline int fc_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

#endif
