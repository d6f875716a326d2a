#include "CLinux.h"

/* Everything is inline in the header; SwiftPM wants one source file in a C target. */
_Static_assert(sizeof(struct svmm_cpuid) == sizeof(struct kvm_cpuid2)
               + SVMM_CPUID_CAPACITY * sizeof(struct kvm_cpuid_entry2), "layout of struct kvm_cpuid2");
/* Sources/KVM/State/ModelSpecificRegisters.swift counts on it. */
_Static_assert(sizeof(struct kvm_msrs) == 8 && sizeof(struct kvm_msr_entry) == 16, "layout of struct kvm_msrs");
