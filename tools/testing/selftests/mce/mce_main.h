/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The last include of a test: the harness's main(), behind a look at whether
 * this machine can inject errors at all. Without it every single case would
 * report the same thing.
 */
#define main mce_harness_main
TEST_HARNESS_MAIN
#undef main

int main(int argc, char **argv)
{
	return mce_main(argc, argv, mce_harness_main);
}
