/*
 * Runs a fuzz target over the files of its corpus, without a fuzzer: make check does so.
 * usage: PROGRAM FOLDER...
 * Prints the Test Anything Protocol, a line a folder.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <string.h>

static int
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	size_t n;

	if (f == NULL)
		return -1;
	data = malloc(1 << 20);
	MUST(data != NULL);
	n = fread(data, 1, 1 << 20, f);
	fclose(f);
	/* in a block of its very size, so that a read behind the end is seen */
	data = realloc(data, n > 0 ? n : 1);
	MUST(data != NULL);
	(void)LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

static int
run_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *e;
	char path[4096];
	int n = 0;

	if (dir == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (run_file(path) < 0) {
			n = -1;
			break;
		}
		n++;
	}
	closedir(dir);
	return n;
}

int
main(int argc, char *argv[])
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		int n = run_folder(argv[i]);

		/* an empty corpus proves nothing */
		printf("%s %d - %s: %d inputs\n", n > 0 ? "ok" : "not ok", i, argv[i], n);
		failed += n <= 0;
	}
	printf("1..%d\n", argc - 1);
	return failed > 0 || argc < 2;
}
