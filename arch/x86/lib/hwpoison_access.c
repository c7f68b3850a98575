// SPDX-License-Identifier: GPL-2.0
/*
 * Loads of kernel addresses that recover from #MC, see mm/hwpoison-access.c.
 */
#include <linux/hwpoison.h>
#include <linux/align.h>
#include <linux/uaccess.h>

#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>

/* The routine is that of user copies: there #MC ends a copy exactly. */
size_t hwpoison_copy(void *to, const void *from, size_t len)
{
	asm volatile("1:\n\t"
		     ALTERNATIVE("rep movsb", "call rep_movs_alternative",
				 ALT_NOT(X86_FEATURE_FSRM))
		     "2:\n"
		     _ASM_EXTABLE_UA(1b, 2b)
		     : "+c" (len), "+D" (to), "+S" (from), ASM_CALL_CONSTRAINT
		     : : "memory", "rax");
	return len;
}

bool hwpoison_probe(const void *addr, size_t len)
{
	const char *p = addr;
	const char *end = p + len;
	char byte;

	while (p < end) {
		__get_kernel_nofault(&byte, p, char, bad);
		p = PTR_ALIGN_DOWN(p, HWPOISON_LINE) + HWPOISON_LINE;
	}

	return true;
bad:
	return false;
}

/* One load of the type's size at @from, which then is behind it. */
#define LOAD_IO(type) do {						\
	__get_kernel_nofault(&val, from, type, bad);			\
	memcpy(to, &val, sizeof(type));					\
	to += sizeof(type);						\
	from += sizeof(type);						\
	len -= sizeof(type);						\
} while (0)

/* Loads as those of memcpy_fromio(): it may be a device after all. */
size_t hwpoison_copy_fromio(void *to, const void __iomem *io, size_t len)
{
	const void *from = (__force const void *)io;
	u32 val;

	/* Who came up short in the same system call, and asks for the rest */
	if (hwpoison_pending())
		return len;

	while (len) {
		if (len >= sizeof(u32) && IS_ALIGNED((unsigned long)from, sizeof(u32)))
			LOAD_IO(u32);
		else if (len >= sizeof(u16) && IS_ALIGNED((unsigned long)from, sizeof(u16)))
			LOAD_IO(u16);
		else
			LOAD_IO(u8);
	}
bad:
	return len;
}
