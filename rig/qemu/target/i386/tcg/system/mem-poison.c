/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an x86 CPU does when it touches poisoned memory
 *
 * A load or fetch raises a precise #MC on the CPU that made it: software
 * recoverable action required (Intel SDM volume 3, "Machine-Check
 * Architecture", the sections on UCR errors), or its AMD equivalent (APM
 * volume 2, "Machine Check Architecture"). A store raises nothing: the line it
 * is merged into stays poisoned.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "cpu.h"
#include "accel/tcg/cpu-ops.h"
#include "exec/exec-all.h"
#include "hw/boards.h"
#include "hw/i386/mem-poison.h"
#include "system/mem-poison.h"
#include "system/reset.h"
#include "system/runstate.h"
#include "tcg/helper-tcg.h"
#include "tcg/insn-start-words.h"

#define MISC_PHYSICAL      (2 << 6)       /* address mode, Intel */

/* Which bank a consumption is logged in, and as what */
typedef struct Signature {
    unsigned bank;
    uint64_t status;
    uint64_t misc;
} Signature;

#define STATUS_COMMON  (MCI_STATUS_VAL | MCI_STATUS_UC | MCI_STATUS_EN | \
                        MCI_STATUS_ADDRV)
#define STATUS_INTEL   (STATUS_COMMON | MCI_STATUS_MISCV | MCI_STATUS_S | \
                        MCI_STATUS_AR)
#define STATUS_AMD     (STATUS_COMMON | MCI_STATUS_POISON)
#define MISC_INTEL     (MISC_PHYSICAL | MEM_POISON_LINE_BITS)

/* Data: the bank of the first-level data cache. */
static const Signature intel_load = { 1, STATUS_INTEL | 0x134, MISC_INTEL };
static const Signature amd_load = { 0, STATUS_AMD | 0x135, 0 };
/* Fetch: the bank of the instruction fetch unit. */
static const Signature intel_fetch = { 0, STATUS_INTEL | 0x150, MISC_INTEL };
static const Signature amd_fetch = { 1, STATUS_AMD | 0x151, 0 };

static void shut_down(CPUState *cs, const char *why)
{
    error_report("CPU %d: #MC while %s: shutdown", cs->cpu_index, why);
    qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
}

/* Returns why this CPU cannot take a #MC, or NULL. */
static const char *cannot_take_mce(CPUX86State *env)
{
    if (!(env->cr[4] & CR4_MCE_MASK)) {
        return "CR4.MCE is clear";
    }
    if (env->mcg_status & MCG_STATUS_MCIP) {
        return "MCIP is set";
    }
    return NULL;
}

/*
 * A machine check of another CPU that this one has yet to take part in.
 * Protected by the BQL.
 */
typedef struct Rendezvous {
    CPUState *cs;
    bool due;
    unsigned delays;    /* while interrupts were off */
    QEMUTimer *again;
} Rendezvous;

#define DELAY_NS    (50 * SCALE_US)
#define MAX_DELAYS  20

static Rendezvous *rendezvous;      /* one a CPU */

static void take_broadcast(CPUState *cs, run_on_cpu_data unused);

static void look_again(void *opaque)
{
    Rendezvous *r = opaque;

    async_run_on_cpu(r->cs, take_broadcast, RUN_ON_CPU_NULL);
}

static void forget_broadcasts(void *unused)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        rendezvous[cs->cpu_index].due = false;
        timer_del(rendezvous[cs->cpu_index].again);
    }
}

static void set_up_rendezvous(void)
{
    CPUState *cs;

    if (rendezvous) {
        return;
    }
    rendezvous = g_new0(Rendezvous, current_machine->smp.max_cpus);
    CPU_FOREACH(cs) {
        Rendezvous *r = &rendezvous[cs->cpu_index];

        r->cs = cs;
        r->again = timer_new_ns(QEMU_CLOCK_VIRTUAL, look_again, r);
    }
    qemu_register_reset(forget_broadcasts, NULL);
}

/*
 * Another CPU consumed poison. This one takes part in the machine check but
 * has nothing to report: no valid bank, and its RIP has nothing to do with it.
 *
 * If it is in #MC still, the signal waits until it has returned from there: not
 * just for MCIP, for between the write that clears MCIP and IRET the handler's
 * stack is in use. So it waits for a CPU that has interrupts off, but not for
 * long: that one may spin for what the consumer holds. Software cannot tell that
 * from a signal that was on its way.
 */
