# Entry of every payload: by the Linux 64-bit boot protocol (_start) or by PVH (pvh_start), on to payload_main at CPL 3.
#
# CPL 0 may be executed by KVM's instruction emulator, so as little as possible happens here: every table is laid out
# by the assembler, the code only loads them. After the iretq the payload owns the machine from CPL 3: the first 4 GiB
# are mapped for user mode, the page tables lie in memory it may write, and ports are allowed twice, by IOPL 3 and by
# the TSS's bitmap, because a KVM without hardware virtualization forgets the IOPL of CPL 3. Interrupts are on and stay
# on.

    .equ TABLES,        0x201000            # payload.ld puts .tables here
    .equ STUBS,         TABLES
    .equ IDT,           TABLES + 0x1000
    .equ GDT,           TABLES + 0x2000
    .equ TSS,           TABLES + 0x2100
    .equ PORTS,         0x1000
    .equ TSS_LIMIT,     104 + PORTS / 8
    .equ PML4,          TABLES + 0x3000
    .equ PDPT,          TABLES + 0x4000
    .equ PD,            TABLES + 0x5000     # four pages: 4 GiB in 2 MiB pages
    .equ MMIO_START,    0xD0000000          # uncached from here on

    .equ KERNEL_CS,     0x10                # as in the Linux boot protocol
    .equ KERNEL_DS,     0x18
    .equ USER_DS,       0x20 | 3
    .equ USER_CS,       0x28 | 3
    .equ TSS_SELECTOR,  0x30
    .equ PROTECTED_CS,  0x40

    .equ CR0_VALUE,     0x80010033          # PG WP NE ET MP PE
    .equ CR4_VALUE,     0x620               # OSXMMEXCPT OSFXSR PAE
    .equ MSR_EFER,      0xC0000080
    .equ EFER_LME,      0x100
    .equ USER_RFLAGS,   0x3202              # IOPL 3, IF
    .equ APIC_EOI,      0xFEE000B0
    .equ LAST_EXCEPTION, 31
    .equ SPURIOUS,      0xFF

    .section .start, "ax"
    .globl _start, pvh_start

# Linux 64-bit boot protocol: long mode, RSI = struct boot_params.
    .code64
_start:
    cli
    mov     %esi, payload_boot_information
    movl    $0, payload_booted_by_pvh
    mov     $PML4, %eax
    mov     %rax, %cr3
    lgdt    gdt_pointer
    jmp     long_mode

# PVH: 32-bit protected mode without paging, EBX = struct hvm_start_info.
    .code32
pvh_start:
    cli
    mov     %ebx, payload_boot_information
    movl    $1, payload_booted_by_pvh
    mov     $kernel_stack_top, %esp
    call    enter_long_mode_32

    .code64
long_mode:
    mov     $kernel_stack_top, %esp
    mov     $CR4_VALUE, %eax
    mov     %rax, %cr4
    mov     $CR0_VALUE, %eax
    mov     %rax, %cr0
    push    $KERNEL_CS
    push    $1f
    lretq
1:  mov     $KERNEL_DS, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    xor     %eax, %eax
    mov     %eax, %fs
    mov     %eax, %gs
    lidt    idt_pointer
    mov     $TSS_SELECTOR, %eax
    ltr     %ax
    mov     $0xFF, %al                      # the 8259s stay silent: interrupts come through the IOAPIC
    out     %al, $0x21
    out     %al, $0xA1
    push    $USER_DS
    push    $user_stack_top
    push    $USER_RFLAGS
    push    $USER_CS
    push    $user_entry
    iretq

user_entry:
    mov     $USER_DS, %eax
    mov     %eax, %ds
    mov     %eax, %es
    xor     %ebp, %ebp
    call    payload_main
    ud2

# From 32-bit protected mode without paging to the caller's next instruction in long mode.
    .code32
enter_long_mode_32:
    pop     %edi
    lgdt    gdt_pointer
    mov     $CR4_VALUE, %eax
    mov     %eax, %cr4
    mov     $PML4, %eax
    mov     %eax, %cr3
    mov     $MSR_EFER, %ecx
    xor     %edx, %edx
    mov     $EFER_LME, %eax
    wrmsr
    mov     $CR0_VALUE, %eax
    mov     %eax, %cr0
    ljmp    $KERNEL_CS, $1f
    .code64
1:  mov     %edi, %edi
    jmp     *%rdi

# Frame: vector, error code, RIP, CS, RFLAGS, RSP, SS.
interrupt:
    push    %rax
    mov     8(%rsp), %eax
    cmp     $LAST_EXCEPTION, %eax
    jbe     exception
    cmp     $SPURIOUS, %eax
    je      interrupt_return
    lock incl payload_interrupts(,%rax,4)
    mov     $APIC_EOI, %eax
    movl    $0, (%rax)
interrupt_return:
    pop     %rax
    add     $16, %rsp
    iretq

# The report is written at CPL 3 by payload_exception; an exception inside it ends the machine by a triple fault.
exception:
    mov     %eax, payload_exception_vector
    mov     16(%rsp), %rax
    mov     %rax, payload_exception_error
    mov     24(%rsp), %rax
    mov     %rax, payload_exception_rip
    mov     %cr2, %rax
    mov     %rax, payload_exception_address
    addl    $1, payload_exceptions
    cmpl    $1, payload_exceptions
    jne     triple_fault
    movq    $exception_entry, 24(%rsp)
    movq    $USER_CS, 32(%rsp)
    movq    $USER_RFLAGS, 40(%rsp)
    movq    $user_stack_top, 48(%rsp)
    movq    $USER_DS, 56(%rsp)
    jmp     interrupt_return

