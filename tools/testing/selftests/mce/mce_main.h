/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The last include of a test: the harness's main(), behind a look at whether
 * this machine can inject errors at all. Without it every single case would
 * report the same thing.
 */
#define main mce_harness_main
TEST_HARNESS_MAIN
#undef main

/* MCE_SLOW=N in the environment: the kernel is N times as slow as others. */
static void mce_allow_time(void)
{
	const char *slow = getenv("MCE_SLOW");
	struct __fixture_metadata *f;
	struct __test_metadata *t;

	if (!slow)
		return;
	for (f = __fixture_list; f; f = f->next)
		for (t = f->tests; t; t = t->next)
			t->timeout *= atoi(slow);
}

int main(int argc, char **argv)
{
	mce_allow_time();
	return mce_main(argc, argv, mce_harness_main);
}
