/*
 * What reading from a file costs without a virtual machine: random 4 KiB reads of a file in the page cache, by the system calls
 * alone. A disk of a virtual machine adds its queue and the way between two processors to it.
 *
 *     bare-block FILE DEPTH COUNT     prints requests=COUNT nanoseconds=N
 *
 * With a depth of 1 each read is one pread(2); with more, so many are submitted to an io_uring and waited for at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, MAXIMUM_DEPTH = 256 };

static uint64_t state = 1;

static void fail(const char *what)
{
    fprintf(stderr, "bare-block: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* xorshift64*, as the payload's. */
static uint64_t next_random(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Dull;
}

static uint64_t nanoseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void read_one_by_one(int file, uint64_t blocks, uint64_t count, char *buffer)
{
    for (uint64_t i = 0; i < count; i++)
        if (pread(file, buffer, BLOCK, next_random() % blocks * BLOCK) != BLOCK) fail("pread");
}

static void read_in_batches(int file, uint64_t blocks, uint64_t count, unsigned depth, char *buffers)
{
    struct io_uring_params parameters = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN };
    int ring = syscall(SYS_io_uring_setup, depth, &parameters);
    if (ring < 0) fail("io_uring_setup");
    size_t size = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
    size_t other = parameters.sq_off.array + parameters.sq_entries * sizeof(uint32_t);
    char *rings = mmap(0, size > other ? size : other, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entries = mmap(0, parameters.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
                                        IORING_OFF_SQES);
    if (rings == MAP_FAILED || entries == MAP_FAILED) fail("mmap");
    if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &file, 1) < 0) fail("io_uring_register");
    uint32_t *tail = (uint32_t *)(rings + parameters.sq_off.tail), *array = (uint32_t *)(rings + parameters.sq_off.array);
    uint32_t *done = (uint32_t *)(rings + parameters.cq_off.head), *ready = (uint32_t *)(rings + parameters.cq_off.tail);
    struct io_uring_cqe *completions = (struct io_uring_cqe *)(rings + parameters.cq_off.cqes);
    while (count > 0) {
        unsigned batch = count < depth ? count : depth;
        for (unsigned i = 0; i < batch; i++) {
            uint32_t index = (*tail + i) & (parameters.sq_entries - 1);
            memset(&entries[index], 0, sizeof entries[index]);
            entries[index].opcode = IORING_OP_READ;
            entries[index].flags = IOSQE_FIXED_FILE;
            entries[index].off = next_random() % blocks * BLOCK;
            entries[index].addr = (uintptr_t)(buffers + (size_t)i * BLOCK);
            entries[index].len = BLOCK;
            array[index] = index;
        }
        __atomic_store_n(tail, *tail + batch, __ATOMIC_RELEASE);
        if (syscall(SYS_io_uring_enter, ring, batch, batch, IORING_ENTER_GETEVENTS, 0, 0) != (long)batch) fail("io_uring_enter");
        uint32_t end = __atomic_load_n(ready, __ATOMIC_ACQUIRE), at = *done;
        if (end - at != batch) fail("completions are missing");
        for (; at != end; at++)
            if (completions[at & (parameters.cq_entries - 1)].res != BLOCK) fail("read");
        __atomic_store_n(done, end, __ATOMIC_RELEASE);
        count -= batch;
    }
}

int main(int count, char **arguments)
{
    unsigned long depth = count == 4 ? strtoul(arguments[2], 0, 10) : 0;
    unsigned long long requests = count == 4 ? strtoull(arguments[3], 0, 10) : 0;
    if (depth < 1 || depth > MAXIMUM_DEPTH || requests < 1) {
        fprintf(stderr, "usage: bare-block FILE DEPTH COUNT\n");
        return 2;
    }
    int file = open(arguments[1], O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0) fail(arguments[1]);
    uint64_t blocks = status.st_size / BLOCK;
    if (blocks == 0) fail("the file is too small");
    char *buffers = mmap(0, depth * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (buffers == MAP_FAILED) fail("mmap");
    uint64_t start = nanoseconds();
    if (depth == 1) read_one_by_one(file, blocks, requests, buffers);
    else read_in_batches(file, blocks, requests, depth, buffers);
    printf("requests=%llu nanoseconds=%llu\n", requests, (unsigned long long)(nanoseconds() - start));
}
