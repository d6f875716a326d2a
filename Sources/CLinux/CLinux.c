#include "CLinux.h"

/* Everything is inline in the header; SwiftPM wants one source file in a C target. */
_Static_assert(sizeof(struct svmm_cpuid) == sizeof(struct kvm_cpuid2)
               + SVMM_CPUID_CAPACITY * sizeof(struct kvm_cpuid_entry2), "layout of struct kvm_cpuid2");
_Static_assert(sizeof(struct svmm_msrs) == sizeof(struct kvm_msrs)
               + SVMM_MSR_CAPACITY * sizeof(struct kvm_msr_entry), "layout of struct kvm_msrs");
