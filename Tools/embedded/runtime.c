/* What the runtime of Embedded Swift calls and musl's libc does not have: random bytes, for the hash seed. */
#include <stddef.h>
#include <sys/random.h>

void arc4random_buf(void *buffer, size_t count)
{
    unsigned char *next = buffer;
    while (count > 0) {
        ssize_t done = getrandom(next, count, 0);
        if (done > 0) {
            next += done;
            count -= (size_t)done;
        }
    }
}