static void take_broadcast(CPUState *cs, run_on_cpu_data unused)
{
    Rendezvous *r = &rendezvous[cs->cpu_index];
    CPUX86State *env = cpu_env(cs);

    if (!r->due) {
        return;
    }
    if (!(env->cr[4] & CR4_MCE_MASK)) {
        r->due = false;
        shut_down(cs, "CR4.MCE is clear");
        return;
    }
    if ((env->mcg_status & MCG_STATUS_MCIP) ||
        (!(env->eflags & IF_MASK) && r->delays++ < MAX_DELAYS)) {
        timer_mod(r->again, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + DELAY_NS);
        return;
    }
    r->due = false;
    env->mcg_status = MCG_STATUS_MCIP | MCG_STATUS_RIPV;
    cpu_interrupt(cs, CPU_INTERRUPT_MCE);
}

static void make_due(CPUState *cs)
{
    Rendezvous *r = &rendezvous[cs->cpu_index];

    if (!r->due) {
        r->due = true;
        r->delays = 0;
        async_run_on_cpu(cs, take_broadcast, RUN_ON_CPU_NULL);
    }
}

void x86_cpu_signal_mce(CPUState *cs)
{
    BQL_LOCK_GUARD();
    set_up_rendezvous();
    make_due(cs);
}

/*
 * Of two CPUs that consume at the same time, the second finds that the first
 * has signalled it already: it joins that machine check, and nobody is
 * signalled again.
 */
static void broadcast(CPUState *from)
{
    CPUState *cs;

    BQL_LOCK_GUARD();
    set_up_rendezvous();
    if (rendezvous[from->cpu_index].due) {
        rendezvous[from->cpu_index].due = false;
        return;
    }
    CPU_FOREACH(cs) {
        if (cs != from) {
            make_due(cs);
        }
    }
}

/*
 * Two errors in one bank, SDM "Overwrite Rules for UC, CE, and UCR Errors": the
 * first uncorrected one stays, a lesser one makes room; S and AR tell of both.
 */
static void fill_bank(CPUX86State *env, MMUAccessType access_type, hwaddr phys,
                      uint64_t left_out)
{
    bool fetch = access_type == MMU_INST_FETCH;
    const Signature *sig = IS_AMD_CPU(env) ? (fetch ? &amd_fetch : &amd_load)
                                           : (fetch ? &intel_fetch
                                                    : &intel_load);
    uint64_t *bank = env->mce_banks + 4 * sig->bank;
    uint64_t old = bank[1];

    if (left_out & MEM_POISON_NO_BANK) {
        return;
    }
    if ((old & MCI_STATUS_VAL) && (old & MCI_STATUS_UC)) {
        bank[1] |= MCI_STATUS_OVER;
        if (!IS_AMD_CPU(env) && !(left_out & MEM_POISON_NO_STICKY)) {
            bank[1] |= sig->status & (MCI_STATUS_S | MCI_STATUS_AR);
        }
        return;
    }
    bank[1] = sig->status | (old & MCI_STATUS_VAL ? MCI_STATUS_OVER : 0);
    bank[2] = phys;
    bank[3] = sig->misc;
    if (left_out & MEM_POISON_NO_ADDRV) {
        bank[1] &= ~MCI_STATUS_ADDRV;
        bank[2] = 0;
    }
    /* The bits below are not valid, so they may be anything. */
    if ((left_out & MEM_POISON_PAGE_LSB) && (bank[1] & MCI_STATUS_MISCV)) {
        bank[2] ^= ~TARGET_PAGE_MASK;
        bank[3] = MISC_PHYSICAL | TARGET_PAGE_BITS;
    }
}

/*
 * An error that nobody has consumed, and which is not signalled: UCNA on Intel,
 * a deferred error on AMD. In the bank that a load uses.
 */
void x86_cpu_log_latent(CPUState *cs, hwaddr phys)
{
    CPUX86State *env = cpu_env(cs);
    const Signature *sig = IS_AMD_CPU(env) ? &amd_load : &intel_load;
    uint64_t *bank = env->mce_banks + 4 * sig->bank;

    bank[1] = IS_AMD_CPU(env)
        ? (sig->status & ~(MCI_STATUS_UC | MCI_STATUS_POISON)) | MCI_STATUS_DEFERRED
        : sig->status & ~(MCI_STATUS_S | MCI_STATUS_AR);
    bank[2] = phys;
    bank[3] = sig->misc;
}