exception_entry:
    call    payload_exception
    ud2

triple_fault:
    lidt    empty_idt_pointer
    ud2

# Application processors: copied to a page below 1 MiB, started there in real mode by a SIPI.
    .globl payload_ap_trampoline, payload_ap_trampoline_end
    .code16
payload_ap_trampoline:
    cli
    mov     %cs, %ax
    mov     %ax, %ds
    lgdtl   %ds:(ap_gdt_pointer - payload_ap_trampoline)
    mov     $0x11, %eax                     # ET PE
    mov     %eax, %cr0
    ljmpl   $PROTECTED_CS, $ap_protected
    .balign 4
ap_gdt_pointer:
    .word   gdt_end - gdt - 1
    .long   GDT
payload_ap_trampoline_end:

    .code32
ap_protected:
    mov     $KERNEL_DS, %eax
    mov     %eax, %ds
    mov     %eax, %ss
    mov     $1, %eax
    lock xadd %eax, ap_tickets              # a stack and a table slot each
    mov     %eax, %ebx
    shl     $8, %eax
    lea     ap_stacks + 256(%eax), %esp
    call    enter_long_mode_32
    .code64
    mov     $0xFEE00020, %eax               # local APIC id register
    mov     (%rax), %eax
    shr     $24, %eax
    mov     %eax, payload_ap_apic_ids(,%rbx,4)
    lock incl payload_ap_online
1:  hlt
    jmp     1b

# What the compiler calls by itself.
    .text
    .globl memcpy, memmove, memset
memmove:
    cmp     %rsi, %rdi
    jbe     memcpy
    lea     (%rsi,%rdx), %rax
    cmp     %rax, %rdi
    jae     memcpy
    mov     %rdi, %rax
    mov     %rdx, %rcx
    lea     -1(%rsi,%rdx), %rsi
    lea     -1(%rdi,%rdx), %rdi
    std
    rep movsb
    cld
    ret
memcpy:
    mov     %rdi, %rax
    mov     %rdx, %rcx
    rep movsb
    ret
memset:
    mov     %rdi, %r8
    mov     %esi, %eax
    mov     %rdx, %rcx
    rep stosb
    mov     %r8, %rax
    ret

    .section .tables, "awx"
stubs:                                      # 16 bytes each
    .set vector, 0
    .rept 256
    .org vector * 16
    .if !((vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21))
    push    $0                              # where the CPU pushes no error code
    .endif
    push    $vector
    jmp     interrupt
    .set vector, vector + 1
    .endr

    .org IDT - TABLES
    .set vector, 0
    .rept 256
    .word   (STUBS + vector * 16) & 0xFFFF
    .word   KERNEL_CS
    .word   0x8E00                          # present, DPL 0, interrupt gate
    .word   (STUBS + vector * 16) >> 16
    .long   0, 0
    .set vector, vector + 1
    .endr

    .org GDT - TABLES
gdt:
    .quad   0
    .quad   0
    .quad   0x00AF9B000000FFFF              # 0x10: 64-bit code, DPL 0
    .quad   0x00CF93000000FFFF              # 0x18: data, DPL 0
    .quad   0x00CFF3000000FFFF              # 0x20: data, DPL 3
    .quad   0x00AFFB000000FFFF              # 0x28: 64-bit code, DPL 3
    .word   TSS_LIMIT, TSS & 0xFFFF         # 0x30: TSS, two slots
    .byte   TSS >> 16, 0x89, 0, TSS >> 24
    .quad   0
    .quad   0x00CF9B000000FFFF              # 0x40: 32-bit code, DPL 0, on an AP's way to long mode
gdt_end:

    .org TSS - TABLES
    .long   0
    .quad   kernel_stack_top                # RSP0
    .fill   90, 1, 0
    .word   104
    .fill   PORTS / 8, 1, 0                 # every port below PORTS is allowed
    .byte   0xFF

    .org PML4 - TABLES
    .quad   PDPT | 7
    .org PDPT - TABLES
    .globl payload_pdpt
payload_pdpt:
    .quad   PD | 7, (PD + 0x1000) | 7, (PD + 0x2000) | 7, (PD + 0x3000) | 7
    .org PD - TABLES
    .set address, 0
    .rept 2048
    .if address < MMIO_START
    .quad   address | 0x87                  # present, writable, user, 2 MiB
    .else
    .quad   address | 0x9F                  # and PCD, PWT
    .endif
    .set address, address + 0x200000
    .endr

    .section .rodata
gdt_pointer:
    .word   gdt_end - gdt - 1
    .quad   GDT
idt_pointer:
    .word   256 * 16 - 1
    .quad   IDT
empty_idt_pointer:
    .word   0
    .quad   0

    .section .note.Xen, "a", @note
    .balign 4
    .long   4, 4, 18                        # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz  "Xen"
    .long   pvh_start

    .bss
    .macro variable name, bytes
    .globl  \name
    .balign 8
\name: .skip \bytes
    .endm
    variable payload_boot_information, 8
    variable payload_booted_by_pvh, 4
    variable payload_interrupts, 256*4
    variable payload_exception_vector, 4
    variable payload_exception_error, 8
    variable payload_exception_rip, 8
    variable payload_exception_address, 8
    variable payload_ap_online, 4
    variable payload_ap_apic_ids, 256*4
    variable payload_exceptions, 4
    variable ap_tickets, 4
    .balign 16
ap_stacks:
    .skip   256 * 256
    .skip   4096
kernel_stack_top:
    .skip   65536
user_stack_top:
    .balign 4096
    variable payload_arena, 0x800000
    .globl payload_arena_end
payload_arena_end:

    .section .note.GNU-stack, "", @progbits
