# The first instructions send one byte to COM1, so the time from exec to that byte on the console is the time to the first
# exit of the guest. Ending a virtual machine, which takes KVM longer than starting one, is not in it. Then the machine ends
# as in first-exit.S, which see, also for QEMU; there with `-serial stdio` instead of `-nographic`.

    .equ COM1,          0x3F8
    .equ PM1A_CONTROL,  0x604
    .equ S5,            0x2000 | 5 << 10    # SLP_EN, SLP_TYP 5
    .equ DEBUG_EXIT,    0x501

    .section .start, "ax"
    .globl _start
    .code64
_start:
    mov     $COM1, %edx
    mov     $'!', %al
    out     %al, %dx
    mov     $PM1A_CONTROL, %edx
    mov     $S5, %eax
    out     %ax, %dx
1:  jmp     1b

    .code32
pvh_start:
    mov     $COM1, %edx
    mov     $'!', %al
    out     %al, %dx
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