static G_NORETURN void consume(CPUState *cs, hwaddr phys, vaddr virt,
                               MMUAccessType access_type, bool walk,
                               uintptr_t ra)
{
    CPUX86State *env = cpu_env(cs);
    uint64_t left_out = mem_poison_left_out();
    const char *why_not;
    bool local;

    cpu_restore_state(cs, ra);
    mem_poison_log(&(MemPoisonRecord) {
        .phys = phys,
        .virt = virt,
        .rip = env->eip,
        .cpu = cs->cpu_index,
        .cpl = env->hflags & HF_CPL_MASK,
        .kind = access_type == MMU_INST_FETCH ? MEM_POISON_FETCH
                                              : walk ? MEM_POISON_WALK
                                                     : MEM_POISON_LOAD,
    });

    fill_bank(env, access_type, phys, left_out);
    why_not = cannot_take_mce(env);
    if (why_not) {
        shut_down(cs, why_not);
        cs->halted = 1;
        cs->exception_index = EXCP_HLT;
        cpu_loop_exit(cs);
    }

    local = env->mcg_ext_ctl & MCG_EXT_CTL_LMCE_EN;
    env->mcg_status = MCG_STATUS_MCIP |
                      (left_out & MEM_POISON_NO_RIPV ? 0 : MCG_STATUS_RIPV) |
                      (left_out & MEM_POISON_NO_EIPV ? 0 : MCG_STATUS_EIPV) |
                      (local ? MCG_STATUS_LMCE : 0);
    if (!local && !IS_AMD_CPU(env)) {
        broadcast(cs);
    }
    raise_exception(env, EXCP12_MCHK);
}

/*
 * Is the store at @ra non-temporal? Such stores are gathered in a
 * write-combining buffer. One that fills up is written out as a whole line,
 * without a read of the old content.
 */
static bool is_nontemporal(CPUState *cs, uintptr_t ra)
{
    CPUX86State *env = cpu_env(cs);
    uint64_t data[TARGET_INSN_START_WORDS];
    uint8_t insn[15] = { };
    target_ulong pc;
    unsigned i = 0;

    if (!cpu_unwind_state_data(cs, ra, data)) {
        return false;
    }
    pc = data[0];
    if (tcg_cflags_has(cs, CF_PCREL)) {
        pc |= (env->eip + env->segs[R_CS].base) & TARGET_PAGE_MASK;
    }
    /* What lies behind the instruction need not be readable. */
    cpu_memory_rw_debug(cs, pc, insn, sizeof(insn), false);
    while (i < 10 && (insn[i] == 0x66 || insn[i] == 0x67 ||
                      insn[i] == 0x64 || insn[i] == 0x65 ||
                      insn[i] == 0x2e || insn[i] == 0x36 ||
                      insn[i] == 0x3e || insn[i] == 0x26)) {
        i++;
    }
    if ((env->hflags & HF_CS64_MASK) && (insn[i] & 0xf0) == 0x40) {
        i++;
    }
    if (insn[i] == 0xc5) {
        i += 2;                                     /* 2-byte VEX */
    } else if (insn[i] == 0xc4 && (insn[i + 1] & 0x1f) == 1) {
        i += 3;                                     /* 3-byte VEX, map 0F */
    } else if (insn[i] == 0x0f) {
        i += 1;
    } else {
        return false;
    }
    return insn[i] == 0x2b ||                       /* MOVNTPS, MOVNTPD */
           insn[i] == 0xc3 ||                       /* MOVNTI */
           insn[i] == 0xe7;                         /* MOVNTQ, MOVNTDQ */
}

void x86_cpu_poison_access(CPUState *cs, CPUTLBEntryFull *full, vaddr addr,
                           unsigned size, MMUAccessType access_type,
                           int mmu_idx, uintptr_t ra)
{
    ram_addr_t ram = addr + full->xlat_section;
    hwaddr phys = full->phys_addr | (addr & ~TARGET_PAGE_MASK);
    int64_t skip;

    if (access_type == MMU_DATA_STORE) {
        mem_poison_store(ram, size, is_nontemporal(cs, ra));
        return;
    }
    /*
     * The page walker sets accessed and dirty bits from outside of the
     * execution loop, where nothing can be raised. It has read the entry just
     * before; if that was poisoned since, the next walk finds out.
     */
    if (!cs->running) {
        return;
    }
    skip = mem_poison_find(ram, size);
    if (skip >= 0) {
        bool walk = mmu_idx == MMU_PHYS_IDX || mmu_idx == MMU_NESTED_IDX;

        consume(cs, phys + skip, addr + skip, access_type, walk, ra);
    }
}
