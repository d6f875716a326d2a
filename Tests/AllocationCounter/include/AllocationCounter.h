/*
 * Counts what one thread of the process allocates: malloc and its kin take the place of the C library's in a program that
 * links this, and hand everything on.
 */
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>
#include <sys/types.h>

/* Counts the allocations of the thread with this kernel id from now on; 0 is none. */
void allocation_counter_watch(pid_t thread);

/* The kernel's id of the calling thread. */
pid_t allocation_counter_self(void);

/* Allocations of that thread since. */
uint64_t allocation_counter_value(void);

#endif
