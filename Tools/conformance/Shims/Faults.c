#include "ConformanceC.h"
#include <sys/wait.h>

int fc_faults(volatile unsigned char *address, int writes)
{
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        signal(SIGBUS, SIG_DFL);
        if (writes) *address = 1; else (void)*address;
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) != child) return -1;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}
