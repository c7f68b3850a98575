/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM hwpoison

#if !defined(_TRACE_HWPOISON_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_HWPOISON_H

#include <linux/tracepoint.h>
#include <linux/hwpoison.h>

TRACE_DEFINE_ENUM(HWPOISON_BY_USER);
TRACE_DEFINE_ENUM(HWPOISON_BY_TASK);
TRACE_DEFINE_ENUM(HWPOISON_BY_OTHER);
TRACE_DEFINE_ENUM(HWPOISON_CLAIMED);

TRACE_DEFINE_ENUM(HWPOISON_OFFLINED);
TRACE_DEFINE_ENUM(HWPOISON_KNOWN);
TRACE_DEFINE_ENUM(HWPOISON_FAILED);

/* A synchronous memory error was survived, and its page dealt with. */
TRACE_EVENT(hwpoison_recovery,
	TP_PROTO(unsigned long ip, unsigned long pfn,
		 enum hwpoison_source source, enum hwpoison_outcome outcome),

	TP_ARGS(ip, pfn, source, outcome),

	TP_STRUCT__entry(
		__field(unsigned long, ip)
		__field(unsigned long, pfn)
		__field(int, source)
		__field(int, outcome)
	),

	TP_fast_assign(
		__entry->ip = ip;
		__entry->pfn = pfn;
		__entry->source = source;
		__entry->outcome = outcome;
	),

	TP_printk("function=%pS pfn=%#lx source=%s outcome=%s",
		  (void *)__entry->ip, __entry->pfn,
		  __print_symbolic(__entry->source,
				   { HWPOISON_BY_USER, "user" },
				   { HWPOISON_BY_TASK, "kernel for a task" },
				   { HWPOISON_BY_OTHER, "kernel" },
				   { HWPOISON_CLAIMED, "kernel for a reader" }),
		  __print_symbolic(__entry->outcome,
				   { HWPOISON_OFFLINED, "offlined" },
				   { HWPOISON_KNOWN, "known already" },
				   { HWPOISON_FAILED, "failed" }))
);

#endif /* _TRACE_HWPOISON_H */

#include <trace/define_trace.h>
