/* Tests of common/arch.c. */
#include "common/arch.h"

#include "tests/test.h"

int
main(void)
{
	static const struct {
		const char *what;
		uint16_t number;
		enum arch_kind kind;
		enum arch_cpu cpu;
	} cases[] = {
		{ "BIOS PCs", 0, ARCH_KIND_BIOS, ARCH_CPU_BIOS },
		{ "x64 UEFI", 7, ARCH_KIND_UEFI, ARCH_CPU_X64 },
		{ "EBC is what old x64 firmware says", 9, ARCH_KIND_UEFI, ARCH_CPU_X64 },
		{ "arm64 UEFI", 11, ARCH_KIND_UEFI, ARCH_CPU_ARM64 },
		{ "x64 UEFI over HTTP", 16, ARCH_KIND_HTTP, ARCH_CPU_X64 },
		{ "arm64 UEFI over HTTP", 19, ARCH_KIND_HTTP, ARCH_CPU_ARM64 },
		{ "arm64 U-Boot", 22, ARCH_KIND_UBOOT, ARCH_CPU_ARM64 },
		{ "ia32 UEFI", 6, ARCH_KIND_UEFI, ARCH_CPU_IA32 },
		{ "arm32 UEFI", 10, ARCH_KIND_UEFI, ARCH_CPU_ARM32 },
		{ "riscv64 UEFI", 27, ARCH_KIND_UEFI, ARCH_CPU_RISCV64 },
		{ "loong64 UEFI", 39, ARCH_KIND_UEFI, ARCH_CPU_LOONG64 },
		{ "BIOS PCs over HTTP", 20, ARCH_KIND_BIOS, ARCH_CPU_BIOS },
		{ "arm64 U-Boot over HTTP", 24, ARCH_KIND_UBOOT, ARCH_CPU_ARM64 },
		{ "Raspberry Pi", ARCH_RPI, ARCH_KIND_RPI, ARCH_CPU_RPI },
		{ "Itanium gets nothing", 2, ARCH_KIND_NONE, ARCH_CPU_NONE },
		{ "a number beyond the registry", 42, ARCH_KIND_NONE, ARCH_CPU_NONE },
		{ "a client that did not say", ARCH_UNKNOWN, ARCH_KIND_NONE, ARCH_CPU_NONE },
	};

	for (size_t i = 0; i < NITEMS(cases); i++) {
		const struct arch *a = arch_find(cases[i].number);

		test_case("architecture: %s", cases[i].what);
		CHECK_INT(a->kind, cases[i].kind);
		CHECK_INT(a->cpu, cases[i].cpu);
	}
	test_case("each row of the table stands at its number");
	for (uint16_t n = 0; n < 42; n++)
		CHECK_INT(arch_find(n)->number, n);

	test_case("whatever loads over HTTP, and nothing else");
	for (uint16_t n = 0; n < 50; n++) {
		static const uint16_t http[] = { 15, 16, 17, 18, 19, 20, 23, 24, 26, 28, 30, 38,
			40 };
		bool want = false;

		for (size_t i = 0; i < NITEMS(http); i++)
			want = want || http[i] == n;
		CHECK_INT(arch_is_http(n), want);
	}

	test_case("CPUs are found by name in any case");
	CHECK_INT(arch_cpu_from_name(slice_str("ARM64")), ARCH_CPU_ARM64);
	CHECK_INT(arch_cpu_from_name(slice_str("x6")), ARCH_CPU_NONE);
	CHECK_STR(arch_cpu_name(ARCH_CPU_X64), "x64");
	CHECK_STR(arch_kind_name(ARCH_KIND_HTTP), "uefi-http");
	return test_end();
}
