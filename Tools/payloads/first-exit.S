# The shortest guest there is: its first instructions end the machine, so the time from exec to exit is the monitor's
# own. Entered by the Linux 64-bit boot protocol it powers off by ACPI; entered by PVH it leaves through QEMU's
# debug-exit port first (exit status 1) and through ACPI where that port does not exist.
#
# The same file in QEMU, for comparison:
#   qemu-system-x86_64 -M microvm,acpi=off -cpu host,arch-capabilities=off -accel kvm -kernel first-exit.elf \
#       -nodefaults -nographic -no-reboot -device isa-debug-exit,iobase=0x501,iosize=2

    .equ PM1A_CONTROL,  0x604
    .equ S5,            0x2000 | 5 << 10    # SLP_EN, SLP_TYP 5
    .equ DEBUG_EXIT,    0x501

    .section .start, "ax"
    .globl _start
    .code64
_start:
    mov     $PM1A_CONTROL, %edx
    mov     $S5, %eax
    out     %ax, %dx
1:  jmp     1b

    .code32
pvh_start:
    mov     $DEBUG_EXIT, %edx
    xor     %eax, %eax
    out     %ax, %dx
    mov     $PM1A_CONTROL, %edx
    mov     $S5, %eax
    out     %ax, %dx
1:  jmp     1b

    .section .note.Xen, "a", @note
    .balign 4
    .long   4, 4, 18                        # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz  "Xen"
    .long   pvh_start

    .section .note.GNU-stack, "", @progbits
