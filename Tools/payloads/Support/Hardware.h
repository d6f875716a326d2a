// What Swift cannot say: port I/O, memory accesses of an exact width, barriers, and the variables of start.S.
#pragma once
#include <stdint.h>

#define PORT_IO(width, type, suffix)                                                        \
    static inline type in##width(uint16_t port) {                                           \
        type value;                                                                         \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port) : "memory");      \
        return value;                                                                       \
    }                                                                                       \
    static inline void out##width(uint16_t port, type value) {                              \
        __asm__ volatile("out" suffix " %0, %1" : : "a"(value), "Nd"(port) : "memory");     \
    }
PORT_IO(8, uint8_t, "b")
PORT_IO(16, uint16_t, "w")
PORT_IO(32, uint32_t, "l")

// One mov of that width each: a device must see exactly the access that was written. Addresses are integers because
// address 0 is memory here.
#define MEMORY(width, suffix, constraint)                                                       \
    static inline uint##width##_t load##width(uintptr_t address) {                              \
        uint##width##_t value;                                                                  \
        __asm__ volatile("mov" suffix " (%1), %0" : constraint(value) : "r"(address) : "memory"); \
        return value;                                                                           \
    }                                                                                           \
    static inline void store##width(uintptr_t address, uint##width##_t value) {                 \
        __asm__ volatile("mov" suffix " %0, (%1)" : : "r"(value), "r"(address) : "memory");     \
    }
MEMORY(8, "b", "=q")
MEMORY(16, "w", "=r")
MEMORY(32, "l", "=r")
MEMORY(64, "q", "=r")

// `rep outsb`: one exit may carry several bytes.
static inline void outString8(uint16_t port, uintptr_t address, uintptr_t count) {
    __asm__ volatile("rep outsb" : "+S"(address), "+c"(count) : "d"(port) : "memory");
}

static inline uint64_t timestamp(void) {
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void fence(void) { __asm__ volatile("mfence" : : : "memory"); }
static inline void cpuPause(void) { __asm__ volatile("pause" : : : "memory"); }

// Raises #UD, which start.S reports; once `exceptionCount` says that a report is under way it is a triple fault.
static inline void undefinedInstruction(void) { __asm__ volatile("ud2"); }

// Addresses of the symbols of start.S and payload.ld.
#define ADDRESS_OF(name, symbol)                    \
    extern char symbol[];                           \
    static inline uintptr_t name(void) { return (uintptr_t)symbol; }
ADDRESS_OF(arenaStart, payload_arena)
ADDRESS_OF(arenaEnd, payload_arena_end)
ADDRESS_OF(pageDirectoryPointers, payload_pdpt)
ADDRESS_OF(trampolineStart, payload_ap_trampoline)
ADDRESS_OF(trampolineEnd, payload_ap_trampoline_end)
ADDRESS_OF(interruptCounts, payload_interrupts)
ADDRESS_OF(apOnlineCount, payload_ap_online)
ADDRESS_OF(apAPICIDs, payload_ap_apic_ids)
ADDRESS_OF(exceptionCount, payload_exceptions)
ADDRESS_OF(exceptionVector, payload_exception_vector)
ADDRESS_OF(exceptionError, payload_exception_error)
ADDRESS_OF(exceptionRIP, payload_exception_rip)
ADDRESS_OF(exceptionAddress, payload_exception_address)
ADDRESS_OF(bootInformation, payload_boot_information)
ADDRESS_OF(bootedByPVH, payload_booted_by_pvh)

#undef PORT_IO
#undef MEMORY
#undef ADDRESS_OF
